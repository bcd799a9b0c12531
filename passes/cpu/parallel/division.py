"""Restricts the loops of a nest to the iterations that belong to one of several parts of their lines."""

from __future__ import annotations

from dataclasses import dataclass

from ....dialects.host import arith, ir
from ..vectorize.contraction.flat_operand import Offset, add, index, multiply
from .shares import Cuts, ParallelLoop, Stretches
from .views import is_below


@dataclass(frozen=True)
class _Measured:
    """A stretch of the line as the code of a chunk sees it.

    Attributes:
        bounds: start, stop and step of the loop before it is restricted.
        trips: how often it ran; step: length of an iteration.
        weight: of an iteration where `inner` is empty.
    """

    loop: ParallelLoop
    bounds: tuple[ir.Value, ir.Value, ir.Value]
    trips: Offset
    step: Offset
    weight: int
    inner: tuple[_Measured, ...]

    @property
    def length(self) -> Offset:
        return multiply(self.trips, self.step)


def divide(cuts: Cuts, part: ir.Value, parts: int) -> None:
    """Leaves each loop the iterations of a part; `part` is known at run time."""
    for cut in cuts:
        _divide(cut.line, part, parts)


def _divide(line: Stretches, part: ir.Value, parts: int) -> None:
    first = line[0].loop.op
    with first.location, ir.InsertionPoint(first):
        measured = _measured(line, first.operation)
        whole = _length(measured)
        start, stop = (_divided(multiply(whole, number), parts) for number in (part, add(part, 1)))
    _restrict(measured, start, stop)


def is_available(value: ir.Value, loop: ir.Operation) -> bool:
    """Whether what the bound of a loop in this one is computed from is known, or can be, before this one begins."""
    maker = value.owner
    if isinstance(maker, ir.Block):
        return maker.owner.operation != loop and not is_below(maker.owner.operation, loop)
    if not is_below(maker.operation, loop):
        return True
    movable = maker.name.startswith("arith.") and not maker.operation.regions
    return movable and all(is_available(operand, loop) for operand in maker.operands)


def _measured(line: Stretches, place: ir.Operation) -> tuple[_Measured, ...]:
    """Computes trip counts at the insertion point, which is before `place`."""
    found = []
    for stretch in line:
        start, stop, width = list(stretch.loop.op.operation.operands)[:3]
        for bound in (start, stop, width):
            _bring_before(bound, place)
        trips = _trips(start, stop, width) if stretch.loop.trips is None else stretch.loop.trips
        inner = _measured(stretch.inner, place)
        step = _length(inner) if inner else stretch.weight
        found.append(_Measured(stretch.loop, (start, stop, width), trips, step, stretch.weight, inner))
    return tuple(found)


def _trips(start: ir.Value, stop: ir.Value, step: ir.Value) -> ir.Value:
    distance = arith.maxsi(arith.subi(stop, start), index(0))
    return arith.divui(arith.addi(distance, arith.subi(step, index(1))), step)


def _bring_before(value: ir.Value, place: ir.Operation) -> None:
    """Moves what computes a bound of an inner loop to before the outermost one, see `is_available`."""
    maker, home = value.owner, place.parent
    if isinstance(maker, ir.Block) or home is None:
        return
    op = maker.operation
    if op.block != place.block and is_below(op, home.operation):
        for operand in op.operands:
            _bring_before(operand, place)
        op.move_before(place)


def _restrict(line: tuple[_Measured, ...], start: Offset, stop: Offset) -> None:
    """Leaves the loops what is between two places on their line; emits before each what its bounds need."""
    offset: Offset = 0
    for stretch in line:
        with stretch.loop.op.location, ir.InsertionPoint(stretch.loop.op):
            begin, end = (_positive(_minus(place, offset)) for place in (start, stop))
            offset = add(offset, stretch.length)
            if not stretch.inner:
                _set_bounds(stretch, _first(stretch, begin), _first(stretch, end))
                continue
        _restrict_outer(stretch, begin, end)


def _first(stretch: _Measured, past: Offset) -> Offset:
    """See `Stretch.first`."""
    weight = stretch.weight
    if weight > 1:
        past = _divided(add(multiply(past, 2), weight - 1), 2 * weight)
    return _least(past, stretch.trips)


def _restrict_outer(stretch: _Measured, start: Offset, stop: Offset) -> None:
    """Leaves the iterations that a part touches, and of the first and the last of them what belongs to it."""
    loop, length = stretch.loop.op, stretch.step
    with loop.location:
        with ir.InsertionPoint(loop):
            some = length if isinstance(length, int) else arith.maxsi(length, index(1))
            end = _divided(_minus(add(stop, some), 1), some)
            _set_bounds(stretch, _least(_divided(start, some), stretch.trips), _least(end, stretch.trips))
        with ir.InsertionPoint.at_block_begin(loop.body):
            begin, _, width = stretch.bounds
            number = arith.divui(arith.subi(loop.induction_variable, begin), width)
            before = multiply(number, length)
            start, stop = _minus(start, before), _minus(stop, before)
    _restrict(stretch.inner, start, stop)


def _set_bounds(stretch: _Measured, first: Offset, end: Offset) -> None:
    start, stop, step = stretch.bounds
    operands = stretch.loop.op.operation.operands
    operands[0] = arith.addi(start, index(multiply(first, step)))
    operands[1] = arith.minsi(stop, arith.addi(start, index(multiply(end, step))))


def _length(line: tuple[_Measured, ...]) -> Offset:
    found: Offset = 0
    for stretch in line:
        found = add(found, stretch.length)
    return found


def _divided(value: Offset, divisor: Offset) -> Offset:
    return value if isinstance(divisor, int) and divisor == 1 else arith.divui(index(value), index(divisor))


def _minus(left: Offset, right: Offset) -> Offset:
    return left if isinstance(right, int) and right == 0 else arith.subi(index(left), index(right))


def _positive(value: Offset) -> Offset:
    return arith.maxsi(index(value), index(0))


def _least(left: Offset, right: Offset) -> Offset:
    return arith.minui(index(left), index(right))
