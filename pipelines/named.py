"""Named pipelines as tables: what runs, in which order and why.

python -m wse_mlir.tools.named_pipeline cpu FILE.mlir
wse-opt --pipeline=cpu FILE.mlir
wse-opt --print-pipeline=cpu
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.pipeline_text import PassEntry, changed_passes, parse_entries
from .rows import (
    ABSORB_STAGE,
    ACCUMULATE_STAGE,
    CHECK_STAGE,
    CPU_STAGES,
    FOLD_STAGE,
    FUSE_STAGE,
    IMPORTED_STAGE,
    INVERT_STAGE,
    LOOP_STAGES,
    NARROW_STAGE,
    NUMBERS_STAGE,
    REFERENCE_STAGES,
    RETURN_STAGE,
    ROLL_STAGE,
    SCANS_STAGE,
    SIMPLIFY_STAGE,
    UNROLL_STAGE,
    WAFER_FUSE_STAGE,
    WAFER_SCANS_STAGE,
    WAFER_SIMPLIFY_STAGE,
    WAFER_STAGES,
    Stage,
)
from .stages import STAGES


@dataclass(frozen=True)
class NamedPipeline:
    """A pipeline with a name, as a table of stages."""

    name: str
    description: str
    stages: tuple[Stage, ...]

    @property
    def text(self) -> str:
        """The pipeline for `--pass-pipeline`, stage checks included."""
        return f"builtin.module({','.join(stage.text for stage in self.stages if stage.text)})"

    def override(self, **passes: str) -> NamedPipeline:
        """The same pipeline with other passes in some stages; dashes in names are written as underscores.

        Raises:
            CompilerError: the pipeline has no such stage.
        """
        given = {name.replace("_", "-"): text for name, text in passes.items()}
        known = [stage.name for stage in self.stages]
        for name in given:
            if name not in known:
                message = f"pipeline '{self.name}' has no stage '{name}'"
                raise CompilerError(message, hint=f"its stages are: {', '.join(known)}")
        stages = (
            replace(s, entries=parse_entries(given[s.name])) if s.name in given else s for s in self.stages
        )
        return replace(self, stages=tuple(stages))

    def given(self, passes: Collection[str], **options: Any) -> NamedPipeline:
        """The same pipeline with options for passes of these names, wherever they run."""
        return self.changed(lambda entry: entry.given(**options) if entry.name in passes else entry)

    def changed(self, change: Callable[[PassEntry], PassEntry | None]) -> NamedPipeline:
        """The same pipeline with every pass changed, or left out for None; a row may be left without any."""
        stages = (replace(stage, entries=changed_passes(stage.entries, change)) for stage in self.stages)
        return replace(self, stages=tuple(stages))

    def before(self, row: str) -> NamedPipeline:
        """The rows in front of the one of that name."""
        return replace(self, stages=self.stages[: self._position(row)])

    def since(self, row: str) -> NamedPipeline:
        """The row of that name and those behind it."""
        return replace(self, stages=self.stages[self._position(row) :])

    def _position(self, row: str) -> int:
        return [stage.name for stage in self.stages].index(row)

    def until(self, contract: str) -> NamedPipeline:
        """The pipeline up to the row that establishes a stage, e.g. "bufferized".

        Raises:
            CompilerError: no row of it does.
        """
        for index, stage in enumerate(self.stages):
            if stage.establishes == contract:
                return replace(self, stages=self.stages[: index + 1])
        reached = ", ".join(stage.establishes for stage in self.stages if stage.establishes)
        raise CompilerError(
            f"pipeline '{self.name}' has no stage '{contract}'", hint=f"it reaches: {reached or 'none'}"
        )

    def table(self) -> str:
        """The pipeline for people: a row a stage, then the text to copy."""
        lines = [f"{self.name}: {self.description}", ""]
        for stage in self.stages:
            reached = f"  -> {stage.establishes}" if stage.establishes else ""
            lines += [
                f"  {stage.name}{reached}",
                f"      {stage.reason}",
                f"      {stage.passes or '(no pass)'}",
            ]
        return "\n".join([*lines, "", self.text])


NAMED_PIPELINES: dict[str, NamedPipeline] = {}


def register_pipeline(pipeline: NamedPipeline) -> NamedPipeline:
    """Makes a pipeline known by its name; one of the same name is replaced."""
    NAMED_PIPELINES[pipeline.name] = pipeline
    return pipeline


def _define(name: str, description: str, *rows: Iterable[Stage]) -> NamedPipeline:
    return register_pipeline(NamedPipeline(name, description, tuple(stage for row in rows for stage in row)))


TENSOR = _define(
    "tensor",
    "imported IR -> fused linalg on tensors, what both targets start from",
    (IMPORTED_STAGE, SCANS_STAGE, ACCUMULATE_STAGE, FOLD_STAGE, FUSE_STAGE),
)
CPU = _define(
    "cpu",
    "imported IR -> native code of the machine this runs on",
    (
        IMPORTED_STAGE,
        SCANS_STAGE,
        ACCUMULATE_STAGE,
        FOLD_STAGE,
        ROLL_STAGE,
        FUSE_STAGE,
        CHECK_STAGE,
        SIMPLIFY_STAGE,
    ),
    CPU_STAGES,
)
WAFER = _define(
    "wafer",
    "imported IR -> programs of processing elements, ready for the simulator",
    (
        IMPORTED_STAGE,
        WAFER_SCANS_STAGE,
        RETURN_STAGE,
        NUMBERS_STAGE,
        NARROW_STAGE,
        FOLD_STAGE,
        ROLL_STAGE,
        WAFER_FUSE_STAGE,
        WAFER_SIMPLIFY_STAGE,
        UNROLL_STAGE,
        ABSORB_STAGE,
        INVERT_STAGE,
    ),
    WAFER_STAGES,
)
REFERENCE = _define(
    "reference",
    "imported or tensor IR -> native code by upstream's passes alone, slow and plain",
    REFERENCE_STAGES,
    LOOP_STAGES,
)
LOOPS = _define("loops", "bufferized IR -> native code of plain loops", LOOP_STAGES)


def named_pipeline(name: str) -> NamedPipeline:
    """Looks a pipeline up.

    Raises:
        CompilerError: there is no such pipeline; offers those there are.
    """
    if name not in NAMED_PIPELINES:
        near = difflib.get_close_matches(name, NAMED_PIPELINES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(NAMED_PIPELINES)}"
        raise CompilerError(f"no pipeline is named '{name}'", hint=hint)
    return NAMED_PIPELINES[name]


assert all(s.establishes in ("", *STAGES) for p in NAMED_PIPELINES.values() for s in p.stages)
