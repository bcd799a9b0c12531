"""Chooses an order for every tensor: convolutions say what they want, everything between them follows."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from ....dialects.affine.expressions import dim_position
from ....dialects.affine.maps import has_plain_results
from ....dialects.host import arith, ir, tensor
from ....dialects.reshapes import reassociation
from ....dialects.structured import Structured, structured
from ..bufferization.op_model import is_empty
from ..traversal import collect
from .convolution import Convolution, pointwise, windowed
from .order import Order, collapsed_order, expanded_order, identity, loops_by_order, order_by_loops

# Operations whose tensor operands and result have the same dimensions.
SAME_DIMENSIONS = (tensor.PadOp, tensor.ExtractSliceOp, tensor.InsertSliceOp, tensor.ConcatOp, tensor.CastOp)
RESHAPES = (tensor.ExpandShapeOp, tensor.CollapseShapeOp)

_SHORT_ROW = 32  # positions that fill vectors badly
# Products for each element of a function's images and results, with which transposing these is made up for.
_PRODUCTS_OF_SHORT_ROWS = 16
_PRODUCTS_OF_LONG_ROWS = 64


@dataclass
class LayoutAssignment:
    """The orders chosen in one function; tensors that are not mentioned stay as they are.

    Attributes:
        function: the `func.func`.
        orders: the order of a tensor's dimensions in memory.
        wanted: orders in which an operation wants to read an operand, whatever its producer's.
        convolutions: the operations that the choice started from, by their results.
    """

    function: ir.Operation
    orders: dict[ir.Value, Order] = field(default_factory=dict)
    wanted: dict[tuple[ir.Value, int], Order] = field(default_factory=dict)
    convolutions: dict[ir.Value, Convolution] = field(default_factory=dict)
    _queue: deque[ir.Value] = field(default_factory=deque)

    def __post_init__(self) -> None:
        generics = collect(self.function, lambda op: op.name == "linalg.generic" and len(op.results) > 0)
        views = [view for op in generics if (view := structured(op)) is not None]
        windows = [seed for view in views if (seed := windowed(view)) is not None]
        weights = _Weights(self.function)
        points = [c for v in views if windowed(v) is None and (c := pointwise(v, weights)) is not None]
        if not windows and not self._is_worth(points, weights):
            return
        seeds = windows + points
        self.convolutions = {seed.view.op.results[0]: seed for seed in seeds}
        for seed in seeds:
            self._start(seed)
        while self._queue:
            self._spread(self._queue.popleft())

    def order(self, value: ir.Value) -> Order:
        """The order of a ranked tensor's dimensions in memory."""
        return self.orders.get(value) or identity(ir.ShapedType(value.type).rank)

    def _is_worth(self, points: Sequence[Convolution], weights: _Weights) -> bool:
        """Whether convolutions with windows of one, where there are no others, are faster with channels innermost.

        Otherwise positions fill vectors: as they lie, which short rows do badly and strided ones not at all. With
        channels innermost the function's images and results have to be transposed.
        """
        images = [point for point in points if point.is_of_images()]
        moved = [v for v in self.function.regions[0].blocks[0].arguments if not weights(v)]
        moved += list(self.function.regions[0].blocks[0].operations)[-1].operands
        elements = sum(_elements(v) for v in moved if isinstance(v.type, ir.RankedTensorType))
        products = sum(prod(size or 1 for size in point.view.loop_sizes()) for point in images)
        short = any((point.row_length() or _SHORT_ROW) < _SHORT_ROW for point in images)
        enough = _PRODUCTS_OF_SHORT_ROWS if short else _PRODUCTS_OF_LONG_ROWS
        return any(point.is_strided() for point in images) or (bool(images) and products >= enough * elements)

    def _start(self, seed: Convolution) -> None:
        result = seed.view.op.results[0]
        self._set(result, seed.result_order())
        if seed.is_channelwise() or seed.reads_channels_often():
            self._set(seed.view.inputs[seed.image], seed.image_order())
            self.wanted[(result, seed.image)] = seed.image_order()
        if seed.is_channelwise():
            weights = seed.filter_order()
            if weights is not None and seed.filter is not None:
                self.wanted[(result, seed.filter)] = weights

    def _set(self, value: ir.Value, order: Order) -> None:
        if value in self.orders or not _is_movable(value) or len(order) < 2 or not _can_expand(value, order):
            return
        self.orders[value] = order
        self._queue.append(value)

    def operand_order(self, view: Structured, number: int) -> Order:
        """The order in which an operation reads an input or writes a result; empty for a scalar."""
        count = len(view.inputs)
        value = view.inputs[number] if number < count else view.op.results[number - count]
        if not isinstance(value.type, ir.RankedTensorType):
            return ()
        return self.wanted.get((view.op.results[0], number)) or self.order(value)

    # -- from a tensor to its neighbours

    def _spread(self, value: ir.Value) -> None:
        self._spread_at(value.owner, value)
        for use in value.uses:
            self._spread_at(use.owner, value)

    def _spread_at(self, op: Any, value: ir.Value) -> None:
        op = op.opview if isinstance(op, ir.Operation) else op
        view = structured(op)
        if view is not None:
            self._spread_in_generic(view, value)
        elif isinstance(op, RESHAPES):
            self._spread_past_reshape(op, value)
        elif isinstance(op, SAME_DIMENSIONS):
            order = self.orders[value]
            for other in (*op.operands, *op.results):
                if isinstance(other.type, ir.RankedTensorType) and other.type.rank == len(order):
                    self._set(other, order)

    def _spread_in_generic(self, view: Structured, value: ir.Value) -> None:
        order = self.orders[value]
        for init, result in zip(view.inits, view.op.results, strict=False):
            if value in (init, result):  # written in place: the same order
                self._set(init, order)
                self._set(result, order)
        operands = (*view.operands, *view.op.results)
        accesses = (*view.maps, *view.init_maps)
        for operand, access in zip(operands, accesses, strict=False):
            if operand != value or not _covers_all_loops(view, access):
                continue
            loops = loops_by_order(access, order)
            for other, other_access in zip(operands, accesses, strict=False):
                if isinstance(other.type, ir.RankedTensorType):
                    self._set(other, order_by_loops(other_access, loops))
            return

    def _spread_past_reshape(self, op: Any, value: ir.Value) -> None:
        groups = reassociation(op)
        narrow, wide = (op.src, op.result) if isinstance(op, tensor.ExpandShapeOp) else (op.result, op.src)
        if value == narrow:
            self._set(wide, expanded_order(self.orders[value], groups))
        elif (order := collapsed_order(self.orders[value], groups)) is not None:
            self._set(narrow, order)


