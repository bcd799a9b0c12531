"""Models compiled without one step of the pipeline `cpu` after the other: which change a model's code, and its time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cpu_families import FAMILIES, WITNESSES, Case

from wse_mlir.compiler.compile import Compiled
from wse_mlir.dialects.host import ir
from wse_mlir.frontend.imported import ImportedModel, import_model
from wse_mlir.passes.infra.timing import Timer
from wse_mlir.pipelines.named import CPU, NamedPipeline
from wse_mlir.runtime.arrays import parameters_of
from wse_mlir.runtime.cpu.lowering import for_processor
from wse_mlir.runtime.cpu.target import CpuTarget

from .contender import Contender, as_tuple
from .jobs import TOLERANCE, largest_error
from .rounds import Budget, alternate

WHOLE, TWIN = "", "the whole pipeline again"
PROGRESS = "step"  # the file of a folder that names the step whose code is made or run for the first time

# Step -> passes that are left out, in the pipeline's order.
STEPS: Mapping[str, tuple[str, ...]] = {
    "constants folded": ("wse-fold-constants",),
    "loops rerolled": ("wse-reroll-loops",),
    "fusion": ("wse-fuse",),
    "filters shrunk": ("wse-shrink-padded-filters",),
    "convolutions in phases": ("wse-transposed-convolutions",),
    "resampling separated": ("wse-separate-resampling",),
    "insertions permuted": ("wse-permute-insertions",),
    "unit dimensions dropped": ("wse-drop-unit-dims",),
    "masks inlined": ("wse-inline-masks",),
    "reshapes absorbed": ("wse-absorb-reshapes",),
    "channels last": ("wse-channels-last",),
    "softmax reciprocals": ("wse-softmax-reciprocals",),
    "epilogues sunk": ("wse-sink-epilogues",),
    "parameters unfused": ("wse-unfuse-parameters",),
    "bytes multiplied": ("wse-read-bytes", "wse-fold-zero-points"),
    "Winograd": ("wse-winograd-convolutions",),
    "weights packed": ("wse-pack-weights",),
    "rows widened": ("wse-widen-rows",),
    "parameters prepared once": ("wse-split-parameters",),
    "pads in place": ("wse-pad-in-place",),
    "states in place": ("wse-loop-state-in-place",),
    "kernels formed": ("wse-form-kernels", "wse-tile-and-fuse"),
    "kernels tiled": ("wse-tile-and-fuse",),
    "vectors": ("wse-vectorize",),
    "threads": ("wse-parallelize",),
    "arena": ("wse-plan-arena",),
    "bare pointers": ("wse-bare-pointers",),
}
# Passes that no code can be made without, or that only tidy up.
KEPT = (
    "wse-lower-tm-tensor", "wse-generalize", "wse-dce", "wse-bufferize", "wse-expand-copies", "wse-expand-math",
    "wse-expand-half", "wse-round-conversions", "wse-fork-threads", "wse-check-stage", "wse-collect-checks",
    "wse-bound-allocations",
    "wse-expand-scans",
)  # fmt: skip


@dataclass(frozen=True)
class Ablation:
    """A model whose steps are looked at.

    Attributes:
        family: one of `FAMILIES`, or the step that one of `WITNESSES` is a witness of.
        folder: for the file PROGRESS.
        left_out: steps that are known to end the process.
    """

    family: str
    size: str
    threads: int
    rounds: int
    seconds: float
    clock: str
    folder: str
    left_out: Sequence[str] = ()


def measure_steps(job: Ablation) -> dict[str, Any]:
    """Milliseconds of a call under "ms", and under "steps" what each step is worth.

    That is a dictionary with "ratio", how many times longer a call takes without the step; or "same", where the code
    is the same without it; or "failed", why there is no code or no right answer. "noise" is how far the ratio of the
    whole pipeline and itself is from 1.
    """
    case = {**FAMILIES, **WITNESSES}[job.family].case(job.size)
    bench = _Bench(case, job)
    whole = bench.contender(WHOLE)
    if whole is None:
        raise RuntimeError(bench.found[WHOLE]["failed"])
    contenders = [whole, replace(whole, name=TWIN)]
    contenders += filter(None, (bench.contender(step) for step in STEPS if step not in job.left_out))
    (Path(job.folder) / PROGRESS).unlink(missing_ok=True)
    budget = Budget(job.rounds, job.seconds)
    times = alternate(contenders, budget, settle=job.threads > 1, clock=job.clock)
    medians = {c.name: t.median for c, t in zip(contenders, times, strict=True)}
    ratios = {name: median / medians[WHOLE] for name, median in medians.items()}

    def worth(step: str) -> dict[str, Any]:
        found = bench.found.get(step, {})
        like = found.get("like", step)
        return {"ratio": ratios[like]} if like in ratios else found

    steps = {step: worth(step) for step in STEPS if step not in job.left_out}
    return {"ms": 1e3 * medians[WHOLE], "noise": abs(ratios[TWIN] - 1), "steps": steps}


class _SameCode(Exception):
    """The code is that of another step, whose name is the argument."""


class _Variant(CpuTarget):
    """Native code by a pipeline, unless an earlier one led to the same.

    Args:
        seen: which step's code it was, by digests of the IR that LLVM is given.
    """

    def __init__(self, step: str, pipeline: str, seen: dict[str, str]) -> None:
        super().__init__(pipeline)
        self._step, self._seen = step, seen

    def lower(self, imported: ImportedModel, *arguments: Any) -> Any:
        lowered = super().lower(imported, *arguments)
        digest = hashlib.sha256(str(imported.module).encode()).hexdigest()
        if digest in self._seen:
            raise _SameCode(self._seen[digest])
        self._seen[digest] = self._step
        return lowered


class _Bench:
    """A model, imported once, compiled in many ways.

    Attributes:
        found: what is known of steps that nothing is measured for.
    """

    def __init__(self, case: Case, job: Ablation) -> None:
        self._case, self._job = case, job
        self._imported = import_model(case.model, case.args)
        self._text = str(self._imported.module)
        self._seen: dict[str, str] = {}
        self._expected: list[Any] = []
        self.found: dict[str, dict[str, Any]] = {}

    def contender(self, step: str) -> Contender | None:
        """The model without a step, if that is other code and right."""
        (Path(self._job.folder) / PROGRESS).write_text(step)
        try:
            compiled = self._compiled(step)
            outputs = [output.clone() for output in as_tuple(compiled(*self._case.args))]
        except _SameCode as other:
            like = str(other)
            self.found[step] = self.found.get(like) or ({"like": like} if like != WHOLE else {"same": True})
            return None
        except Exception as error:  # a pipeline that a step is cut out of promises nothing
            self.found[step] = {"failed": f"{type(error).__name__}: {error}"}
            return None
        self._expected = self._expected or outputs
        error = largest_error(outputs, self._expected)
        if not error <= TOLERANCE:
            self.found[step] = {"failed": f"outputs differ by {error:.1e}"}
            return None
        args = self._case.args
        return Contender(step, lambda: compiled(*args), lambda: as_tuple(compiled(*args)))

    def _compiled(self, step: str) -> Compiled:
        pipeline = without(STEPS.get(step, ()), self._job.threads)
        imported = replace(self._imported, module=ir.Module.parse(self._text, context=self._imported.context))
        target = _Variant(step, pipeline.text, self._seen)
        program = target.program(imported, {"num_threads": self._job.threads}, Timer())
        executable = target.load(program, parameters_of(imported.interface))
        return Compiled(self._case.model, imported.interface, executable, target.name, {})


def without(passes: Sequence[str], threads: int = 1) -> NamedPipeline:
    """The pipeline `cpu` without these passes; a stage of which nothing is left stays as an empty row.

    Raises:
        ValueError: it has no such pass, so that figures would mean nothing.
    """
    pipeline = for_processor(CPU, "", "", threads)
    for name in passes:
        shorter = pipeline.changed(lambda entry, name=name: None if entry.name == name else entry)
        if shorter == pipeline:
            raise ValueError(f"the pipeline cpu has no pass '{name}'")
        pipeline = shorter
    return pipeline
