"""Which elements a mask leaves, as inequalities of indices, and what becomes of the others.

    select(key <= query, score, -inf)

leaves the elements with `query - key >= 0`. All others are -infinity: the maximum of a row does not see them, their
exponentials are zero, and zeros change neither a sum nor a product's result. Rows without any visible element are the
exception: -inf minus their maximum is no number. As long as one hidden element of such a row is computed, it makes the
row's sum what it has to be.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from ....dialects.host import ir
from ....dialects.structured import Structured
from ...tensor.traversal import made_by

Names = Callable[[int], int | None]  # what an iterator is called; None for one of which nothing is said


@dataclass(frozen=True)
class Inequality:
    """`sum of coefficient * loop + constant >= 0`; the terms are sorted by the loops' names."""

    terms: tuple[tuple[int, int], ...]
    constant: int

    def of(self, name: int) -> int:
        """The coefficient of a loop."""
        return dict(self.terms).get(name, 0)


class Hidden(Enum):
    """What a scalar is where the mask hides."""

    LOW = auto()  # -infinity
    ZERO = auto()
    NO = auto()
    YES = auto()
    OLD = auto()  # what the accumulator was
    UNKNOWN = auto()


_COMPARISONS = {
    2: (-1, 0),
    3: (0, 0),
    4: (-1, 1),
    5: (0, 1),
}  # slt, sle, sgt, sge: (constant, which side is larger)
_OPPOSITE = {0: 1, 1: 0, 2: 5, 3: 4, 4: 3, 5: 2}


def implied(value: ir.Value, truth: bool, names: Names) -> tuple[Inequality, ...]:
    """Inequalities of iterators that hold wherever a condition is true (or wherever it is false)."""
    op = made_by(value)
    if op is None:
        return ()
    if op.name == "arith.cmpi":
        return _comparison(op, truth, names)
    if op.name in ("arith.andi", "arith.ori"):
        first, second = (implied(v, truth, names) for v in op.operands)
        if (op.name == "arith.andi") == truth:
            return tuple(dict.fromkeys((*first, *second)))
        return tuple(i for i in first if i in second)
    if op.name == "arith.xori":
        for one, other in (op.operands, tuple(op.operands)[::-1]):
            if _constant(other) == Hidden.YES:
                return implied(one, not truth, names)
    return ()


def _comparison(op: ir.Operation, truth: bool, names: Names) -> tuple[Inequality, ...]:
    predicate = ir.IntegerAttr(op.attributes["predicate"]).value
    predicate = predicate if truth else _OPPOSITE.get(predicate, -1)
    sides = [_linear(v, names) for v in op.operands]
    if sides[0] is None or sides[1] is None:
        return ()
    if predicate == 0:
        return (_difference(sides[0], sides[1], 0), _difference(sides[1], sides[0], 0))
    if predicate not in _COMPARISONS:
        return ()
    constant, larger = _COMPARISONS[predicate]
    # a <= b is b - a >= 0
    first, second = (sides[1], sides[0]) if larger == 0 else (sides[0], sides[1])
    return (_difference(first, second, constant),)


_Linear = tuple[dict[int, int], int]


def _difference(a: _Linear, b: _Linear, constant: int) -> Inequality:
    terms = dict(a[0])
    for name, coefficient in b[0].items():
        terms[name] = terms.get(name, 0) - coefficient
    return Inequality(tuple(sorted((n, c) for n, c in terms.items() if c)), a[1] - b[1] + constant)


def _linear(value: ir.Value, names: Names) -> _Linear | None:
    op = made_by(value)
    if op is None:
        return None
    if op.name == "arith.constant":
        kind = value.type
        number = isinstance(kind, (ir.IntegerType, ir.IndexType))
        return ({}, ir.IntegerAttr(op.attributes["value"]).value) if number else None
    if op.name in ("arith.index_cast", "arith.extsi"):
        return _linear(op.operands[0], names)
    if op.name == "linalg.index":
        name = names(ir.IntegerAttr(op.attributes["dim"]).value)
        return None if name is None else ({name: 1}, 0)
    if op.name not in ("arith.addi", "arith.subi"):
        return None
    sides = [_linear(v, names) for v in op.operands]
    if sides[0] is None or sides[1] is None:
        return None
    sign = 1 if op.name == "arith.addi" else -1
    terms = dict(sides[0][0])
    for name, coefficient in sides[1][0].items():
        terms[name] = terms.get(name, 0) + sign * coefficient
    return terms, sides[0][1] + sign * sides[1][1]


