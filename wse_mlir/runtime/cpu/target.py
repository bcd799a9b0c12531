"""The CPU target: runs the `cpu` pipeline, makes native code of the result, calls it on arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...passes.cpu.processor import Processor, processor
from ...passes.infra.diagnostics import CompilerError, shown
from ...passes.infra.timing import Timer
from ..index_option import checks_indices
from .program import CpuExecutable, CpuFunction, CpuProgram, check_runs_here
from .thread_count import thread_count

if TYPE_CHECKING:
    from ...frontend.imported import ImportedModel
    from ...passes.infra.pass_manager import Instrumentation

__all__ = ["CpuExecutable", "CpuFunction", "CpuProgram", "CpuTarget"]

OPTIONS: Mapping[str, str] = {
    "num_threads": "threads of a call; WSE_NUM_THREADS, or else 1, when not given",
    "cpu": "LLVM's name of the processor that code is for, such as x86-64-v3; this machine's when not given",
    "features": "LLVM's processor features on top of that, such as '+avx2,-avx512f'",
    "check_indices": "whether a call raises where an index is out of range; without, indices are clamped",
    "debug": "whether debuggers and profilers find lines of the model in the code",
}
_LLVM_CHECK = "wse-check-stage{stage=llvm}"
_EXAMPLES = {"cpu": "cpu='x86-64-v3'", "features": "features='+avx2,-avx512f'"}


class CpuTarget:
    """Native code, for the machine this process runs on unless options say otherwise.

    Args:
        pipeline: from stage `imported` to stage `llvm`; the named pipeline `cpu` unless another is given.
        states_in_place: whether the pipeline writes states into their arguments; if not, they are outputs.
    """

    name = "cpu"
    options: Mapping[str, str] = OPTIONS

    def __init__(self, pipeline: str = "", *, states_in_place: bool = True) -> None:
        self._pipeline = pipeline
        self._states_in_place = states_in_place

    def identity(self, options: Mapping[str, Any]) -> str:
        """See `Target.identity`.

        Raises:
            CompilerError: the processor is not known, this machine cannot run its code, or an option has a value
                that makes no sense.
        """
        chosen = _processor(options)
        check_runs_here(chosen)
        settled = {
            **options,
            "num_threads": thread_count(options),
            "check_indices": checks_indices(options),
        }
        return f"{chosen} {self._pipeline} {self._states_in_place} {sorted(settled.items())}"

    def load(self, program: CpuProgram, parameters: Sequence[np.ndarray]) -> CpuExecutable:
        """See `Target.load`."""
        return CpuExecutable(program, parameters)

    def program(
        self,
        imported: ImportedModel,
        options: Mapping[str, Any],
        timer: Timer,
        instrumentation: Instrumentation | None = None,
    ) -> CpuProgram:
        """Native code that can be run or kept; see `Target.program`."""
        from ..native.codegen import NativeCode
        from .lowering import name_allocations

        lowered = self.lower_to_llvm(imported, options, timer, instrumentation)
        with timer.scope("codegen"):
            lowered = name_allocations(imported.module, lowered)
            code = NativeCode(
                imported.module,
                lowered.processor,
                f"'{lowered.entry}'",
                lowered.entries,
                debug=bool(options.get("debug")),
            )
            return CpuProgram(code.object(), lowered)

    def lower_to_llvm(
        self,
        imported: ImportedModel,
        options: Mapping[str, Any],
        timer: Timer,
        instrumentation: Instrumentation | None = None,
    ) -> CpuFunction:
        """As `lower`, for code to be made of: translating what is not in the llvm dialect would end the process.

        Raises:
            PassFailure: a pipeline that somebody gave does not end there.
        """
        from ...pipelines.stages import check_stage, stage_contract

        lowered = self.lower(imported, options, timer, instrumentation)
        if self._pipeline and _LLVM_CHECK not in self._pipeline:
            check_stage(imported.module, stage_contract("llvm"))
        return lowered

    def lower(
        self,
        imported: ImportedModel,
        options: Mapping[str, Any],
        timer: Timer,
        instrumentation: Instrumentation | None = None,
    ) -> CpuFunction:
        """Brings `imported.module` to the llvm dialect, in place, and tells how its function is called."""
        from .lowering import lower

        chosen = _processor(options)
        return lower(imported, chosen, self._pipeline, self._states_in_place, options, timer, instrumentation)


def _processor(options: Mapping[str, Any]) -> Processor:
    names = {name: options.get(name) or "" for name in ("cpu", "features")}
    for name, given in names.items():
        if not isinstance(given, str):
            raise CompilerError(
                f"{name} is {shown(given)}, no text of LLVM's names",
                hint=f"as in {_EXAMPLES[name]}, or leave it out",
            )
    return processor(**names)
