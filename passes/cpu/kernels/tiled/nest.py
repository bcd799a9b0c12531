"""The loops around a group, with its members on tiles inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any

from .....dialects.affine.expressions import dim_position
from .....dialects.host import arith, ir, memref, scf
from ....tensor.bufferization.arena import element_bytes
from ....tensor.loops.tiling.index_math import dim_size
from ...parallel.marks import mark_parallel
from ..buffers import Root, root_of
from .group import Group, SharedLoop
from .key_blocks import KeyBlocks, emit_key_blocks
from .tiles import SmallBuffer, TileRange, emit_member

_STACK_BYTES = 64 << 10  # larger buffers do not go on the stack


@dataclass
class GroupNest:
    """Rebuilds a group as loops over tiles.

    Attributes:
        tiles: the loops that are made, outermost first, each with its step.
        nest: the number that marks parallel loops; cost: an estimate for all of the group.
        shared_memory: whether several threads run parts of the outermost loop, so that what does not fit a
            stack must have its own place for each iteration.
        keys: blocks that members run on inside of the tiles.
    """

    group: Group
    tiles: Sequence[tuple[SharedLoop, int]]
    nest: int
    cost: int
    shared_memory: bool
    keys: KeyBlocks | None = None
    _small: dict[ir.Value, SmallBuffer] = field(default_factory=dict)
    _private: bool = True

    def build(self) -> None:
        """Replaces the members; they stand in one block, the last one stays after all that they use."""
        last = self.group.members[-1].op
        block = last.operation.block
        with last.location:
            with ir.InsertionPoint.at_block_begin(block):
                self._make_small_buffers()
            with ir.InsertionPoint(last):
                self._emit(list(range(len(self.group.members))), 0, {})
        for view in self.group.members:
            view.op.operation.erase()
        for free in self.group.frees:
            if free.operands[0] in self._small:
                free.erase()
            else:
                free.move_before(list(block.operations)[-1].operation)
        for buffer in self._small:
            ir.OpResult(buffer).owner.operation.erase()

    # -- loops ------------------------------------------------------------------------------------------------

    def _emit(self, members: Sequence[int], level: int, parts: Mapping[int, dict[int, TileRange]]) -> None:
        """Emits members inside the loops made so far; `parts` are those of each member's iterators."""
        if level == len(self.tiles):
            if self.keys is not None and any(m in self.keys.iterators for m in members):
                emit_key_blocks(self.group, self.keys, members, parts, self._member)
                return
            for m in members:
                self._member(m, parts.get(m, {}))
            return
        loop, step = self.tiles[level]
        before, inside, after = split_members(self.group, members, loop)
        self._emit(before, len(self.tiles), parts)
        for start, stop, tile, covered in self._segments(loop, step):

            def body(index: ir.Value, tile: int = tile) -> None:
                here = {m: {**parts.get(m, {}), loop.iterators[m]: TileRange(index, tile)} for m in inside}
                self._emit(inside, level + 1, here)

            share = 1.0 if loop.size is None else covered / loop.size
            self._loop(start, stop, tile, body, level, round(self.cost * share))
        self._emit(after, len(self.tiles), parts)

    def _member(self, m: int, parts: Mapping[int, TileRange]) -> None:
        emit_member(self.group.members[m], parts, self._small)

    def _segments(self, loop: SharedLoop, step: int) -> list[tuple[ir.Value, ir.Value, int, int]]:
        """(start, stop, step, points) of whole tiles and of the rest, which is one tile where its size is known; else
        points are not."""
        if loop.size is not None:
            whole = loop.size // step * step
            parts = [(0, whole, step)] if whole else []
            if whole < loop.size:
                parts.append((whole, loop.size, loop.size - whole))
            return [(_constant(a), _constant(b), tile, b - a) for a, b, tile in parts]
        size = self._open_size(loop)
        if step == 1:
            return [(_constant(0), size, 1, 0)]
        whole = arith.subi(size, arith.remui(size, _constant(step)))
        return [(_constant(0), whole, step, 0), (whole, size, 1, 0)]

    def _open_size(self, loop: SharedLoop) -> ir.Value:
        """The trip count of a loop of open size, from an operand that stays or from what makes one that goes."""
        for m, iterator in sorted(loop.iterators.items()):
            view = self.group.members[m]
            for operand, access in zip(view.operands, view.maps, strict=True):
                for d, expr in enumerate(access.results):
                    if dim_position(expr) == iterator:
                        size = _allocated(operand, d) if operand in self._small else dim_size(operand, d)
                        return _constant(size) if isinstance(size, int) else size
        raise ValueError("no operand has the loop as a plain dimension")

    def _loop(
        self,
        start: ir.Value,
        stop: ir.Value,
        step: int,
        body: Callable[[ir.Value], None],
        level: int,
        cost: int,
    ) -> None:
        loop = scf.ForOp(start, stop, _constant(step), [])
        with ir.InsertionPoint(loop.body):
            body(loop.induction_variable)
            scf.YieldOp([])
        if self._private or (level == 0 and self.shared_memory):
            mark_parallel(loop, self.nest, cost)

    # -- buffers ----------------------------------------------------------------------------------------------

    def _make_small_buffers(self) -> None:
        """Buffers that only the group uses hold one tile."""
        for buffer in self.group.local:
            tiles = self._cut_dims(buffer)
            shape = _small_shape(buffer, tiles)
            if shape is None:
                continue
            if prod(shape) * element_bytes(ir.MemRefType(buffer.type).element_type) <= _STACK_BYTES:
                self._add(buffer, tiles, shape, memref.AllocaOp)
                continue
            self._private = False
            if self.shared_memory:  # every iteration of the outermost loop has its own
                outer = self._dims_of(buffer, self.tiles[0][0])
                tiles = {d: t for d, t in tiles.items() if d not in outer}
                shape = _small_shape(buffer, tiles)
            if shape is not None:
                self._add(buffer, tiles, shape, memref.AllocOp)

    def _add(
        self, buffer: ir.Value, tiles: dict[int, int], shape: list[int], make: Callable[..., Any]
    ) -> None:
        small = ir.MemRefType.get(shape, ir.MemRefType(buffer.type).element_type)
        alignment = ir.IntegerAttr.get(ir.IntegerType.get_signless(64), 64)
        self._small[buffer] = SmallBuffer(make(small, [], [], alignment=alignment).result, tiles)

    def _cut_dims(self, buffer: ir.Value) -> dict[int, int]:
        """Dimensions that loops around all uses of a buffer cut, with the extent of a tile."""
        found: dict[int, int] = {}
        for loop, step in self.tiles:
            for d in self._dims_of(buffer, loop):
                found[d] = step if loop.size is None else min(step, loop.size)
        return found

    def _dims_of(self, buffer: ir.Value, loop: SharedLoop) -> list[int]:
        """The dimension of a buffer that a loop runs along, if the loop is around all members that use it."""
        found: list[int] = []
        for m, view in enumerate(self.group.members):
            for operand, access in zip(view.operands, view.maps, strict=True):
                if operand != buffer:
                    continue
                if m not in loop.iterators:
                    return []
                found += [d for d, e in enumerate(access.results) if dim_position(e) == loop.iterators[m]]
        return sorted(set(found))


