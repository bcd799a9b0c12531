"""Computing producers inside tile loops instead of slicing what they made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .....dialects.host import ir, tensor
from ....infra.pass_base import PassRun
from ...bufferization.op_model import is_empty
from .index_math import IndexOrValue
from .tiles import Slice, Tileable, operand_slice, take_slice, tile_op, tileable

# iterator of an operation -> the loops around the tile that move it
Follows = Mapping[int, frozenset[int]]


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
    _users: list[tuple[Tileable, Sequence[int]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._users.append((self.root, self.tile_iterators))

    def operand(
        self, position: int, offsets: Sequence[IndexOrValue], sizes: Sequence[IndexOrValue | None]
    ) -> ir.Value:
        """An input of the tile: the operand itself where the tile needs all of it."""
        value = self.root.op.operands[position]
        if not self.root.is_shaped(position):
            return value
        part = operand_slice(self.root, position, self.tile_iterators, offsets, sizes)
        if part is None:
            return value
        return self.slice_of(value, part, self.follows(self.root, position, self.own_loops()))

    def own_loops(self) -> Follows:
        """Each tiled iterator of the root follows its own loop."""
        return {d: frozenset((d,)) for d in self.tile_iterators}

    def follows(self, view: Tileable, position: int, iterators: Follows) -> list[frozenset[int] | None]:
        """For each dimension of an operand, the loops that move its window; None where windows overlap."""
        result: list[frozenset[int] | None] = []
        for access in view.access(position):
            moving = [d for d in access.dims if d in iterators] if access is not None else []
            if access is not None and moving and access.plain_dim() is None:
                result.append(None)
            else:
                result.append(frozenset().union(*(iterators[d] for d in moving)))
        return result

    def slice_of(self, value: ir.Value, part: Slice, loops: Sequence[frozenset[int] | None]) -> ir.Value:
        """A window into `value`: computed by its producer if that can move, else extracted.

        Args:
            loops: for each dimension, the loops that move the window, as `follows` gives them.
        """
        key = (value, part)
        if key not in self._made:
            moved = [d for d in loops if d is not None]
            again = len(moved) < len(loops) or frozenset().union(*moved) != frozenset(self.tile_iterators)
            producer = self.producer(value, recomputed=again) if self.fuse else None
            made = take_slice(value, part) if producer is None else self.compute(producer, part, loops)
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
        uses = [self._window_of_use(use.owner.operation, use.operand_number) for use in value.uses]
        if None in uses:
            return "its result is used elsewhere, or all of it in one tile"
        known = [use for use in uses if use is not None]
        if any(user == other and amap != another for user, amap in known for other, another in known):
            return "one tile needs two different parts of it"
        if recomputed and view.op.name != "linalg.fill":
            return "it would be computed again in every tile"
        accesses = view.access(view.init_positions()[0])
        if any(a is None or a.plain_dim() is None for a in accesses):
            return "its result is not indexed by plain iterators"
        return ""

    def _window_of_use(self, user: ir.Operation, position: int) -> tuple[ir.Operation, ir.AffineMap] | None:
        """The user and its map if it is in the loop and takes a window that moves with the tiles."""
        for view, moving in self._users:
            if view.op == user:
                accesses = view.access(position)
                if any(a is not None and any(d in moving for d in a.dims) for a in accesses):
                    return user, view.maps[position]
        return None

    def compute(
        self,
        view: Tileable,
        part: Slice,
        loops: Sequence[frozenset[int] | None],
        target: ir.Value | None = None,
    ) -> ir.Value:
        """The producer's tile for the window `part` of its result, written to `target` if that is given."""
        if view.op not in self.fused:  # two users may take different windows
            self.fused.append(view.op)
        offsets: list[IndexOrValue] = [0] * view.rank
        sizes: list[IndexOrValue | None] = view.loop_sizes()
        iterators: dict[int, frozenset[int]] = {}
        init = view.init_positions()[0]
        for dim, access in enumerate(view.access(init)):
            iterator = access.plain_dim() if access is not None else None
            if iterator is not None:
                offsets[iterator], sizes[iterator] = part.offsets[dim], part.sizes[dim]
                iterators[iterator] = loops[dim] or frozenset()
        self._users.append((view, list(iterators)))
        operands = []
        for position, operand in enumerate(view.op.operands):
            window = None
            if view.is_shaped(position):
                window = operand_slice(view, position, list(iterators), offsets, sizes)
            if position == init and target is not None:
                operands.append(target)
            elif window is None:
                operands.append(operand)
            elif position == init and is_empty(operand):  # contents do not matter: only as large as the tile
                element = ir.RankedTensorType(operand.type).element_type
                operands.append(tensor.empty(list(window.sizes), element))
            else:
                operands.append(self.slice_of(operand, window, self.follows(view, position, iterators)))
        self.run.count("producers fused")
        return tile_op(view, operands, offsets).results[0]
