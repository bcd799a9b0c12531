"""Tiles of layouts in buffers: walks over them, copies between them, blocks that sub-axes share."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from ....wse_target.instructions import Access, Dtype, Instruction, Loop, Vector
from ....wse_target.layout.dimension import Digit, Dimension
from ....wse_target.layout.mesh import Mesh
from ....wse_target.layout.tensor_layout import TensorLayout
from ....wse_target.machine import Machine
from ....wse_target.quasi_affine import Expr, Var, const, maximum, minimum
from ..algorithms.collectives.distribution import Boxes
from ..algorithms.fragment import Spread, TileWalk

NOW = const(0)


@dataclass(frozen=True)
class Placed:
    """A value in a buffer, laid out row-major as `layout.tile_shape` says.

    Attributes:
        room: elements that each dimension takes in the buffer, if they are more than the layout wants.
    """

    layout: TensorLayout
    buffer: str
    dtype: Dtype
    room: tuple[int, ...] = ()

    @property
    def strides(self) -> list[tuple[int, ...]]:
        """For each dimension those of its pieces, outermost first, and of the index in a piece."""
        found: list[tuple[int, ...]] = []
        below = 1
        room = self.room or rooms(self.layout)
        for dim, size in zip(reversed(self.layout.dims), reversed(room), strict=True):
            own, inner = [below], below * dim.room
            for extent in reversed(dim.pieces):
                own.insert(0, inner)
                inner *= extent
            found.insert(0, tuple(own))
            below *= size
        return found

    def walk(self) -> TileWalk:
        """All that a PE holds; pieces of a dimension that has several are walked over in full."""
        bounds: list[Expr] = []
        for dim in self.layout.dims:
            bounds += [const(extent) for extent in dim.pieces]
            bounds.append(
                const(dim.room) if dim.pieces else minimum(dim.room, held(self.layout.mesh, dim)[1])
            )
        strides = tuple(s for own in self.strides for s in own)
        return TileWalk(Access(self.buffer, const(0), strides), tuple(bounds), self.dtype)

    def boxes(self) -> Boxes | None:
        """The indices that PEs hold as boxes; None where a dimension is held in several pieces."""
        mesh = self.layout.mesh
        if any(dim.pieces for dim in self.layout.dims) or not self.layout.dims:
            return None
        ranges = tuple(held(mesh, dim) for dim in self.layout.dims)
        strides = tuple(own[-1] for own in self.strides)
        access = Access(self.buffer, const(0), strides)
        sizes = tuple(max(1, dim.room) for dim in self.layout.dims)
        return Boxes((mesh.rect.w, mesh.rect.h), ranges, {}, access, self.dtype, sizes)


@lru_cache(maxsize=1 << 14)
def held(mesh: Mesh, dim: Dimension) -> tuple[Expr, Expr]:
    """First index and number of indices of a PE's (first) piece of a dimension."""
    return TensorLayout(mesh, (dim,)).span(0, time=NOW)


def rooms(layout: TensorLayout) -> tuple[int, ...]:
    """Elements that each dimension takes in a buffer."""
    return tuple(dim.room * math.prod(dim.pieces) for dim in layout.dims)


@lru_cache(maxsize=1 << 14)
def stripped(layout: TensorLayout) -> TensorLayout:
    """The same without innermost local digits whose pieces follow each other in the buffer."""
    return replace(layout, dims=tuple(map(_stripped, layout.dims)), is_resident=False)


def _stripped(dim: Dimension) -> Dimension:
    digits, taken = list(dim.digits), dim.room
    while digits and digits[-1].is_local and not (dim.before or dim.after):
        digit = digits.pop()
        block = min([dim.high - dim.low, *(d.pitch for d in digits)])
        if taken != digit.pitch < block:
            return dim  # there is room between pieces
        taken *= digit.extent
    changed = replace(dim, digits=tuple(digits))
    return dim if changed.pieces else changed


