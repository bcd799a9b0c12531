"""Which values an integer can have: intervals, found by following it back through what computes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....dialects.constants import constant_number
from ....dialects.host import arith, ir
from ....dialects.structured import Structured, structured

_DEEPEST = 48  # steps back, after which nothing is known
_STEPS = 2000  # in all, for one value: what is shared is followed again wherever more is known about it
_INDEX_BITS = 64


@dataclass(frozen=True)
class Range:
    """The integers from `least` to `greatest`, both included; none where `least` is larger."""

    least: int
    greatest: int

    def __le__(self, other: Range) -> bool:
        return self.is_empty or (other.least <= self.least and self.greatest <= other.greatest)

    @property
    def is_empty(self) -> bool:
        return self.least > self.greatest

    def join(self, other: Range) -> Range:
        """The smallest range that holds both."""
        if self.is_empty or other.is_empty:
            return other if self.is_empty else self
        return Range(min(self.least, other.least), max(self.greatest, other.greatest))

    def meet(self, other: Range) -> Range:
        """What both hold."""
        return Range(max(self.least, other.least), min(self.greatest, other.greatest))


NOTHING = Range(1, 0)
_BIT = Range(0, 1)


def values_of(kind: ir.Type) -> Range:
    """All values of an integer type, read as signed (i1 as 0 and 1), or of a tensor's elements."""
    element = ir.ShapedType(kind).element_type if isinstance(kind, ir.ShapedType) else kind
    width = element.width if isinstance(element, ir.IntegerType) else _INDEX_BITS
    return _BIT if width == 1 else Range(-(1 << width - 1), (1 << width - 1) - 1)


def is_integer(kind: ir.Type) -> bool:
    """Whether a scalar type, or that of a tensor's elements, is an integer's."""
    element = ir.ShapedType(kind).element_type if isinstance(kind, ir.ShapedType) else kind
    return isinstance(element, ir.IntegerType | ir.IndexType)


class Ranges:
    """The ranges of a function's values; stays right as long as values are not replaced."""

    def __init__(self) -> None:
        self._known: dict[ir.Value, Range] = {}
        self._steps = 0

    def of(self, value: ir.Value) -> Range:
        """The range of a scalar, or of a tensor's elements."""
        self._steps = _STEPS
        return self._of(value, {}, _DEEPEST)

    def _of(self, value: ir.Value, given: Mapping[ir.Value, Range], depth: int) -> Range:
        """Args: given: what else is known where the value is used."""
        if value in given:
            return given[value]
        if value in self._known:
            return self._known[value]
        self._steps -= 1
        if not is_integer(value.type) or not depth or self._steps < 0:
            return values_of(value.type)
        found = self._computed(value, given, depth - 1).meet(values_of(value.type))
        if not given:
            self._known[value] = found
        return found

    def _computed(self, value: ir.Value, given: Mapping[ir.Value, Range], depth: int) -> Range:
        if isinstance(value.owner, ir.Block):
            return self._argument(ir.BlockArgument(value), depth)
        op = value.owner.operation
        view = structured(op)
        if view is not None:
            return self._result(view, ir.OpResult(value).result_number, depth)
        if op.name == "arith.select":
            return self._selected(op, given, depth)
        if op.name == "arith.constant":
            return _constant(value)
        if op.name == "linalg.index":
            return _loop_range(op)
        if op.name in _PASSED_ON:
            operands = [op.operands[k] for k in _PASSED_ON[op.name] if k < len(op.operands)]
            return _joined(self._of(v, given, depth) for v in operands)
        if op.name in ("tensor.concat", "tensor.from_elements"):
            return _joined(self._of(v, given, depth) for v in op.operands)
        if op.name in ("tm_tensor.topk", "tm_tensor.sort"):
            return self._ordered(op, ir.OpResult(value).result_number, depth)
        if op.name in ("arith.extsi", "arith.extui"):
            return _widened(op, self._of(op.operands[0], given, depth))
        rule = _RULES.get(op.name)
        if rule is None or values_of(value.type) == _BIT:
            return values_of(value.type)
        operands = [self._of(v, given, depth) for v in op.operands]
        if any(r.is_empty for r in operands):
            return NOTHING
        found = rule(*operands)
        return found if found <= values_of(value.type) else values_of(value.type)  # it may wrap around

    def _argument(self, argument: ir.BlockArgument, depth: int) -> Range:
        owner = argument.owner.owner
        view = structured(owner)
        if view is not None and (argument.arg_number < len(view.inputs) or view.is_parallel()):
            return self._of(view.operands[argument.arg_number], {}, depth)
        if owner.operation.name == "scf.for" and argument.arg_number == 0:
            lower, upper = (self._of(owner.operation.operands[k], {}, depth) for k in (0, 1))
            return Range(lower.least, upper.greatest - 1)
        return values_of(argument.type)

    def _result(self, view: Structured, position: int, depth: int) -> Range:
        """Of a `linalg.generic`: what its body yields, until another round adds nothing."""
        accumulators = list(view.body.arguments)[len(view.inputs) :]
        reached = [self._of(v, {}, depth) for v in view.inits]
        for _ in range(3):
            given: dict[ir.Value, Range] = {
                a: r for a, r in zip(accumulators, reached, strict=True) if is_integer(a.type)
            }
            made = [self._of(y, given, depth) for y in view.yielded]
            if view.is_parallel() and not any(view.reads(len(view.inputs) + k) for k in range(len(reached))):
                return made[position]
            if all(m <= r for m, r in zip(made, reached, strict=True)):
                return reached[position]
            reached = [r.join(m) for r, m in zip(reached, made, strict=True)]
        return values_of(view.op.results[position].type)

    def _selected(self, op: ir.Operation, given: Mapping[ir.Value, Range], depth: int) -> Range:
        """Either of two values, each where the condition lets it be taken."""
        condition, taken, otherwise = op.operands
        assumed = (_assume(condition, holds, self, given, depth) for holds in (True, False))
        return _joined(
            NOTHING if more is None else self._of(value, {**given, **more}, depth)
            for value, more in zip((taken, otherwise), assumed, strict=True)
        )

    def _ordered(self, op: ir.Operation, position: int, depth: int) -> Range:
        if op.name == "tm_tensor.sort" or len(op.operands) > 3:
            return self._of(op.operands[position], {}, depth)
        if position == 0:
            return self._of(op.operands[0], {}, depth)
        size = _static_size(op.operands[0], ir.IntegerAttr(op.attributes["dimension"]).value)
        return self._of(op.operands[2], {}, depth).join(_up_to(size))


