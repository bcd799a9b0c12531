"""`wse-check-divisions`: integers that may be divided by zero are asserted not to be, and no division traps."""

from __future__ import annotations

from ....dialects.affine.maps import identity_maps
from ....dialects.host import arith, ir, tensor
from ....dialects.structured import PARALLEL, Structured, build_generic, replace_op, structured
from ...infra.pass_base import Pass, PassRun
from ..simplify.wse_generalize import generalize
from ..sizes import sizes_of
from ..traversal import collect
from .division_checks import assert_none_is_zero, assert_not_zero
from .ranges import Range, Ranges, is_integer, values_of
from .recomputed import recomputed, slice_of

_SIGNED_QUOTIENTS = ("arith.divsi", "arith.floordivsi", "arith.ceildivsi")
_QUOTIENTS = (*_SIGNED_QUOTIENTS, "arith.divui", "arith.ceildivui")
_DIVISIONS = (*_QUOTIENTS, "arith.remsi", "arith.remui")


class CheckDivisions(Pass, name="wse-check-divisions", anchor="func.func"):
    """Asserts that no integer is divided by zero, and keeps processors from trapping where it is.

    A divisor that is not proven to differ from zero is asserted to, in front of a `linalg.generic` by one reduction
    over the divisors, as `wse-check-indices` asserts indices; both results of dividing by zero are zero. The lowest
    integer divided by -1, on which processors trap as well, wraps around. Before, for `x // y`:

        %r = linalg.generic ins(%x, %y : tensor<3xi64>, tensor<3xi64>) outs(%e : tensor<3xi64>) {
          %q = arith.divsi %a, %b : i64

    After:

        %d = linalg.generic ins(%y : tensor<3xi64>) outs(%ones : tensor<i64>) { arith.minui }
        %ok = arith.cmpi ne, %least, %c0_i64 : i64
        cf.assert %ok, "an integer is divided by zero" {wse.division_check}
        %r = linalg.generic ins(%x, %y : tensor<3xi64>, tensor<3xi64>) outs(%e : tensor<3xi64>) {
          %q = ...  // of 0 by 1 where %b is 0, of -%a by 1 where it is -1
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        _spell_out(op)
        ranges = Ranges()
        checked: set[ir.Value] = set()
        found = [(d, _hazards(d, ranges)) for d in collect(op, _is_division, in_bodies=True)]
        for division, (by_zero, overflows) in found:
            divisor = division.operands[1]
            if by_zero and divisor not in checked:
                checked.add(divisor)
                run.count("divisors checked", _assert_divisor(division, divisor))
            if by_zero or overflows:
                with ir.InsertionPoint(division), division.location:
                    _make_safe(division, by_zero=by_zero, overflows=overflows)


def _spell_out(root: ir.Operation) -> None:
    """Makes divisions of tensors, and those in the bodies of named operations, divisions in `linalg.generic`."""
    named: dict[ir.Operation, None] = {}
    for division in collect(root, _is_division, in_bodies=True):
        if isinstance(division.results[0].type, ir.RankedTensorType):
            _divide_elements(division)
        elif (parent := division.parent) is not None and parent.name.startswith("linalg."):
            named[parent] = None
    for op in named:
        generalize(op)


def _divide_elements(division: ir.Operation) -> None:
    shaped = ir.RankedTensorType(division.results[0].type)
    with ir.InsertionPoint(division), division.location:
        empty = tensor.empty(sizes_of(division.operands[0]), shaped.element_type)

        def divided(a: ir.Value, b: ir.Value, _: ir.Value) -> list[ir.Value]:
            return [ir.Operation.create(division.name, [shaped.element_type], [a, b]).result]

        maps = identity_maps(shaped.rank, 3)
        generic = build_generic(list(division.operands), [empty], maps, [PARALLEL] * shaped.rank, divided)
    replace_op(division, generic.results)


def _is_division(op: ir.Operation) -> bool:
    return op.name in _DIVISIONS and is_integer(op.results[0].type)


def _hazards(division: ir.Operation, ranges: Ranges) -> tuple[bool, bool]:
    """Whether the divisor can be 0, and whether the lowest number can be divided by -1."""
    if isinstance(division.operands[1].type, ir.ShapedType):
        return False, False  # of vectors, which no model is imported with
    dividend, divisor = (ranges.of(v) for v in division.operands)
    lowest = values_of(division.operands[0].type).least
    signed = division.name in (*_SIGNED_QUOTIENTS, "arith.remsi")
    overflows = signed and Range(-1, -1) <= divisor and Range(lowest, lowest) <= dividend
    return Range(0, 0) <= divisor, overflows


def _assert_divisor(division: ir.Operation, divisor: ir.Value) -> int:
    """Returns how many assertions were made: none where divisors change while the operation runs."""
    view = structured(division.parent)
    if view is None:
        with ir.InsertionPoint(division), division.location:
            assert_not_zero(divisor)
        return 1
    if _reads_results(view, divisor):
        return 0
    with ir.InsertionPoint(view.op), view.op.location:
        if divisor not in view.body.arguments and not slice_of(view, divisor):
            assert_not_zero(divisor)
        else:
            assert_none_is_zero(recomputed(view, divisor), divisor.type)
    return 1


def _reads_results(view: Structured, divisor: ir.Value) -> bool:
    """Whether a divisor depends on what earlier iterations have left."""
    if view.is_parallel():
        return False
    read = {v for op in slice_of(view, divisor) for v in op.operands} | {divisor}
    return any(a in read for a in list(view.body.arguments)[len(view.inputs) :])


def _make_safe(division: ir.Operation, *, by_zero: bool, overflows: bool) -> None:
    """Divides by 1 in place of 0 and -1; the results are those that are meant."""
    dividend, divisor = division.operands
    one, zero = (arith.constant(divisor.type, n) for n in (1, 0))
    is_quotient = division.name in _QUOTIENTS
    if overflows:
        is_minus = arith.cmpi(arith.CmpIPredicate.eq, divisor, arith.constant(divisor.type, -1))
        divisor = arith.select(is_minus, one, divisor)
        if is_quotient:
            dividend = arith.select(is_minus, arith.subi(zero, dividend), dividend)
    if by_zero:
        is_zero = arith.cmpi(arith.CmpIPredicate.eq, division.operands[1], zero)
        divisor = arith.select(is_zero, one, divisor)
        if is_quotient:
            dividend = arith.select(is_zero, zero, dividend)
    division.operands[0], division.operands[1] = dividend, divisor