def _is_movable(value: ir.Value) -> bool:
    """Whether a tensor is made by an operation that can make it in any order."""
    if isinstance(value.owner, ir.Block) or not isinstance(value.type, ir.RankedTensorType):
        return False
    op: Any = value.owner.opview if isinstance(value.owner, ir.Operation) else value.owner
    if isinstance(op, tensor.ExtractSliceOp):
        return op.source.type.rank == value.type.rank
    if isinstance(op, tensor.InsertSliceOp):
        return op.source.type.rank == value.type.rank
    if isinstance(op, tensor.CastOp):
        return isinstance(op.source.type, ir.RankedTensorType)
    return isinstance(op, SAME_DIMENSIONS + RESHAPES) or op.operation.name == "linalg.generic"


def _can_expand(value: ir.Value, order: Order) -> bool:
    """Whether a tensor can be made in an order: dimensions that were one lie together, if it was expanded."""
    op: Any = value.owner.opview if isinstance(value.owner, ir.Operation) else value.owner
    return not isinstance(op, tensor.ExpandShapeOp) or collapsed_order(order, reassociation(op)) is not None


def _covers_all_loops(view: Structured, access: ir.AffineMap) -> bool:
    """Whether an operand has a dimension for each loop of more than one iteration, and nothing compound."""
    positions = {dim_position(e) for e in access.results}
    sizes = view.loop_sizes()
    return has_plain_results(access) and all(
        loop in positions or size == 1 for loop, size in enumerate(sizes)
    )


def _elements(value: ir.Value) -> int:
    kind = ir.RankedTensorType(value.type)
    return prod(1 if kind.is_dynamic_dim(d) else kind.get_dim_size(d) for d in range(kind.rank))


class _Weights:
    """Tells tensors that depend on parameters and constants only.

    A function that marks none of its arguments as parameters may get weights in any of them (`torch.compile` does
    that): there, arguments as they come count as weights.
    """

    def __init__(self, function: ir.Operation) -> None:
        arguments = function.regions[0].blocks[0].arguments
        kinds = ir.ArrayAttr(function.attributes["arg_attrs"]) if "arg_attrs" in function.attributes else ()
        marked = [_kind(named) == "parameter" for named in kinds]
        self._through = (*RESHAPES, tensor.CastOp) if not any(marked) else None
        marks = marked if any(marked) else [True] * len(arguments)
        self._known: dict[ir.Value, bool] = dict(zip(arguments, marks, strict=True))

    def __call__(self, value: ir.Value) -> bool:
        if value not in self._known:
            self._known[value] = self._computed(value)
        return self._known[value]

    def _computed(self, value: ir.Value) -> bool:
        if isinstance(value.owner, ir.Block):
            return False
        op: Any = value.owner.opview if isinstance(value.owner, ir.Operation) else value.owner
        if isinstance(op, arith.ConstantOp):
            return True
        if self._through is not None and not isinstance(op, self._through):
            return False
        operands = [v for v in op.operands if isinstance(v.type, ir.RankedTensorType) and not is_empty(v)]
        return bool(operands) and all(self(v) for v in operands)


def _kind(named: ir.Attribute) -> str:
    attributes = ir.DictAttr(named)
    return ir.StringAttr(attributes["wse.kind"]).value if "wse.kind" in attributes else ""
