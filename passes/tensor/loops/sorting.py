"""Sorts by counting: how many elements go before each one is its place.

The order is total: NaN is greater than anything else, NaNs are equal, and so are zeros. Elements that compare equal
keep their order. Every step is a `linalg.generic`, which all targets take; attributes mark them for
a pass that knows a shorter way to the same, which does not exist yet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....dialects.host import arith, ir, linalg, tensor
from ....dialects.structured import PARALLEL, REDUCTION, build_generic, element_type
from ...infra.diagnostics import PassFailure

# Of the operation that counts: its order. Of those that move elements: the dimension that is sorted.
RANKS, MOVES = "wse.ranks", "wse.moves_along"

_FLOATS_UP = ("olt", "ole", "ult", "ule")
_FLOATS_DOWN = ("ogt", "oge", "ugt", "uge")
_UP, _DOWN, _UNSIGNED = (
    ("slt", "sle", "ult", "ule"),
    ("sgt", "sge", "ugt", "uge"),
    ("ult", "ule", "ugt", "uge"),
)
_Float, _Integer = arith.CmpFPredicate, arith.CmpIPredicate


@dataclass(frozen=True)
class SortOrder:
    """How the elements of lines along a dimension are ordered."""

    along: int
    descending: bool
    unsigned: bool

    def attribute(self) -> ir.ArrayAttr:
        return ir.ArrayAttr.get([_number(int(v)) for v in (self.along, self.descending, self.unsigned)])

    @staticmethod
    def of(op: ir.Operation) -> SortOrder | None:
        """The order of an operation that counts; None for any other."""
        if RANKS not in op.attributes:
            return None
        along, descending, unsigned = (ir.IntegerAttr(v).value for v in ir.ArrayAttr(op.attributes[RANKS]))
        return SortOrder(along, bool(descending), bool(unsigned))

    def before(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Whether `a` has to go before `b`."""
        low, high = (b, a) if self.descending else (a, b)
        if not isinstance(a.type, ir.IntegerType):
            return arith.andi(arith.cmpf(_Float.ULT, low, high), arith.cmpf(_Float.ORD, low, low))
        return arith.cmpi(_Integer.ult if self._is_unsigned(a) else _Integer.slt, low, high)

    def before_or_equal(self, a: ir.Value, b: ir.Value) -> ir.Value:
        """Whether `a` may go before `b`."""
        low, high = (b, a) if self.descending else (a, b)
        if not isinstance(a.type, ir.IntegerType):
            return arith.ori(arith.cmpf(_Float.OLE, low, high), arith.cmpf(_Float.UNO, high, high))
        return arith.cmpi(_Integer.ule if self._is_unsigned(a) else _Integer.sle, low, high)

    def _is_unsigned(self, element: ir.Value) -> bool:
        return self.unsigned or ir.IntegerType(element.type).width == 1  # true is one, not minus one


def lower_sort(op: ir.Operation) -> list[ir.Value]:
    """`tm_tensor.sort`: the results, in the order of its operands."""
    dimension = ir.IntegerAttr(op.attributes["dimension"]).value
    values = list(op.operands)
    ranks = _ranks(op, values, dimension)
    return [_move(ranks, v, _zeros(v, element_type(v.type)), dimension) for v in values]


def lower_topk(op: ir.Operation) -> list[ir.Value]:
    """`tm_tensor.topk`: the best values and where they were."""
    dimension = ir.IntegerAttr(op.attributes["dimension"]).value
    *sources, best_values, best_indices = op.operands
    ranks = _ranks(op, sources[:1], dimension)
    indices = sources[1] if len(sources) > 1 else None
    return [
        _move(ranks, sources[0], best_values, dimension),
        _move(ranks, indices, best_indices, dimension),
    ]