def _widened(op: ir.Operation, given: Range) -> Range:
    kind = op.operands[0].type
    if values_of(kind) == _BIT:
        return given if op.name == "arith.extui" else Range(-given.greatest, -given.least)
    if op.name == "arith.extsi" or given.least >= 0:
        return given
    return Range(0, (1 << ir.IntegerType(kind).width) - 1)


def _joined(ranges: Iterable[Range]) -> Range:
    found = NOTHING
    for r in ranges:
        found = found.join(r)
    return found


def _constant(value: ir.Value) -> Range:
    number = constant_number(value)
    if isinstance(number, int):
        return Range(number, number)
    owner: Any = value.owner
    elements = owner.attributes["value"] if number is None else None
    if not isinstance(elements, ir.DenseIntElementsAttr):
        return Range(-(1 << 127), 1 << 127)
    numbers = np.array(elements)
    return Range(int(numbers.min()), int(numbers.max())) if numbers.size else NOTHING


def _loop_range(op: ir.Operation) -> Range:
    view = structured(op.parent)
    size = view.loop_sizes()[ir.IntegerAttr(op.attributes["dim"]).value] if view is not None else None
    return _up_to(size)


def _up_to(size: int | None) -> Range:
    return Range(0, (1 << _INDEX_BITS - 1) - 1 if size is None else size - 1)


def _static_size(value: ir.Value, dimension: int) -> int | None:
    shaped = ir.ShapedType(value.type)
    return None if shaped.is_dynamic_dim(dimension) else shaped.get_dim_size(dimension)


def _assume(
    condition: ir.Value, holds: bool, ranges: Ranges, given: Mapping[ir.Value, Range], depth: int
) -> dict[ir.Value, Range] | None:
    """What a condition says about values where it holds or not; None where it never does."""
    if isinstance(condition.owner, ir.Block):
        return {}
    if condition.owner.operation.name in ("arith.andi", "arith.ori"):
        parts = [_assume(c, holds, ranges, given, depth) for c in condition.owner.operation.operands]
        return (_all_of if holds == (condition.owner.operation.name == "arith.andi") else _any_of)(*parts)
    if condition.owner.operation.name != "arith.cmpi":
        return {}
    op = condition.owner.operation
    name = arith.CmpIPredicate(ir.IntegerAttr(op.attributes["predicate"]).value).name
    name = name if holds else _OPPOSITE[name]
    left, right = op.operands
    a, b = ranges._of(left, given, depth), ranges._of(right, given, depth)
    if name not in _BOUNDS or a.is_empty or b.is_empty:
        return {}
    new_a, new_b = _BOUNDS[name](a, b)
    return None if new_a.is_empty or new_b.is_empty else {left: new_a, right: new_b}


_Known = dict[ir.Value, Range] | None


def _all_of(a: _Known, b: _Known) -> _Known:
    if a is None or b is None:
        return None
    return {value: r.meet(b.get(value, r)) for value, r in {**b, **a}.items()}


def _any_of(a: _Known, b: _Known) -> _Known:
    if a is None or b is None:
        return b if a is None else a
    return {value: r.join(b[value]) for value, r in a.items() if value in b}


_OPPOSITE = {
    "eq": "ne", "ne": "eq", "slt": "sge", "sge": "slt", "sle": "sgt", "sgt": "sle",
    "ult": "uge", "uge": "ult", "ule": "ugt", "ugt": "ule",
}  # fmt: skip