def visible(view: Structured, names: Names) -> tuple[Inequality, ...]:
    """What holds for all elements that a mask in an operation does not make -infinity; nothing if there is none."""
    for op in view.body_operations():
        if op.operation.name != "arith.select":
            continue
        condition, kept, other = op.operands
        for branch, truth in ((other, True), (kept, False)):
            if _constant(branch) == Hidden.LOW and (found := implied(condition, truth, names)):
                return found
    return ()


def hidden_results(
    view: Structured, given: Sequence[Hidden], where: Sequence[Inequality], names: Names
) -> list[Hidden]:
    """What an operation makes of hidden elements, where some of these inequalities do not hold.

    Args:
        given: for each operand what its element is there.
    """
    known: dict[ir.Value, Hidden] = dict(zip(view.body.arguments, given, strict=True))
    for op in view.body_operations():
        if len(op.operation.results) != 1:
            continue
        result = op.operation.results[0]
        known[result] = _evaluate(op.operation, [_value(v, known) for v in op.operands])
        if known[result] == Hidden.UNKNOWN and str(result.type) == "i1":
            known[result] = _truth(result, where, names)
    return [_value(v, known) for v in view.yielded]


def _truth(condition: ir.Value, where: Sequence[Inequality], names: Names) -> Hidden:
    """A condition that can be true only where all of the inequalities hold is false elsewhere."""
    for truth, answer in ((True, Hidden.NO), (False, Hidden.YES)):
        needed = implied(condition, truth, names)
        if all(i in needed for i in where):
            return answer
    return Hidden.UNKNOWN


def _value(value: ir.Value, known: dict[ir.Value, Hidden]) -> Hidden:
    return known[value] if value in known else _constant(value)


def _constant(value: ir.Value) -> Hidden:
    op = made_by(value)
    if op is None or op.name != "arith.constant":
        return Hidden.UNKNOWN
    attribute = op.attributes["value"]
    if isinstance(attribute, ir.FloatAttr):
        number = attribute.value
        return Hidden.ZERO if number == 0 else Hidden.LOW if number == -math.inf else Hidden.UNKNOWN
    if str(value.type) == "i1":
        return Hidden.YES if str(attribute) == "true" else Hidden.NO
    return Hidden.UNKNOWN


def _evaluate(op: ir.Operation, given: list[Hidden]) -> Hidden:
    name = op.name
    if name == "arith.constant":
        return _constant(op.results[0])
    if name == "arith.select":
        condition, kept, other = given
        if condition in (Hidden.YES, Hidden.NO):
            return kept if condition == Hidden.YES else other
        return kept if kept == other else Hidden.UNKNOWN
    if name in ("math.exp", "math.exp2"):
        return Hidden.ZERO if given[0] == Hidden.LOW else Hidden.UNKNOWN
    if name in ("arith.extf", "arith.truncf"):
        return given[0] if given[0] in (Hidden.LOW, Hidden.ZERO) else Hidden.UNKNOWN
    neutral = _NEUTRAL.get(name)
    if neutral in given:
        return given[1 - given.index(neutral)] if given[0] != given[1] else given[0]
    absorbing, both_sides = _ABSORBING.get(name, (None, False))
    if absorbing is not None and absorbing in (given if both_sides else given[:1]):
        return absorbing
    return Hidden.UNKNOWN


# Operands that leave the other one as it is, and such as the result is whatever the other one is.
_NEUTRAL = {
    "arith.addf": Hidden.ZERO,
    "arith.maximumf": Hidden.LOW,
    "arith.maxnumf": Hidden.LOW,
    "arith.ori": Hidden.NO,
    "arith.andi": Hidden.YES,
}
_ABSORBING = {
    "arith.addf": (Hidden.LOW, True),
    "arith.subf": (Hidden.LOW, False),
    "arith.mulf": (Hidden.ZERO, True),
    "arith.divf": (Hidden.ZERO, False),
    "arith.ori": (Hidden.YES, True),
    "arith.andi": (Hidden.NO, True),
}