def copy(source: Placed, target: Placed, prefix: str) -> tuple[Instruction, ...]:
    """Each PE's tile of the target out of what it has of the source."""
    loops: list[tuple[Var, int]] = []
    bounds: list[Expr] = []
    most: list[int] = []
    offsets: list[Expr] = [const(0), const(0)]
    strides: list[list[int]] = [[], []]
    for number, (old, new) in enumerate(zip(source.layout.dims, target.layout.dims, strict=True)):
        old_strides, new_strides = source.strides[number], target.strides[number]
        if old == new:  # as one loop nest, whatever its pieces are
            bounds += [const(extent) for extent in old.pieces]
            count = held(source.layout.mesh, old)[1]
            bounds.append(const(old.room) if old.pieces else minimum(old.room, count))
            most += [*old.pieces, old.room]
            strides[0] += old_strides
            strides[1] += new_strides
            continue
        spans = []
        for side, (placed, own) in enumerate(((source, old_strides), (target, new_strides))):
            pieces = [Var(f"{prefix}d{number}s{side}p{k}") for k in range(len(own) - 1)]
            loops += list(zip(pieces, placed.layout.dims[number].pieces, strict=True))
            for piece, stride in zip(pieces, own, strict=False):
                offsets[side] = offsets[side] + piece * stride
            spans.append(placed.layout.span(number, time=NOW, local=pieces))
        (old_low, old_count), (new_low, new_count) = spans
        low = _larger(old_low, new_low)
        bounds.append(minimum(old_low + old_count, new_low + new_count) - low)
        most.append(min(source.layout.dims[number].room, target.layout.dims[number].room))
        offsets[0] = offsets[0] + (low - old_low) * old_strides[-1]
        offsets[1] = offsets[1] + (low - new_low) * new_strides[-1]
        strides[0].append(old_strides[-1])
        strides[1].append(new_strides[-1])
    src, dst = (
        Access(placed.buffer, offset, tuple(own))
        for placed, offset, own in zip((source, target), offsets, strides, strict=True)
    )
    body: tuple[Instruction, ...] = (short_outermost(Vector("copy", tuple(bounds), dst, (src,)), most),)
    for variable, extent in reversed(loops):
        body = (Loop(variable.name, const(extent), body),)
    return body


def short_outermost(op: Vector, most: Sequence[int]) -> Vector:
    """The same with loops of one trip outermost: PEs that have none of it do nothing, and others run the long ones.

    Args:
        most: trips of each loop on any PE, at most.
    """
    order = sorted(range(len(most)), key=lambda loop: most[loop] > 1)

    def turned(access: Access) -> Access:
        return replace(access, strides=tuple(access.strides[loop] for loop in order))

    sources = tuple(turned(source) if isinstance(source, Access) else source for source in op.srcs)
    return replace(op, bounds=tuple(op.bounds[loop] for loop in order), dst=turned(op.dst), srcs=sources)


def _larger(a: Expr, b: Expr) -> Expr:
    return a if a == b else maximum(a, b)


def copy_cycles(source: TensorLayout, target: TensorLayout, dtype: Dtype, machine: Machine) -> float:
    """Predicted cycles of a copy: those of elements, of as many operations as have any, and of loops around them."""
    differing = [(a, b) for a, b in zip(source.dims, target.dims, strict=True) if a != b]
    times = math.prod(max(math.prod(a.pieces), math.prod(b.pieces)) for a, b in differing)
    loops, trips = 0.0, 1
    for extent in [extent for pair in differing for dim in pair for extent in dim.pieces]:
        loops += trips * machine.control.branch
        trips *= extent
        loops += trips * machine.control.loop
    return times * machine.vector.setup + target.elements / machine.rate("copy", dtype) + loops


def gathered(layout: TensorLayout, name: str) -> tuple[TensorLayout, int, int]:
    """The layout when every PE has what those along a line had; which dimension's which digit becomes local.

    Pieces lie as their digits do: what is beyond the end of a dimension has its place as well, except where one stretch
    of indices comes out.
    """
    layout = as_one(layout, name)
    number, dim = next((n, d) for n, d in enumerate(layout.dims) if name in d.axes)
    place = next(k for k, digit in enumerate(dim.digits) if name in digit.axes)
    dims = (*layout.dims[:number], _with_all(dim, place), *layout.dims[number + 1 :])
    return TensorLayout(layout.mesh, dims, layout.partial, layout.is_resident), number, place


@lru_cache(maxsize=1 << 14)
def _with_all(dim: Dimension, place: int) -> Dimension:
    """A dimension with all pieces of a digit."""
    digits = list(dim.digits)
    digits[place] = replace(digits[place], axes=(), rotates=False)
    return replace(dim, digits=tuple(digits[:place] if is_stretch(dim, place) else digits))


