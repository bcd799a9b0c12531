"""Every stage of the compiler that can be run, against PyTorch; and the pass at fault when one is wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from ..compiler.targets import CPU, find_target
from ..dialects.context import create_context
from ..dialects.host import ir
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.pass_manager import Instrumentation, run_pipeline
from ..passes.infra.timing import Timer
from ..runtime.cpu.target import CpuTarget
from ..runtime.wafer import target as wafer
from .bisect import Found, find_first_bad
from .calls import Arrays, Comparison, compare
from .fabric import FabricCompletion
from .isolation import TIME_LIMIT
from .judge import Judge, Verdict
from .spmd import Spmd
from .subject import Subject
from .trace import PassText, Snapshot, Trace, record

CPU_STAGES = ("imported", "tensor", "bufferized", "llvm")
WAFER_STAGES = ("logical", "placed", "routed", "executable")
_LAST_ON_TENSORS = "tensor"


@dataclass(frozen=True)
class StageResult:
    """What came of one stage.

    Attributes:
        comparison: with what is expected; None when there are no results.
        failure: why the stage was not reached, or how its program ended.
        unjudged: why nobody can run it; that is no fault.
    """

    name: str
    comparison: Comparison | None = None
    failure: str = ""
    unjudged: str = ""

    @property
    def matches(self) -> bool:
        """Whether nothing is wrong, as far as can be seen."""
        return not self.failure and (self.comparison is None or self.comparison.matches)


@dataclass(frozen=True)
class Fault:
    """A pass that is wrong, or fails.

    Attributes:
        kind: "numbers" are wrong after it, its code is a "crash", it is a "failure" itself, or the "import" is wrong.
        passes: the pass; several when what lies between them cannot be judged.
        stages: the stage before it and the one that it works towards; "" for none.
        before / after: comparisons with the program as it was imported.
        reason: message of a failure or a crash.
        trace: the pipeline's run; found: where in it.
        on_wafer: which pipeline.
    """

    kind: Literal["numbers", "crash", "failure", "import"]
    passes: tuple[PassText, ...]
    stages: tuple[str, str]
    found: Found
    trace: Trace = field(repr=False)
    before: Comparison | None = None
    after: Comparison | None = None
    reason: str = ""
    on_wafer: bool = False


class Verification:
    """The stages of one model for the CPU and, unless `target` is the CPU, for a wafer.

    Raises:
        CompilerError: there is no such target.
    """

    def __init__(self, subject: Subject, target: str, time_limit: float = TIME_LIMIT) -> None:
        self.subject = subject
        self._limit = time_limit
        self._target = target
        find_target(target)
        self._runs: list[_Run] = []
        self._reference: list[Arrays] | None = None

    @property
    def reference(self) -> str:
        """What results are compared with, in words."""
        return "the imported model" if self.subject.eager is None else "PyTorch"

    def stages(self) -> Iterator[StageResult]:
        """Runs stage by stage; results come as they are known.

        Raises:
            CompilerError: there is nothing to compare with, because nobody can run the imported model.
        """
        cpu = self._add_run(CPU_STAGES, _lower_for_cpu(self.subject), on_wafer=False)
        self._reference = cpu.judge.verdict(cpu.trace.snapshots[0]).results
        if self._reference is None and self.subject.eager is None:
            why = cpu.judge.verdict(cpu.trace.snapshots[0])
            raise CompilerError(f"the imported model cannot be run: {why.unjudged or why.crash}")
        yield from (self._stage(cpu, name) for name in CPU_STAGES)
        if self._target != CPU:
            run = self._add_run(WAFER_STAGES, _lower_for_wafer(self._target), on_wafer=True)
            yield from (self._stage(run, name) for name in WAFER_STAGES)

    def faults(self) -> list[Fault]:
        """The passes at fault, once the stages are known; empty when all of them match."""
        found: list[Fault] = []
        for run in self._runs:
            if any(_is_on_tensors(fault) for fault in found):
                break  # the wafer's passes on tensors are the CPU's
            found += self._faults_of(run)
        return found

    def programs_on_tensors(self) -> Iterator[tuple[str, Snapshot]]:
        """The program at those stages of the CPU's pipeline that are on tensors, once stages have been run."""
        trace = self._runs[0].trace
        for name in ("imported", _LAST_ON_TENSORS):
            index = trace.at_stage(name)
            if index is not None:
                yield name, trace.snapshots[index]

    def _add_run(self, stages: Sequence[str], lower: _Lower, *, on_wafer: bool) -> _Run:
        trace = record(self.subject.imported.module, lower)
        judge = self._runs[0].judge if self._runs else None
        if judge is None:
            judge = Judge(trace.snapshots[0], self.subject.calls, (Spmd(), FabricCompletion()), self._limit)
        self._runs.append(_Run(trace, judge, on_wafer, {}))
        return self._runs[-1]

    # Comparing

    def _compare(self, run: _Run, index: int) -> Comparison | None:
        """The results of a snapshot with those that it should have; None when it has none."""
        results = run.verdict(index).results
        if results is None:
            return None
        if self._reference is None:
            return self._against_eager(results, on_wafer=run.is_placed(index))
        return compare(results, self._reference, on_wafer=run.is_placed(index))

    def _against_eager(self, results: list[Arrays], *, on_wafer: bool) -> Comparison:
        assert self.subject.eager is not None
        return compare(
            [call[: self.subject.outputs] for call in results], self.subject.eager, on_wafer=on_wafer
        )

    def _stage(self, run: _Run, name: str) -> StageResult:
        index = run.trace.at_stage(name)
        if index is None:
            broken = run.trace.broken
            assert broken is not None, f"no pass establishes '{name}'"
            return StageResult(name, failure=broken.reason)
        verdict = run.verdict(index)
        if verdict.results is None:
            run.known[index] = True if verdict.crash else None
            return StageResult(name, failure=verdict.crash, unjudged=verdict.unjudged)
        own = self._compare(run, index)
        assert own is not None
        run.known[index] = not own.matches
        if self.subject.eager is None:
            return StageResult(name, own)
        shown = self._against_eager(verdict.results, on_wafer=run.is_placed(index))
        return StageResult(name, shown if own.matches or not shown.matches else own)

    # Finding the pass

    def _faults_of(self, run: _Run) -> list[Fault]:
        found = [] if run.on_wafer else self._import_fault(run)
        wrong = self._wrong_numbers(run)
        broken = run.trace.broken
        at = None if broken is None else _responsible(run.trace) if broken.is_contract else broken.at
        if broken is not None and at is not None and (wrong is None or wrong.passes[-1] != at):
            last = len(run.trace.snapshots) - 1
            stages = run.trace.stages_around(last + 1)
            failing = Fault(
                "failure", (at,), stages, Found(last, last + 1, linear=False), run.trace,
                before=self._compare(run, last), reason=broken.reason, on_wafer=run.on_wafer,
            )  # fmt: skip
            return [*found, *([wrong] if wrong else []), failing]
        return [*found, *([wrong] if wrong else [])]

    def _import_fault(self, run: _Run) -> list[Fault]:
        if self.subject.eager is None or self._reference is None:
            return []
        shown = self._against_eager(self._reference, on_wafer=False)
        if shown.matches:
            return []
        own = self._fault_of_ours_in_import()
        found = Found(0, 0, linear=False)
        return [own or Fault("import", (), ("", "imported"), found, run.trace, after=shown)]

    def _fault_of_ours_in_import(self) -> Fault | None:
        """The pass of ours that the import runs, when torch-mlir's IR is right and what that makes of it is not."""
        if self.subject.raw is None:
            return None
        module = self.subject.raw.module(create_context())
        trace = record(module, _lower_tm_tensor)
        if len(trace.snapshots) < 2:
            return None
        judge = Judge(trace.snapshots[0], self.subject.calls, time_limit=self._limit)
        before, after = (
            None if results is None else self._against_eager(results, on_wafer=False)
            for results in (judge.verdict(s).results for s in trace.snapshots[:2])
        )
        if before is None or not before.matches or (after is not None and after.matches):
            return None
        found = Found(0, 1, linear=False)
        passes = (trace.snapshots[1].after,)
        return Fault("numbers", passes, ("", "imported"), found, trace, before=before, after=after)

    def _wrong_numbers(self, run: _Run) -> Fault | None:
        last = len(run.trace.snapshots) - 1
        known = {i: wrong for i, wrong in run.known.items() if wrong is not None}
        if run.trace.broken is not None and True not in known.values():
            known[last] = bool(self._is_bad(run, last))
        found = find_first_bad(last + 1, lambda i: self._is_bad(run, i), known)
        if found is None:
            return None
        verdict = run.verdict(found.first_bad)
        return Fault(
            "crash" if verdict.crash else "numbers",
            tuple(s.after for s in run.trace.snapshots[found.last_good + 1 : found.first_bad + 1]),
            run.trace.stages_around(found.first_bad),
            found,
            run.trace,
            before=self._compare(run, found.last_good),
            after=self._compare(run, found.first_bad),
            reason=verdict.crash,
            on_wafer=run.on_wafer,
        )

    def _is_bad(self, run: _Run, index: int) -> bool | None:
        verdict = run.verdict(index)
        if verdict.unjudged:
            return None
        comparison = self._compare(run, index)
        return comparison is None or not comparison.matches


