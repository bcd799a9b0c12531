"""Computing producers inside tile loops instead of slicing what they made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ....dialects.host import ir, tensor
from ...infra.pass_base import PassRun
from .index_math import Index
from .tiles import Slice, Tileable, operand_slice, take_slice, tile_op, tileable


@dataclass
class Slicer:
    """Makes the slices that a tile reads, in a tile loop's body.

    Attributes:
        root: the operation that is tiled.
        fuse: whether producers may move into the loop.
        tile_iterators: the iterators of `root` that are tiled.
        fused: the producers that were moved, in order.
    """

    root: Tileable
    run: PassRun
    fuse: bool
    tile_iterators: Sequence[int]
    fused: list[ir.Operation] = field(default_factory=list)
    _made: dict[tuple, ir.Value] = field(default_factory=dict)

    def operand(self, position: int, offsets: Sequence[Index], sizes: Sequence[Index | None]) -> ir.Value:
        """An input of the tile: the operand itself where the tile needs all of it."""
        value = self.root.op.operands[position]
        if not self.root.is_shaped(position):
            return value
        part = operand_slice(self.root, position, self.tile_iterators, offsets, sizes)
        if part is None:
            return value
        used = {d for a in self.root.access(position) if a is not None for d in a.iterators}
        recomputed = [d for d in self.tile_iterators if d not in used]
        return self.slice_of(value, part, recomputed=bool(recomputed))

    def slice_of(self, value: ir.Value, part: Slice, *, recomputed: bool) -> ir.Value:
        """A window into `value`: computed by its producer if that can move, else extracted.

        Args:
            recomputed: the same window is needed in several tiles, so a fused producer would run again.
        """
        key = (value, part)
        if key not in self._made:
            producer = self.producer(value, recomputed=recomputed) if self.fuse else None
            made = take_slice(value, part) if producer is None else self.compute(producer, part)
            self._made[key] = made
        return self._made[key]

    def producer(self, value: ir.Value, *, recomputed: bool) -> Tileable | None:
        """The structured operation that makes `value`, if fusing it loses nothing; else None and a remark."""
        if isinstance(value.owner, ir.Block) or not isinstance(value.type, ir.RankedTensorType):
            return None
        op = value.owner.operation
        view = tileable(op)
        if view is None:
            return None
        reason = self._obstacle(view, value, recomputed)
        if reason:
            self.run.remark(op, f"'{op.name}' stays outside the tile loop: {reason}")
            return None
        return view

    def _obstacle(self, view: Tileable, value: ir.Value, recomputed: bool) -> str:
        if len(view.op.results) != 1:
            return "it has several results"
        inside = [self.root.op, *self.fused]
        if any(use.owner.operation not in inside for use in value.uses):
            return "its result is used elsewhere"
        if recomputed and view.op.name != "linalg.fill":
            return "it would be computed again in every tile"
        accesses = view.access(view.init_positions()[0])
        if any(a is None or a.plain_iterator() is None for a in accesses):
            return "its result is not indexed by plain iterators"
        return ""

    def compute(self, view: Tileable, part: Slice, target: ir.Value | None = None) -> ir.Value:
        """The producer's tile for the window `part` of its result, written to `target` if that is given."""
        self.fused.append(view.op)
        offsets: list[Index] = [0] * view.rank
        sizes: list[Index | None] = view.loop_sizes()
        tiled = []
        init = view.init_positions()[0]
        for dim, access in enumerate(view.access(init)):
            iterator = access.plain_iterator() if access is not None else None
            if iterator is not None:
                offsets[iterator], sizes[iterator] = part.offsets[dim], part.sizes[dim]
                tiled.append(iterator)
        operands = []
        for position, operand in enumerate(view.op.operands):
            window = (
                operand_slice(view, position, tiled, offsets, sizes) if view.is_shaped(position) else None
            )
            if position == init and target is not None:
                operands.append(target)
            elif window is None:
                operands.append(operand)
            elif position == init:
                operands.append(self._destination(operand, window))
            else:
                operands.append(self.slice_of(operand, window, recomputed=False))
        self.run.count("producers fused")
        return tile_op(view, operands, offsets).results[0]

    def _destination(self, init: ir.Value, window: Slice) -> ir.Value:
        """A producer's destination: only as large as the tile when its contents do not matter."""
        if not isinstance(init.owner, ir.Block) and init.owner.operation.name == "tensor.empty":
            return tensor.empty(list(window.sizes), ir.RankedTensorType(init.type).element_type)
        return self.slice_of(init, window, recomputed=False)