def cut_along(mesh: Mesh, dim: Dimension, name: str) -> Dimension | None:
    """What is left of a dimension's blocks in blocks along a line; None where they are no blocks, or of one index."""
    if not dim.is_plain or dim.pieces or dim.room < 2:
        return None
    pitch, digits = -(-dim.room // mesh[name].extent), list[Digit]()
    for axis in reversed(name.split()):
        digits.insert(0, Digit(mesh[axis].extent, pitch, (axis,)))
        pitch *= mesh[axis].extent
    return replace(dim, digits=(*dim.digits, *digits))


def as_one(layout: TensorLayout, name: str) -> TensorLayout:
    """The layout with the digits along a line of several sub-axes as one digit, if they count blocks in their order."""
    names = name.split()
    if len(names) == 1:
        return layout
    for number, dim in enumerate(layout.dims):
        for place in range(len(dim.digits) - len(names) + 1):
            run = dim.digits[place : place + len(names)]
            follow = all(a.pitch == b.pitch * b.extent for a, b in itertools.pairwise(run))
            if follow and all(d.axes == (n,) and not d.rotates for d, n in zip(run, names, strict=True)):
                one = Digit(layout.mesh[name].extent, run[-1].pitch, (name,))
                digits = (*dim.digits[:place], one, *dim.digits[place + len(names) :])
                made = replace(dim, digits=digits)
                return replace(layout, dims=(*layout.dims[:number], made, *layout.dims[number + 1 :]))
    return layout


def owners_along(layout: TensorLayout, name: str) -> int:
    """How many PEs along a line have other indices than those before them."""
    layout = as_one(layout, name)
    _, number, place = gathered(layout, name)
    dim = layout.dims[number]
    stretch = min([dim.high - dim.low, *(digit.pitch for digit in dim.digits[:place])])
    return -(-stretch // dim.digits[place].pitch)


def has_equal_pieces(dim: Dimension) -> bool:
    """Whether pieces are as far apart in the tensor as in a buffer: none has a halo, or is cut at the tensor's ends."""
    return not dim.before and not dim.after and dim.low >= 0 and dim.high <= dim.size


def is_stretch(dim: Dimension, place: int) -> bool:
    """Whether the pieces of a digit follow each other without a gap, for a PE that has all of them."""
    return place == len(dim.digits) - 1 and not dim.pieces


def shared(source: Placed, target: Placed, name: str) -> tuple[TileWalk, TileWalk, Spread | None]:
    """For an all-gather along a sub-axis: a PE's own tile, its place in the result, and how all of them lie there.

    The last is None where the order of the PEs is not that of the blocks.
    """
    layout = as_one(source.layout, name)
    _, number, place = gathered(layout, name)
    dim = layout.dims[number]
    digit = dim.digits[place]
    own, whole = source.walk(), target.walk()
    before = sum(len(d.pieces) + 1 for d in layout.dims[:number])
    before += sum(1 for d in dim.digits[:place] if d.is_local)
    value = layout.value_of(digit, NOW)
    if is_stretch(dim, place):
        loop, pitch = before, digit.pitch
        step = whole.access.strides[loop] * pitch
        tile, bounds = own, own.bounds
    else:
        loop, pitch = before, 1
        step = whole.access.strides[loop]
        strides = (*own.access.strides[:loop], 0, *own.access.strides[loop:])
        bounds = (*own.bounds[:loop], const(1), *own.bounds[loop:])
        tile = TileWalk(replace(own.access, strides=strides), bounds, own.dtype)
        parent = min([dim.high - dim.low, *(d.pitch for d in dim.digits[:place])])
        used = (*whole.bounds[:loop], const(-(-parent // digit.pitch)), *whole.bounds[loop + 1 :])
        whole = replace(whole, bounds=used)
    access = replace(whole.access, offset=whole.access.offset + value * step)
    placed = TileWalk(access, bounds, own.dtype)
    return tile, placed, Spread(whole, loop, pitch) if is_in_order(layout, name) else None


def is_in_order(layout: TensorLayout, name: str) -> bool:
    """Whether the PEs along a sub-axis have the blocks of a dimension in their order."""
    layout = as_one(layout, name)
    digit = next(digit for dim in layout.dims for digit in dim.digits if name in digit.axes)
    return len(digit.axes) == 1 and layout.mesh[name].order == "line"