def _ranks(op: ir.Operation, values: Sequence[ir.Value], dimension: int) -> ir.Value:
    """How many elements of a line along `dimension` go before each element, as i32."""
    which, order = _order(op, dimension)
    keys = values[which]
    rank = ir.RankedTensorType(keys.type).rank
    i32 = ir.IntegerType.get_signless(32)
    here = [ir.AffineDimExpr.get(d) for d in range(rank)]
    there = [ir.AffineDimExpr.get(rank if d == dimension else d) for d in range(rank)]
    here_map, there_map = ir.AffineMap.get(rank + 1, 0, here), ir.AffineMap.get(rank + 1, 0, there)

    def count(mine: ir.Value, other: ir.Value, before: ir.Value) -> list[ir.Value]:
        other_is_first = arith.cmpi(
            _Integer.slt, linalg.IndexOp(rank).result, linalg.IndexOp(dimension).result
        )
        goes_before = arith.select(
            other_is_first, order.before_or_equal(other, mine), order.before(other, mine)
        )
        return [arith.addi(before, arith.extui(i32, goes_before))]

    maps = [here_map, there_map, here_map]
    counted = build_generic([keys, keys], [_zeros(keys, i32)], maps, [PARALLEL] * rank + [REDUCTION], count)
    counted.operation.attributes[RANKS] = order.attribute()
    return counted.results[0]


def _move(ranks: ir.Value, value: ir.Value | None, init: ir.Value, dimension: int) -> ir.Value:
    """`result[p] = value[i]` where `ranks[i] == p`, else `init[p]`; without `value` the position `i` itself."""
    order = ir.RankedTensorType(init.type).rank
    element = element_type(init.type)
    there = [ir.AffineDimExpr.get(order if d == dimension else d) for d in range(order)]
    there_map = ir.AffineMap.get(order + 1, 0, there)
    here_map = ir.AffineMap.get(order + 1, 0, [ir.AffineDimExpr.get(d) for d in range(order)])

    def move(*scalars: ir.Value) -> list[ir.Value]:
        position = arith.index_cast(scalars[0].type, linalg.IndexOp(dimension).result)
        index = linalg.IndexOp(order).result
        found = scalars[1] if value is not None else arith.index_cast(element, index)
        is_here = arith.cmpi(arith.CmpIPredicate.eq, scalars[0], position)
        return [arith.select(is_here, found, scalars[-1])]

    inputs = [ranks] if value is None else [ranks, value]
    maps = [there_map] * len(inputs) + [here_map]
    moved = build_generic(inputs, [init], maps, [PARALLEL] * order + [REDUCTION], move)
    moved.operation.attributes[MOVES] = _number(dimension)
    return moved.results[0]


def _order(op: ir.Operation, dimension: int) -> tuple[int, SortOrder]:
    """(which value is compared, the order that a comparison of two of its elements means)."""
    body = op.regions[0].blocks[0]
    *found, terminator = list(body.operations)
    compare: Any = found[-1] if found else None
    arguments = list(body.arguments)
    is_one = len(found) == 1 and compare.operation.name in ("arith.cmpf", "arith.cmpi")
    operands = list(compare.operands) if is_one else []
    if not is_one or terminator.operands[0] != compare.result or not all(v in arguments for v in operands):
        raise PassFailure(
            op, f"'{op.name}' orders by more than one comparison of two elements", hint="sort by a single key"
        )
    left, right = (arguments.index(v) for v in operands)
    predicate = ir.IntegerAttr(compare.operation.attributes["predicate"]).value
    is_float = compare.operation.name == "arith.cmpf"
    name = str((_Float if is_float else _Integer)(predicate))
    up, down = (_FLOATS_UP, _FLOATS_DOWN) if is_float else (_UP, _DOWN)
    if left // 2 != right // 2 or left == right or name not in up + down:
        raise PassFailure(op, f"'{op.name}' orders elements by '{name}'", hint="compare by less or greater")
    unsigned = not is_float and name in _UNSIGNED
    return left // 2, SortOrder(dimension, (name in down) != (left > right), unsigned)


def _number(value: int) -> ir.IntegerAttr:
    return ir.IntegerAttr.get(ir.IntegerType.get_signless(64), value)


def _empty(like: ir.Value, element: ir.Type) -> ir.Value:
    shaped = ir.RankedTensorType(like.type)
    sizes: list[ir.Value | int] = [
        tensor.dim(like, arith.constant(ir.IndexType.get(), d))
        if shaped.is_dynamic_dim(d)
        else shaped.get_dim_size(d)
        for d in range(shaped.rank)
    ]
    return tensor.EmptyOp(sizes, element).result


def _zeros(like: ir.Value, element: ir.Type) -> ir.Value:
    """A tensor of zeros with the shape of `like`."""
    zero = arith.constant(element, 0 if isinstance(element, ir.IntegerType | ir.IndexType) else 0.0)
    return linalg.fill(zero, outs=[_empty(like, element)])
