"""Stages seen while passes run: which one was reached, one to stop at, all of them as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from ...dialects.host import ir
from ...passes.infra.pass_manager import Instrumentation
from ...passes.infra.plan import PythonStep, UpstreamStep
from ...pipelines.stages import CheckStage
from ...runtime.native.llvm_text import llvm_ir_text
from ...tools.output import write_atomically


class StageReached(Exception):
    """Ends a pipeline's run at the stage that was asked for; the IR is left as it is there."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.text = text


def ir_text(op: ir.Operation, *, locations: bool) -> str:
    """IR as text that can be read back, constants in full."""
    return f"{op.get_asm(enable_debug_info=locations)}".rstrip("\n") + "\n"


class StageWatch:
    """Follows a pipeline from stage to stage; a `PassObserver`.

    Args:
        keep: folder that gets every stage as a file as soon as it is reached, with source locations, and the LLVM
            IR that the last one is translated to.
        stop: stage to raise `StageReached` at.
        locations: whether the text of that stage has source locations.
    """

    def __init__(self, keep: Path | None = None, stop: str = "", *, locations: bool = False) -> None:
        self.reached: list[str] = []
        self._keep = keep
        self._stop = stop
        self._locations = locations
        self._files = 0

    def of_part(self, name: str) -> StageWatch:
        """Follows a part of the model; what it keeps is in a folder of that name."""
        folder = None if self._keep is None else self._keep / name
        if folder is not None:
            folder.mkdir(exist_ok=True)
        return StageWatch(folder, self._stop, locations=self._locations)

    @property
    def instrumentation(self) -> Instrumentation:
        """What makes a pipeline's run be watched."""
        return Instrumentation(verify_each=False, observers=(self,))

    def before_pass(self, step: PythonStep | UpstreamStep, root: ir.Operation) -> None:
        """Nothing is seen before a pass."""

    def after_pass(self, step: PythonStep | UpstreamStep, root: ir.Operation) -> None:
        """A check that has passed is a stage that is reached."""
        if isinstance(step, PythonStep) and step.name == CheckStage.name:
            self.reach(cast(Any, step.python_pass).stage, root)

    def reach(self, stage: str, root: ir.Operation) -> None:
        """Notes that the IR is at a stage; planning once more begins again at an earlier one."""
        if stage in self.reached:
            del self.reached[self.reached.index(stage) :]
            self._files = len(self.reached)
        self.reached.append(stage)
        if self._keep is not None:
            self.keep(f"{stage}.mlir", ir_text(root, locations=True))
            if stage == "llvm":
                self.keep("unoptimised.ll", llvm_ir_text(root))
        if stage == self._stop:
            raise StageReached(ir_text(root, locations=self._locations))

    def keep(self, name: str, data: str | bytes) -> None:
        """Writes the next file of the folder, if there is one."""
        if self._keep is None:
            return
        self._files += 1
        path = self._keep / f"{self._files:02}-{name}"
        write_atomically(path, data)