@dataclass
class _Run:
    """A recorded pipeline, and which of its snapshots are known to be wrong; None for those nobody can judge."""

    trace: Trace
    judge: Judge
    on_wafer: bool
    known: dict[int, bool | None]

    def verdict(self, index: int) -> Verdict:
        return self.judge.verdict(self.trace.snapshots[index])

    def is_placed(self, index: int) -> bool:
        """Whether a snapshot is the wafer's, hence judged as such."""
        tensor = self.trace.at_stage(_LAST_ON_TENSORS)
        return self.on_wafer and tensor is not None and index > tensor


_Lower = Callable[[ir.Module, Instrumentation], Any]


def _lower_for_cpu(subject: Subject) -> _Lower:
    def lower(module: ir.Module, instrumentation: Instrumentation) -> None:
        imported = replace(subject.imported, module=module)
        CpuTarget().lower(imported, {}, Timer(), instrumentation)

    return lower


def _lower_for_wafer(machine: str) -> _Lower:
    """With all that parameters determine left in the call: what the host prepares of them the CPU's stages judge."""
    return lambda module, instrumentation: wafer.lower(module, machine, {}, instrumentation, prepares=False)


def _lower_tm_tensor(module: ir.Module, instrumentation: Instrumentation) -> None:
    run_pipeline(module, "builtin.module(wse-lower-tm-tensor)", instrumentation=instrumentation)


def _is_on_tensors(fault: Fault) -> bool:
    tensor = fault.trace.at_stage(_LAST_ON_TENSORS)
    return tensor is None or fault.found.first_bad <= tensor


def _responsible(trace: Trace) -> PassText:
    """The pass that ran last before a contract was found broken."""
    return trace.snapshots[-1].after