def _allocated(buffer: ir.Value, dim: int) -> ir.Value:
    """The open size that a dimension was allocated with."""
    kind = ir.MemRefType(buffer.type)
    number = sum(kind.is_dynamic_dim(d) for d in range(dim))
    return ir.OpResult(buffer).owner.operation.operands[number]


def _small_shape(buffer: ir.Value, tiles: Mapping[int, int]) -> list[int] | None:
    """The shape of what holds one tile of a buffer; None when it is no smaller or has an open size."""
    kind = ir.MemRefType(buffer.type)
    rest = [d for d in range(kind.rank) if tiles.get(d) != 1]
    if not tiles or any(kind.is_dynamic_dim(d) for d in rest if d not in tiles):
        return None
    return [tiles[d] if d in tiles else kind.get_dim_size(d) for d in rest]


def split_members(
    group: Group, members: Sequence[int], loop: SharedLoop
) -> tuple[list[int], list[int], list[int]]:
    """(members to run before a loop, in it, after it)."""
    inside = [m for m in members if m in loop.iterators]
    before: list[int] = []
    after: list[int] = []
    for m in members:
        if m in loop.iterators:
            continue
        passed = [k for k in inside if k < m] + after
        (after if any(_conflict(group, k, m) for k in passed) else before).append(m)
    return before, inside, after


def is_possible(group: Group, members: Sequence[int], loop: SharedLoop) -> bool:
    """Whether what is not in a loop can run before or after it."""
    _, inside, after = split_members(group, members, loop)
    return bool(inside) and not any(_conflict(group, m, k) for m in after for k in inside if k > m)


def _conflict(group: Group, a: int, b: int) -> bool:
    """Whether two members must keep their order."""
    (reads_a, writes_a), (reads_b, writes_b) = _roots(group, a), _roots(group, b)
    return bool(writes_a & (reads_b | writes_b) or writes_b & reads_a)


def _roots(group: Group, m: int) -> tuple[set[Root | None], set[Root | None]]:
    view = group.members[m]
    memrefs = [(k, root_of(v)) for k, v in enumerate(view.operands) if isinstance(v.type, ir.MemRefType)]
    return {r for _, r in memrefs}, {r for k, r in memrefs if k >= len(view.inputs)}


def _constant(value: int) -> ir.Value:
    return arith.constant(ir.IndexType.get(), value)