def _below(a: Range, b: Range, gap: int) -> tuple[Range, Range]:
    return Range(a.least, min(a.greatest, b.greatest - gap)), Range(max(b.least, a.least + gap), b.greatest)


def _swapped(pair: tuple[Range, Range]) -> tuple[Range, Range]:
    return pair[1], pair[0]


_BOUNDS: dict[str, Callable[[Range, Range], tuple[Range, Range]]] = {
    "slt": lambda a, b: _below(a, b, 1),
    "sle": lambda a, b: _below(a, b, 0),
    "sgt": lambda a, b: _swapped(_below(b, a, 1)),
    "sge": lambda a, b: _swapped(_below(b, a, 0)),
    "eq": lambda a, b: (a.meet(b), a.meet(b)),
}


def _product(a: Range, b: Range) -> Range:
    corners = [x * y for x in (a.least, a.greatest) for y in (b.least, b.greatest)]
    return Range(min(corners), max(corners))


_ANYTHING = Range(-(1 << 127), 1 << 127)


def _remainder(a: Range, b: Range) -> Range:
    if b.least < 1:
        return _ANYTHING
    most = b.greatest - 1
    return Range(max(a.least, -most) if a.least < 0 else 0, min(a.greatest, most) if a.greatest > 0 else 0)


def _unsigned_remainder(a: Range, b: Range) -> Range:
    return _remainder(a, b) if a.least >= 0 else Range(0, b.greatest - 1) if b.least >= 1 else _ANYTHING


def _quotient(round_down: Callable[[int, int], int]) -> Callable[[Range, Range], Range]:
    def divided(a: Range, b: Range) -> Range:
        if b.least < 1:
            return _ANYTHING
        corners = [round_down(x, y) for x in (a.least, a.greatest) for y in (b.least, b.greatest)]
        return Range(min(corners), max(corners))

    return divided


def _truncated(x: int, y: int) -> int:
    return -(-x // y) if x < 0 else x // y


def _shifted_right(a: Range, b: Range) -> Range:
    if not 0 <= b.least <= b.greatest < _INDEX_BITS:
        return _ANYTHING
    corners = [x >> y for x in (a.least, a.greatest) for y in (b.least, b.greatest)]
    return Range(min(corners), max(corners))


def _both_bits(a: Range, b: Range) -> Range:
    bounds = [r.greatest for r in (a, b) if r.least >= 0]
    return Range(0, min(bounds)) if bounds else _ANYTHING


def _unsigned(rule: Callable[[Range, Range], Range]) -> Callable[[Range, Range], Range]:
    return lambda a, b: rule(a, b) if a.least >= 0 and b.least >= 0 else _ANYTHING


def _greater(a: Range, b: Range) -> Range:
    return Range(max(a.least, b.least), max(a.greatest, b.greatest))


def _smaller(a: Range, b: Range) -> Range:
    return Range(min(a.least, b.least), min(a.greatest, b.greatest))


def _kept(a: Range) -> Range:
    return a


def _kept_if_positive(a: Range) -> Range:
    return a if a.least >= 0 else _ANYTHING


_RULES: dict[str, Callable[..., Range]] = {
    "arith.addi": lambda a, b: Range(a.least + b.least, a.greatest + b.greatest),
    "arith.subi": lambda a, b: Range(a.least - b.greatest, a.greatest - b.least),
    "arith.muli": _product,
    "arith.maxsi": _greater,
    "arith.minsi": _smaller,
    "arith.maxui": _unsigned(_greater),
    "arith.minui": lambda a, b: Range(0, b.greatest) if b.least >= 0 else _unsigned(_smaller)(a, b),
    "arith.remsi": _remainder,
    "arith.remui": _unsigned_remainder,
    "arith.divsi": _quotient(_truncated),
    "arith.floordivsi": _quotient(lambda x, y: x // y),
    "arith.ceildivsi": _quotient(lambda x, y: -(-x // y)),
    "arith.divui": _unsigned(_quotient(_truncated)),
    "arith.shrsi": _shifted_right,
    "arith.shrui": _unsigned(_shifted_right),
    "arith.andi": _both_bits,
    "arith.cmpi": lambda a, b: _BIT,
    "arith.cmpf": lambda a, b: _BIT,
    "arith.index_cast": _kept,
    "arith.index_castui": _kept_if_positive,
    "arith.trunci": _kept,
    "tensor.dim": lambda a, b: _up_to(None),
}
# Operations whose elements are those of these operands.
_PASSED_ON: dict[str, tuple[int, ...]] = {
    "tensor.expand_shape": (0,),
    "tensor.collapse_shape": (0,),
    "tensor.reshape": (0,),
    "tensor.cast": (0,),
    "tensor.extract_slice": (0,),
    "tensor.extract": (0,),
    "tensor.insert_slice": (0, 1),
    "tensor.insert": (0, 1),
    "tensor.splat": (0,),
    "linalg.fill": (0,),
    "linalg.transpose": (0,),
    "linalg.broadcast": (0,),
    "linalg.copy": (0,),
    "tensor.empty": (),
}
