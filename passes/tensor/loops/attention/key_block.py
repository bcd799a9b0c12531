"""Values for some of the keys: computed again for a block of them, or cut out of what was computed for all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

from .....dialects.affine.expressions import dim_position
from .....dialects.affine.maps import results_along
from .....dialects.host import ir, tensor
from .....dialects.reshapes import reassociation
from .....dialects.structured import Structured, rebuild_generic, structured
from ..tiling.tiles import Slice, shift_indices, take_slice
from .attention import Attention, is_cut_along

_RESHAPES = ("tensor.expand_shape", "tensor.collapse_shape")


def block_operations(found: Attention) -> set[ir.Operation]:
    """What is computed for each block by itself: scores and masks, as far as nobody else wants them for all keys.

    What has more elements than all it is computed from (a mask of positions) is computed again, whoever wants it.
    """
    block = list(found.peak.op.operation.block.operations)
    chosen = {found.peak.op.operation, found.powers.op.operation}
    wanted = dict[ir.Value, int]()
    _want(found.peak, found.peak_key, wanted)
    _want(found.powers, found.powers_key, wanted)
    for op in reversed(block[: block.index(found.powers.op)]):
        made = next((v for v in op.operation.results if v in wanted), None)
        if made is None:
            continue
        everywhere = all(use.owner.operation in chosen for use in made.uses)
        if _follow(op, wanted[made], wanted, everywhere=everywhere):
            chosen.add(op.operation)
    return chosen


def _follow(op: Any, dim: int, wanted: dict[ir.Value, int], *, everywhere: bool) -> bool:
    """Whether an operation is computed for each block; its operands are wanted for blocks then."""
    if op.operation.name in _RESHAPES:
        source = _source_dim(op, dim)
        if source is not None:
            wanted.setdefault(op.operands[0], source)
        return source is not None
    view = structured(op)
    iterator = dim_position(view.init_maps[0].results[dim]) if view is not None else None
    if view is None or iterator is None or len(view.inits) != 1 or not is_cut_along(view, iterator):
        return False
    if not (everywhere or (view.is_parallel() and _grows(view))):
        return False
    _want(view, iterator, wanted, inputs=view.is_parallel())
    return True


def _want(view: Structured, iterator: int, wanted: dict[ir.Value, int], *, inputs: bool = True) -> None:
    """Notes which operands have keys. Those that products read are cut: keys' and values' own."""
    for k, (value, access) in enumerate(zip(view.operands, view.maps, strict=True)):
        along = results_along(access, iterator)
        if along and (inputs or k >= len(view.inputs)):
            wanted.setdefault(value, along[0])


def _grows(view: Structured) -> bool:
    tensors = [ir.RankedTensorType(v.type) for v in view.inputs if isinstance(v.type, ir.RankedTensorType)]
    made = prod(ir.RankedTensorType(view.inits[0].type).shape)
    return sum(prod(kind.shape) for kind in tensors) < made


def _source_dim(op: Any, dim: int) -> int | None:
    """The dimension of a reshape's operand that one of its result is; None where it is merged or split."""
    groups = reassociation(op)
    number = (
        next(n for n, group in enumerate(groups) if dim in group)
        if op.operation.name == _RESHAPES[0]
        else dim
    )
    if len(groups[number]) != 1:
        return None
    return number if op.operation.name == _RESHAPES[0] else groups[number][0]


@dataclass
class KeyBlock:
    """The keys `start`, `start + stride`, ...: what values are for them, at the insertion point of the moment.

    Attributes:
        chosen: operations that are computed again for the block.
        size: number of its keys.
    """

    chosen: set[ir.Operation]
    start: ir.Value
    stride: int
    size: int
    _made: dict[tuple[ir.Value, int], ir.Value] = field(default_factory=dict)

    def of(self, value: ir.Value, dim: int) -> ir.Value:
        """A value whose dimension `dim` are keys, for those of the block."""
        if (value, dim) not in self._made:
            self._made[value, dim] = self._make(value, dim)
        return self._made[value, dim]

    def _make(self, value: ir.Value, dim: int) -> ir.Value:
        kind, owner = ir.RankedTensorType(value.type), value.owner
        shape = [self.size if d == dim else size for d, size in enumerate(kind.shape)]
        if isinstance(owner, ir.Block):
            return self._cut(value, dim, shape)
        op: Any = owner.operation
        if op.name == "tensor.empty":
            return tensor.empty(shape, kind.element_type)
        if op not in self.chosen:
            return self._cut(value, dim, shape)
        if op.name in _RESHAPES:
            source = _source_dim(op, dim)
            assert source is not None, "only such reshapes are chosen"
            return reshape(self.of(op.operands[0], source), reassociation(op), shape)
        view = structured(op)
        assert view is not None, "what else is chosen are structured operations"
        iterator = dim_position(view.init_maps[0].results[dim])
        assert iterator is not None, "its keys are an iterator"
        return self.clone(view, iterator, {})

    def _cut(self, value: ir.Value, dim: int, shape: list[int]) -> ir.Value:
        offsets = tuple(self.start if d == dim else 0 for d in range(len(shape)))
        steps = tuple(self.stride if d == dim else 1 for d in range(len(shape)))
        return take_slice(value, Slice(offsets, tuple(shape), steps))

    def clone(self, view: Structured, iterator: int, given: Mapping[int, ir.Value]) -> ir.Value:
        """The result of an operation whose loop `iterator` runs over the block's keys alone.

        Args:
            given: operands by position that are something else.
        """
        operands = []
        for k, (value, access) in enumerate(zip(view.operands, view.maps, strict=True)):
            along = results_along(access, iterator) if isinstance(value.type, ir.RankedTensorType) else []
            own = self.of(value, along[0]) if along and k not in given else value
            operands.append(given.get(k, own))
        count = len(view.inputs)
        made = rebuild_generic(view, operands[:count], operands[count:])
        starts = [self.start if d == iterator else 0 for d in range(len(view.iterators))]
        steps = [self.stride if d == iterator else 1 for d in range(len(view.iterators))]
        shift_indices(made.regions[0].blocks[0], starts, steps)
        return made.results[0]


def reshape(value: ir.Value, groups: list[list[int]], shape: list[int]) -> ir.Value:
    """A tensor with dimensions merged or split; `groups` has the dimensions of the side that has more of them."""
    source = ir.RankedTensorType(value.type)
    kind = ir.RankedTensorType.get(shape, source.element_type)
    if len(shape) < source.rank:
        return tensor.CollapseShapeOp(kind, value, groups).result
    return tensor.ExpandShapeOp(kind, value, groups, [], shape).result
