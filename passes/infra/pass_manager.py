"""Runs pipelines in which passes written in Python and upstream's C++ passes stand side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from ...dialects.host import ir
from ...dialects.provenance import read_location
from .crashes import about_to
from .diagnostics import CompilerError, PassFailure, Remark
from .ir_printing import IRPrinting
from .pass_base import PassRun
from .pipeline_text import PipelineEntry, PipelineSyntaxError, parse_pipeline
from .plan import ANY, NestedStep, PlannedStep, PythonStep, UpstreamStep, plan_pipeline
from .reproducer import Reproducer, reproducer_from_environment, write_reproducer
from .timing import Timer, TimerNode
from .upstream import check_for_crash, pass_class_name, run_upstream

_OPERATION_NOTE = "see current operation"


class PassObserver(Protocol):
    """Watches the IR around every run of a pass; must leave it as it is.

    A pass on functions runs once for each of them; `wse-check-stage` is a pass like others, so that its run tells that
    a stage is reached.
    """

    def before_pass(self, step: PythonStep | UpstreamStep, root: ir.Operation) -> None:
        """A pass is about to run somewhere inside of `root`, the operation that the whole pipeline runs on."""

    def after_pass(self, step: PythonStep | UpstreamStep, root: ir.Operation) -> None:
        """The pass has run and not failed."""


@dataclass
class Instrumentation:
    """What is watched while a pipeline runs.

    Attributes:
        verify_each: verify the IR after every pass.
        printing: which passes the IR is printed around.
        timer: measures every pass when given.
        report: receives the failures of Python passes and of verification as (location, message), so that a
            diagnostic handler sees them; upstream's own go to the context's handlers by themselves.
        reproducer: where a failing pass leaves its reproducer; None writes none. The environment variable
            `WSE_REPRODUCERS` names a folder for those of the library.
        observers: see the IR before and after every pass.
    """

    verify_each: bool = True
    printing: IRPrinting | None = None
    timer: Timer | None = None
    report: Callable[[ir.Location, str], None] | None = None
    reproducer: Reproducer | None = field(default_factory=reproducer_from_environment)
    observers: Sequence[PassObserver] = ()


@dataclass
class RunResult:
    """What a pipeline's run told about itself.

    Attributes:
        statistics: for each pass, in order of its first run, what it counted.
        remarks: in the order they were made.
        timings: the tree of times; None unless a timer was given.
    """

    statistics: list[tuple[str, Counter[str]]] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    timings: TimerNode | None = None


class PipelineFailure(CompilerError):
    """A pass failed.

    Attributes:
        pass_name: the pass at fault.
        reported: whether a diagnostic handler has been told already.
        reproducer: path of the file that replays the failure, or None.
    """

    def __init__(
        self, pass_name: str, message: str, *, where: str = "", hint: str = "", notes: tuple[str, ...] = ()
    ) -> None:
        super().__init__(f"pass '{pass_name}' failed: {message}", where=where, hint=hint, notes=notes)
        self.pass_name = pass_name
        self.reported = False
        self.reproducer: str | None = None


def run_pipeline(
    module: ir.Module | ir.Operation, pipeline: str, *, instrumentation: Instrumentation | None = None
) -> RunResult:
    """Runs a textual pipeline on a module, in place.

    Args:
        module: the module, or the operation that the pipeline is anchored on.
        pipeline: e.g. `builtin.module(func.func(wse-fuse),canonicalize)`. A Python pass that is declared for
            functions may stand at module level and then runs on each function.
        instrumentation: what to print, measure and check meanwhile.

    Raises:
        PipelineSyntaxError: malformed text, an unknown pass or a wrong option; nothing has run.
        PipelineFailure: a pass failed, or left IR that does not verify; names the pass and the model's line.
    """
    return run_parsed_pipeline(module, parse_pipeline(pipeline), pipeline, instrumentation=instrumentation)


def run_parsed_pipeline(
    module: ir.Module | ir.Operation,
    pipeline: PipelineEntry,
    text: str = "",
    *,
    instrumentation: Instrumentation | None = None,
) -> RunResult:
    """As `run_pipeline`, from a tree; `text` is what messages point into."""
    op = module.operation
    text = text or str(pipeline)
    if pipeline.anchor not in (op.name, ANY):
        message = (
            f"the pipeline is anchored on '{pipeline.anchor}' but the IR's outermost operation is '{op.name}'"
        )
        raise PipelineSyntaxError(text, pipeline.column, message)
    plan = plan_pipeline(pipeline, op.context, text=text)
    return _Runner(op, instrumentation or Instrumentation()).run(plan)


def check_pipeline(pipeline: PipelineEntry, context: ir.Context, text: str = "") -> str:
    """Checks that every pass exists, takes its options and may run where it stands; runs nothing.

    Returns:
        The pipeline with every option of upstream's passes spelt out, as MLIR prints it.

    Raises:
        PipelineSyntaxError: with a caret below the mistake in `text`.
    """
    return plan_pipeline(pipeline, context, text=text).spelt_out


class _Runner:
    def __init__(self, root: ir.Operation, instrumentation: Instrumentation) -> None:
        self.root = root
        self.watch = instrumentation
        self.result = RunResult()
        self._counters: dict[PlannedStep, Counter[str]] = {}
        self._previous = ""
        self._titles: dict[PlannedStep, str] = {}
        self._early: Path | None = None

    def run(self, plan: NestedStep) -> RunResult:
        if self.watch.printing is not None or self.watch.timer is not None:
            self._titles = {step: _title(step) for step in plan.leaves()}
        try:
            with self.root.context:
                for index, step in enumerate(plan.steps):
                    with self._reproducible(plan, index):
                        self._step(step, self.root)
        finally:
            about_to(str)
        if self.watch.timer is not None:
            self.result.timings = self.watch.timer.root
        return self.result

    @contextmanager
    def _reproducible(self, plan: NestedStep, index: int) -> Iterator[None]:
        """Keeps the IR as it is before the step, to be written out if the step fails."""
        policy = self.watch.reproducer
        if policy is None:
            yield
            return
        remaining = str(NestedStep(plan.anchor, plan.steps[index:]))
        before = self.root.clone().operation
        early = self._write_reproducer(policy, before, remaining) if policy.before_each else None
        self._early = early
        try:
            yield
        except PipelineFailure as failure:
            try:
                path = early or self._write_reproducer(policy, before, remaining)
            except CompilerError as error:
                failure.notes = (*failure.notes, error.message)
            else:
                failure.reproducer = str(path)
                failure.notes = (*failure.notes, f"wse-opt --run-reproducer {path} repeats this failure")
            raise
        if early is not None:
            early.unlink()

    def _write_reproducer(self, policy: Reproducer, before: ir.Operation, pipeline: str) -> Path:
        return write_reproducer(policy, before, pipeline, verify_each=self.watch.verify_each)

    def _step(self, step: PlannedStep, op: ir.Operation) -> None:
        if isinstance(step, NestedStep):
            with self._timed(f"'{step.anchor}' Pipeline", step):
                for child in _children(op, step.anchor):
                    for inner in step.steps:
                        self._step(inner, child)
            return
        title = self._titles.get(step, step.name)
        printing = self.watch.printing
        fingerprint = ""
        if printing is not None:
            printing.print_before(step.name, title, op)
            fingerprint = printing.fingerprint(step.name, op)
        for observer in self.watch.observers:
            observer.before_pass(step, self.root)
        try:
            about_to(lambda: f"in {_described(step, op)}", self._repeating)
            with self._timed(title.partition(":")[0], step):
                self._run_pass(step, op)
        except PipelineFailure:
            if printing is not None:
                printing.print_failed(step.name, title, op)
            raise
        for observer in self.watch.observers:
            observer.after_pass(step, self.root)
        if step.name != "wse-check-stage":
            self._previous = step.name
        if printing is not None:
            printing.print_after(step.name, title, op, fingerprint)

    def _repeating(self) -> str:
        return f"wse-opt --run-reproducer {self._early} repeats this" if self._early else ""

    def _timed(self, name: str, step: PlannedStep) -> AbstractContextManager[None]:
        return nullcontext() if self.watch.timer is None else self.watch.timer.scope(name, step)

    def _run_pass(self, step: PythonStep | UpstreamStep, op: ir.Operation) -> None:
        if isinstance(step, PythonStep):
            self._run_python(step, op)
            if self.watch.verify_each:
                self._verify(step, op)
            return
        try:
            check_for_crash(step.upstream, op)
            run_upstream(step.upstream, op, verify=self.watch.verify_each)
        except PassFailure as failure:
            raise self._failure(step, failure.location, failure.message, failure.hint) from None
        except ir.MLIRError as error:
            raise self._native_failure(step, op.location, error, "upstream's pass gave no reason") from None

    def _run_python(self, step: PythonStep, op: ir.Operation) -> None:
        anchor = step.python_pass.anchor
        if anchor not in (None, op.name):  # any(...) has brought it here
            name = type(step.python_pass).__name__
            message = f"'{op.name}' op trying to schedule pass '{name}' on an unsupported operation"
            raise self._failure(step, op.location, message, f"it runs on '{anchor}'")
        run = PassRun(step.name, self._previous)
        location = op.location
        if step not in self._counters:
            self._counters[step] = Counter()
            self.result.statistics.append((step.name, self._counters[step]))
        try:
            with op.location, _errors_as_exceptions(op.context):
                step.python_pass.run(op, run)
        except PassFailure as failure:
            raise self._failure(
                step, failure.location, failure.message, failure.hint, failure.notes
            ) from failure
        except PipelineFailure as failure:
            raise self._failure(step, op.location, failure.message, failure.hint, failure.notes) from failure
        except CompilerError as failure:
            message = f"{failure.where}: {failure.message}" if failure.where else failure.message
            raise self._failure(step, op.location, message, failure.hint, failure.notes) from failure
        except ir.MLIRError as error:
            message = "an operation was built that is not valid"
            raise self._native_failure(step, op.location, error, message) from error
        except SystemExit as error:
            raise self._failure(
                step, op.location, "it ended the process", "a pass fails by PassFailure"
            ) from error
        except Exception as error:
            message = f"internal error: {type(error).__name__}: {error}"
            hint = "this is a defect of the pass, not of the model; --trace or WSE_TRACE=1 shows where"
            raise self._failure(step, op.location, message, hint) from error
        if not _is_alive(op):
            message = "it erased the operation that it runs on"
            raise self._failure(step, location, message, "anchor the pass on the operation around it")
        self._counters[step].update(run.statistics)
        self.result.remarks.extend(run.remarks.items)

    def _verify(self, step: PythonStep, op: ir.Operation) -> None:
        try:
            op.verify()
        except ir.MLIRError as error:
            raise self._native_failure(step, op.location, error, "the IR it left does not verify") from None

    def _native_failure(
        self, step: PlannedStep, at: ir.Location, error: ir.MLIRError, otherwise: str
    ) -> PipelineFailure:
        """A failure whose reasons upstream reported as diagnostics."""
        diagnostics = list(error.error_diagnostics)
        assert not isinstance(step, NestedStep)
        if not diagnostics:
            failure = PipelineFailure(step.name, otherwise, where=_where(at))
            failure.reported = True
            return failure
        first = diagnostics[0]
        notes = tuple(note.message for note in first.notes if not note.message.startswith(_OPERATION_NOTE))
        failure = PipelineFailure(step.name, first.message, where=_where(first.location), notes=notes)
        if self.watch.report is not None:
            for diagnostic in diagnostics:
                self.watch.report(diagnostic.location, diagnostic.message)
            failure.reported = True
        return failure

    def _failure(
        self,
        step: PythonStep | UpstreamStep,
        location: ir.Location,
        message: str,
        hint: str,
        notes: tuple[str, ...] = (),
    ) -> PipelineFailure:
        failure = PipelineFailure(step.name, message, where=_where(location), hint=hint, notes=notes)
        if self.watch.report is not None:
            self.watch.report(location, message)
            failure.reported = True
        return failure


@contextmanager
def _errors_as_exceptions(context: ir.Context) -> Iterator[None]:
    """Errors that a Python pass provokes and catches itself are its own business: no handler sees them."""
    emits = context.emit_error_diagnostics
    context.emit_error_diagnostics = False
    try:
        yield
    finally:
        context.emit_error_diagnostics = emits


def _is_alive(op: ir.Operation) -> bool:
    try:
        return bool(op.name)
    except RuntimeError:
        return False


def _where(location: ir.Location) -> str:
    provenance = read_location(location)
    return str(provenance) if provenance.is_known else ""


def _described(step: PythonStep | UpstreamStep, op: ir.Operation) -> str:
    """A pass and the operation it runs on, for people."""
    symbol = f" @{ir.StringAttr(op.attributes['sym_name']).value}" if "sym_name" in op.attributes else ""
    where = _where(op.location)
    return f"pass '{step.name}' on '{op.name}'{symbol}{f' at {where}' if where else ''}"


def _title(step: PythonStep | UpstreamStep) -> str:
    """What mlir-opt calls a pass in dumps: class name, then the pass with its options."""
    if isinstance(step, PythonStep):
        return f"{type(step.python_pass).__name__}: {step}"
    return f"{pass_class_name(step.name)}: {step.upstream.printed}"


def _children(op: ir.Operation, anchor: str) -> list[ir.Operation]:
    """The operations in the body of `op` that a nested pipeline runs on.

    Their handles stay valid: a pass changes what is inside the operation it runs on, never its siblings.
    """
    inside = (child for region in op.regions for block in region for child in block)
    if anchor == ANY:
        return [child.operation for child in inside if _is_isolated(child)]
    return [child.operation for child in inside if child.operation.name == anchor]


def _is_isolated(op: ir.Operation | ir.OpView) -> bool:
    view = op.opview if isinstance(op, ir.Operation) else op
    return type(view) is not ir.OpView and type(view).has_trait(ir.IsIsolatedFromAboveTrait)
