"""Hands out tensors in a wanted order: as they are, made anew where that is cheap, viewed, or transposed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ....dialects.host import arith, ir, tensor
from ....dialects.structured import build_generic, inline_body, structured
from ...infra.pass_base import PassRun
from ..bufferization.op_model import is_empty
from ..sizes import sizes_of
from .assignment import LayoutAssignment
from .order import Order, permuted, permuted_map, permuted_type, same_memory


@dataclass
class Conversions:
    """The tensors of one function in the orders that were asked for, each conversion made once.

    Tensors are named by their old values; conversions stand right behind what makes the tensor.
    """

    assignment: LayoutAssignment
    run: PassRun
    _known: dict[tuple[ir.Value, Order], ir.Value] = field(default_factory=dict)

    def define(self, old: ir.Value, new: ir.Value) -> None:
        """Records the tensor that replaces `old`, in the order chosen for it."""
        self._known[(old, self.assignment.order(old))] = new

    def current(self, old: ir.Value) -> ir.Value:
        """The tensor in the order chosen for it."""
        return self._known.get((old, self.assignment.order(old)), old)

    def get(self, old: ir.Value, order: Order) -> ir.Value:
        """The tensor in an order."""
        if (old, order) not in self._known:
            self._known[(old, order)] = self._convert(old, order)
        return self._known[(old, order)]

    def _convert(self, old: ir.Value, order: Order) -> ir.Value:
        current, chosen = self.current(old), self.assignment.order(old)
        if chosen == order:
            return current
        step = tuple(chosen.index(d) for d in order)  # from the chosen order to the wanted one
        with _behind(current), current.location:
            if is_empty(old):
                return _empty(current, step)
            shape = list(ir.ShapedType(current.type).shape)
            if same_memory(shape, tuple(range(len(shape))), step):
                return _view(current, step)
            return _make_again(current, step) or self._transpose(current, step)

    def _transpose(self, value: ir.Value, order: Order) -> ir.Value:
        self.run.count("tensors transposed")
        rank = len(order)
        return build_generic(
            [value],
            [_empty(value, order)],
            [_read_in(order), ir.AffineMap.get_identity(rank)],
            ["parallel"] * rank,
            lambda element, _: [element],
            location=value.location,
        ).results[0]


def _behind(value: ir.Value) -> ir.InsertionPoint:
    """Where a value is known for the first time."""
    owner: Any = value.owner
    return (
        ir.InsertionPoint.at_block_begin(owner)
        if isinstance(owner, ir.Block)
        else ir.InsertionPoint.after(owner)
    )


def _read_in(order: Order) -> ir.AffineMap:
    """The map that reads a tensor by loops which are its dimensions in that order."""
    exprs = [ir.AffineExpr.get_dim(order.index(d)) for d in range(len(order))]
    return ir.AffineMap.get(len(order), 0, exprs)


def _empty(value: ir.Value, order: Order) -> ir.Value:
    """An empty tensor of the shape of `value` with its dimensions brought into the order."""
    shaped = ir.ShapedType(value.type)
    sizes: list[int | ir.Value] = list(shaped.shape)
    if is_empty(value):
        owner: Any = value.owner
        given = iter(owner.operands)
        sizes = [next(given) if shaped.is_dynamic_dim(d) else size for d, size in enumerate(shaped.shape)]
    else:
        sizes = sizes_of(value)
    return tensor.empty(permuted(sizes, order), shaped.element_type)


def _make_again(value: ir.Value, order: Order) -> ir.Value | None:
    """A fill or a broadcast in another order: its operation once more, which costs no more than the first."""
    op: Any = value.owner
    view = structured(op)
    if view is None or not view.is_elementwise() or len(view.inits) != 1 or view.reads(len(view.inputs)):
        return None
    if any(len(m.results) > 1 for m in view.input_maps) or not is_empty(view.inits[0]):
        return None
    if any(o.operation.name == "linalg.index" for o in view.body_operations()):
        return None
    return build_generic(
        view.inputs,
        [_empty(view.inits[0], order)],
        [*view.input_maps, permuted_map(view.init_maps[0], order)],
        view.iterators,
        lambda *scalars: inline_body(view.body, scalars),
        location=op.location,
    ).results[0]


def _view(value: ir.Value, order: Order) -> ir.Value:
    """The same memory under a shape whose dimensions of size one stand elsewhere."""
    shape = list(ir.ShapedType(value.type).shape)
    wanted = permuted(shape, order)
    flat = [size for size in shape if size != 1] or [1]
    sizes = _dynamic_sizes(value, wanted)
    narrow = ir.RankedTensorType.get(flat, ir.ShapedType(value.type).element_type)
    merged = tensor.CollapseShapeOp(narrow, value, _groups(shape)).result
    return tensor.ExpandShapeOp(
        permuted_type(value.type, order), merged, _groups(wanted), sizes, wanted
    ).result


def _dynamic_sizes(value: ir.Value, wanted: list[int]) -> list[ir.Value]:
    shaped = ir.ShapedType(value.type)
    return [
        tensor.dim(value, arith.constant(ir.IndexType.get(), d))
        for d in range(shaped.rank)
        if shaped.is_dynamic_dim(d)
    ]


def _groups(shape: list[int]) -> list[list[int]]:
    """A group of dimensions for each size that is not one; ones go with their predecessor."""
    groups: list[list[int]] = [[]]
    seen = False
    for d, size in enumerate(shape):
        if size != 1 and seen:
            groups.append([])
        seen = seen or size != 1
        groups[-1].append(d)
    return groups
