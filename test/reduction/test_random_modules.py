"""Random modules: what a reduction leaves is valid, interesting, small, and the same every time."""

import re
from itertools import pairwise

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_modules import BINARY, UNARY, modules

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.reduce import Progress, reduce

CONTEXT = create_context()
KINDS = {"func.return", *UNARY, *BINARY, "scf.for", "scf.if", "func.call", "linalg.generic"}
SETTINGS = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)


def parse(text: str) -> tuple[ir.Module, list[ir.Operation]]:
    """A module, which must be valid, and all operations in it: their handles live as long as the module."""
    module = ir.Module.parse(text, CONTEXT)
    assert module.operation.verify()
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        found.append(op)
        return ir.WalkResult.ADVANCE

    module.operation.walk(visit)
    return module, found


def names(text: str) -> list[str]:
    _module, found = parse(text)
    return [op.name for op in found]


def uses(text: str) -> set[tuple[str, str]]:
    """Which elementwise operation uses the result of which."""
    _module, found = parse(text)
    used = [(value, op.name) for op in found if op.name in BINARY for value in op.operands]
    pairs = {(value.owner.name, name) for value, name in used if isinstance(value, ir.OpResult)}
    return {(first, second) for first, second in pairs if first in UNARY}


@SETTINGS
@given(modules(), st.data())
def test_one_operation_is_all_that_stays(text: str, data: st.DataObject) -> None:
    wanted = data.draw(st.sampled_from(sorted(set(names(text)) & KINDS)))
    needed = {"scf.for": 1, "scf.if": 2, "linalg.generic": 1, "func.call": 1}.get(wanted, 0)  # yields, callee
    steps: list[Progress] = []
    result = reduce(
        text, lambda candidate: wanted in names(candidate), context=CONTEXT, observer=steps.append
    )
    assert wanted in names(result.text)
    # A module, a function, its return, and what is wanted.
    assert len(names(result.text)) == result.after.operations <= 4 + needed
    assert result.complete and result.tests == steps[-1].tests
    sizes = [step.size for step in steps]
    assert all(later <= earlier for earlier, later in pairwise(sizes))
    assert sizes[-1] == result.after <= result.before
    assert not re.search(r"<\d\d|<[2-9]", result.text), result.text


@SETTINGS
@given(modules(), st.data())
def test_what_depends_on_each_other_stays_together(text: str, data: st.DataObject) -> None:
    """One operation uses what another one computed: no other value may take its place."""

    def is_interesting(candidate: str) -> bool:
        asked.append(candidate)
        return wanted in uses(candidate)

    asked: list[str] = []
    assume(uses(text))
    wanted = data.draw(st.sampled_from(sorted(uses(text))))
    results = [reduce(text, is_interesting, context=CONTEXT) for _ in range(2)]
    assert results[0] == results[1]
    assert is_interesting(results[0].text)
    assert len(names(results[0].text)) <= 5
    once = asked[: results[0].tests]
    assert once == asked[results[0].tests : -1]
    assert len(set(once)) == len(once)
