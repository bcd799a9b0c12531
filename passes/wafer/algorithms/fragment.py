"""Pieces of programs: what one step makes the PEs do, in the instructions of `wse_target/instructions.py`.

Algorithms build fragments, `sequence` puts them one after the other, and `wse-emit-programs` writes the result as IR.
Everything here is plain data; no MLIR object is involved.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from ....wse_target.image import Route, StridedRect
from ....wse_target.instructions import Access, Combine, Dtype, Instruction
from ....wse_target.layout.rectangle import Progression, progressions
from ....wse_target.machine import Machine
from ....wse_target.quasi_affine import Expr, const, minimum
from .lines import Axis as Axis
from .lines import Line as Line


@dataclass(frozen=True)
class RectangleText:
    """What the PEs of a strided rectangle do."""

    where: StridedRect
    body: tuple[Instruction, ...]


@dataclass(frozen=True)
class Scratch:
    """A buffer that a fragment needs on every PE, not yet at an address."""

    name: str
    shape: tuple[int, ...]
    dtype: Dtype


@dataclass(frozen=True)
class Fragment:
    """One step of a program.

    Attributes:
        parts: disjoint; PEs in none of them have nothing to do.
        scratch: buffers that only this step uses; its operands' buffers belong to whoever asked for it.
        colours: virtual colours of `routes` and transfers, unique in the program through the request's prefix.
        positions: settings that the colours' routers start with; see `image.Program.positions`.
    """

    parts: tuple[RectangleText, ...]
    scratch: tuple[Scratch, ...] = ()
    colours: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()
    positions: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class TileWalk:
    """A walk over what a PE holds of a value.

    Attributes:
        bounds: trip counts, outermost first; may differ between PEs.
    """

    access: Access
    bounds: tuple[Expr, ...]
    dtype: Dtype


@dataclass(frozen=True)
class Spread:
    """How the positions of a line share a tile: position k has trips k * pitch to (k + 1) * pitch of one of its loops.

    Attributes:
        whole: a walk over all of it; the loop's bound is alike along a line.
        every: PEs from one position to the next, counted along the line; those between have the same as it.
    """

    whole: TileWalk
    loop: int
    pitch: int
    every: int = 1

    def blocks(self, first: Expr | int, count: int = 1) -> TileWalk:
        """What `count` positions from `first` on have; less, or nothing (a bound below 0), where the trips end."""
        start = (first if isinstance(first, Expr) else const(first)) * self.pitch
        access, bounds = self.whole.access, list(self.whole.bounds)
        bounds[self.loop] = minimum(count * self.pitch, bounds[self.loop] - start)
        offset = access.offset + start * access.strides[self.loop]
        return TileWalk(replace(access, offset=offset), tuple(bounds), self.whole.dtype)


@dataclass(frozen=True)
class CollectiveRequest:
    """What a collective has to do on every line.

    Attributes:
        tile: what each PE contributes. Reductions and broadcasts work in place on it.
        result: where the result goes when it is another tile (all-gather, reduce-scatter, shift, ...).
        combine: how contributions are combined.
        root: position on the line, for reduce and broadcast.
        distance / wrap: of a shift: the tile of position p goes to position p + distance (label, on a ring), modulo the
            extent; without `wrap` what leaves the line is lost, and zeros come in.
        order: of a shift: "line", positions; "ring", labels of the interleaved ring (`collectives.ring`).
        spread: of a gathering: how the blocks of all positions lie in the result; of a scattering, in what is combined.
        prefix: what names of colours and scratch buffers begin with.
    """

    line: Line
    tile: TileWalk
    machine: Machine
    prefix: str
    result: TileWalk | None = None
    combine: Combine = "add"
    root: int = 0
    distance: int = 1
    wrap: bool = True
    order: Literal["line", "ring"] = "line"
    spread: Spread | None = None


@dataclass(frozen=True)
class HaloRequest:
    """Every PE gets its neighbours' nearest indices next to its own block.

    Attributes:
        tile: walk over the PE's own block inside a buffer with room around it.
        loop: of the tile's loops, the one that the line splits.
        low / high: indices wanted before and after the block. Blocks other than the last one that is not empty have
            at least as many.
        outside: what is written for indices beyond the ends of the tensor.
    """

    line: Line
    tile: TileWalk
    loop: int
    low: int
    high: int
    machine: Machine
    prefix: str
    outside: float = 0.0


@dataclass(frozen=True)
class Held:
    """How a tensor sits on PEs; fields as in `image.HostTransfer`.

    Attributes:
        shape: of the buffer.
        origin: first index of the PE's block per tensor dimension.
        where: the PEs that hold a part (each element at least once).
    """

    buffer: str
    shape: tuple[int, ...]
    dtype: Dtype
    bounds: tuple[Expr, ...]
    origin: tuple[Expr, ...]
    access: Access
    where: StridedRect


@dataclass(frozen=True)
class RedistributionRequest:
    """A tensor goes from one distribution to another, transposed or not.

    Attributes:
        permutation: dimension of the source that each dimension of the target is; empty when they are the same.
    """

    grid: tuple[int, int]
    source: Held
    target: Held
    machine: Machine
    prefix: str
    permutation: tuple[int, ...] = ()


@dataclass(frozen=True)
class ProductRequest:
    """C[b, M, N] = A[b, M, K] x B[b, K, N] on a grid (a matvec has M = 1; without batch the tensors have rank 2).

    Attributes:
        batch: 0 for tensors without a batch dimension.
        dtype: element type of A and B.
        accumulate: element type that products are summed in, and of C.
    """

    grid: tuple[int, int]
    m: int
    k: int
    n: int
    dtype: Dtype
    accumulate: Dtype
    machine: Machine
    prefix: str
    batch: int = 0


@dataclass(frozen=True)
class Product:
    """A way to compute a product: where its tensors have to be, and the fragment that computes C."""

    a: Held
    b: Held
    c: Held
    fragment: Fragment


def sequence(fragments: Sequence[Fragment], grid: tuple[int, int]) -> Fragment:
    """The fragments one after the other: on each PE its parts' bodies in order. Names must not clash.

    PEs that run the same text are one part wherever they form a strided rectangle.
    """
    parts = [part for fragment in fragments for part in fragment.parts]
    texts: dict[tuple[Instruction, ...], int] = {}
    text_of = [texts.setdefault(part.body, len(texts)) for part in parts]
    bodies = list(texts)
    placed: dict[tuple[Progression, tuple[int, ...]], list[int]] = {}  # columns and texts -> rows
    columns = covered([part.where for part in parts], grid[0], axis=0)
    for rows, in_row in covered([part.where for part in parts], grid[1], axis=1):
        by_text: dict[tuple[int, ...], list[int]] = {}
        for members, in_column in columns:
            present = tuple(text_of[index] for index in sorted(in_row & in_column))
            if present:
                by_text.setdefault(present, []).extend(members)
        for present, members in by_text.items():
            for column in progressions(sorted(members)):
                placed.setdefault((column, present), []).extend(rows)
    found = []
    for (column, present), rows in placed.items():
        for row in progressions(sorted(rows)):
            where = StridedRect((column[0], row[0]), (column[1], row[1]), (column[2], row[2]))
            found.append(RectangleText(where, tuple(op for text in present for op in bodies[text])))
    return Fragment(
        tuple(found),
        tuple(s for f in fragments for s in f.scratch),
        tuple(c for f in fragments for c in f.colours),
        tuple(r for f in fragments for r in f.routes),
        {name: value for f in fragments for name, value in f.positions.items()},
    )


def covered(rects: Sequence[StridedRect], size: int, axis: int) -> list[tuple[list[int], frozenset[int]]]:
    """Coordinates along an axis, grouped by the rectangles that cover them."""
    by_progression: dict[Progression, list[int]] = {}  # many rectangles have one
    for index, rect in enumerate(rects):
        key = (rect.base[axis], rect.extent[axis], rect.step[axis])
        by_progression.setdefault(key, []).append(index)
    covering: list[list[int]] = [[] for _ in range(size)]
    for number, (base, count, step) in enumerate(by_progression):
        for coordinate in range(base, base + count * step, step):
            covering[coordinate].append(number)
    members = list(by_progression.values())
    groups: dict[tuple[int, ...], list[int]] = {}
    for coordinate, present in enumerate(covering):
        if present:
            groups.setdefault(tuple(present), []).append(coordinate)
    return [
        (at, frozenset(i for number in present for i in members[number])) for present, at in groups.items()
    ]
