"""Whether a program shows a fault of the last passes of a pipeline."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..dialects.context import create_context
from ..dialects.host import arith, ir, linalg
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.pass_manager import Instrumentation, run_pipeline
from .calls import Arrays, Calls, Comparison, compare
from .completion import ArraySignature, main_signature
from .fabric import FabricCompletion
from .isolation import TIME_LIMIT, Failure, SendResult, isolated
from .judge import complete_module
from .spmd import Spmd
from .trace import PassText, pipeline_of

_VERIFYING = Instrumentation(verify_each=True, reproducer=None)
_CHECK = "wse-check-stage"
_UNWRITTEN = (2, -7)  # what empty tensors are made of: what reads none of it has the same results with both


@dataclass(frozen=True)
class Evidence:
    """What passes do to a program.

    Attributes:
        before / after: results without the suspected passes and with them, compared with those of the program
            itself as upstream's passes complete it; None where there are none.
        failure: the failure of a pass; crash: how a pass or the code that it made crashed.
        passed: whether all passes came to their end.
        unjudged: why there is nothing to compare.
    """

    before: Comparison | None = None
    after: Comparison | None = None
    failure: Failure | None = None
    crash: str = ""
    passed: bool = False
    unjudged: str = ""

    @property
    def is_wrong(self) -> bool:
        """Whether anything at all is wrong."""
        differs = self.after is not None and not self.after.matches
        return differs or self.failure is not None or bool(self.crash)


@dataclass(frozen=True)
class Suspicion:
    """Passes in a row, of which the last ones are suspected.

    Attributes:
        passes: of a pipeline that begins with a program on tensors.
        suspects: how many of them, from the last one on, are suspected.
        message: how a pass fails or crashes; another message is another fault.
    """

    passes: tuple[PassText, ...]
    suspects: int = 1
    message: str = ""

    @property
    def pipeline(self) -> str:
        """All of the passes."""
        return pipeline_of(self.passes)

    @property
    def on_wafer(self) -> bool:
        """Whether results are judged as a wafer's."""
        return any(p.name == "wse-partition" for p in self.passes)

    @property
    def _split(self) -> tuple[Sequence[PassText], Sequence[PassText]]:
        first = len(self.passes) - self.suspects
        return self.passes[:first], self.passes[first:]

    def is_shown(self, kind: str, evidence: Evidence) -> bool:
        """Whether the evidence is of a fault of that kind ("numbers", "crash", "failure") of the suspected passes."""
        if kind == "failure":
            names = (*(p.name for p in self._split[1]), _CHECK)
            failed = evidence.failure is not None and evidence.failure.pass_name in names
            message = evidence.failure.message if failed and evidence.failure else evidence.crash
            return not evidence.passed and _pattern(message) == _pattern(self.message)
        if evidence.before is None or not evidence.before.matches:
            return False
        if kind == "crash":
            return bool(evidence.crash) and evidence.passed
        return evidence.after is not None and not evidence.after.matches

    def evidence(
        self, text: str, calls: Calls, *, run_code: bool = True, time_limit: float = TIME_LIMIT
    ) -> Evidence:
        """Runs the passes on a program, and the program before and after those that are suspected.

        Args:
            run_code: whether to run the program; without, only passes that fail or crash are seen.
        """

        def work(send: SendResult) -> None:
            module = ir.Module.parse(text, create_context())
            signature = main_signature(module)

            def results(stage: ir.Module, *, event: str = "") -> list[Arrays]:
                function = complete_module(stage, signature, calls, (Spmd(), FabricCompletion()))
                if event:
                    send((event, None))
                return calls.run(function)

            innocent, suspected = self._split
            if run_code:
                send(("original", _defined_results(module, signature, calls)))
            if innocent:
                run_pipeline(module, pipeline_of(innocent), instrumentation=_VERIFYING)
                if run_code:
                    send(("before", results(_copy(module))))
            run_pipeline(module, pipeline_of(suspected), instrumentation=_VERIFYING)
            send(("passed", None))
            if run_code:
                send(("after", results(module, event="completed")))

        outcome = isolated(work, time_limit)
        sent = dict(outcome.sent)
        if run_code and "original" not in sent:
            reason = outcome.crash or str(outcome.failure)
            passes_alone = self.evidence(text, calls, run_code=False, time_limit=time_limit)
            return replace(passes_alone, unjudged=f"the program itself: {reason}")
        return self._evidence(sent, outcome.failure, outcome.crash)

    def _evidence(self, sent: dict[str, Any], failure: Failure | None, crash: str) -> Evidence:
        passed = "passed" in sent
        original = sent.get("original")
        before = sent.get("before") if self._split[0] else original
        compared = None if before is None else self._compare(before, original)
        if "after" in sent:
            return Evidence(compared, self._compare(sent["after"], original), passed=True)
        reason = crash or (str(failure) if failure else "")
        if "completed" in sent:
            return Evidence(compared, crash=reason, passed=True)
        if passed or (failure is not None and not failure.pass_name):
            return Evidence(compared, passed=passed, unjudged=reason)
        return Evidence(compared, failure=failure, crash=crash)

    def _compare(self, results: list[Arrays], original: Any) -> Comparison:
        return compare(results, original, on_wafer=self.on_wafer)


def _pattern(message: str) -> str:
    """A message without what is different from program to program: names, numbers, types."""
    return re.sub(r"'[^']*'|[%#@]\w+|\d+|\(.*|from .*", "", message.partition("\n")[0])


def _defined_results(module: ir.Module, signature: ArraySignature, calls: Calls) -> list[Arrays]:
    """What upstream's passes compute of a program on tensors.

    Raises:
        CompilerError: the results depend on tensors that nobody wrote. An access outside of a buffer ends the process.
    """
    found = []
    for number in _UNWRITTEN:
        made = _copy(module)
        _fill_empty_tensors(made, number)
        found.append(calls.run(complete_module(made, signature, calls, checked=True)))
    first, second = ([a.tobytes() for call in results for a in call] for results in found)
    if first != second:
        raise CompilerError("the program reads what it never wrote")
    return found[0]


def _fill_empty_tensors(module: ir.Module, number: int) -> None:
    """Makes empty tensors of one number; left to themselves, they share memory with each other and with results."""
    empty: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        empty.extend([op] if op.name == "tensor.empty" else [])
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    for op in empty:
        uses = [(use.owner.operation, use.operand_number) for use in op.results[0].uses]
        with op.location, ir.InsertionPoint.after(op):
            filled = linalg.fill(_scalar(op.results[0].type, number), outs=[op.results[0]])
        for user, position in uses:
            user.operands[position] = filled


def _scalar(kind: ir.Type, number: int) -> ir.Value:
    """A constant of a tensor's element type; a boolean tells whether the number is odd."""
    element = ir.RankedTensorType(kind).element_type
    if isinstance(element, ir.IntegerType) and element.width == 1:
        return arith.constant(element, number % 2)
    return arith.constant(
        element, number if isinstance(element, ir.IntegerType | ir.IndexType) else float(number)
    )


def _copy(module: ir.Module) -> ir.Module:
    text: Any = module.operation.get_asm(enable_debug_info=True)
    return ir.Module.parse(text, module.context)
