"""Turns: blocks along one sub-axis, of which there are copies along another one, become blocks along that.

A line along the first has one coordinate along the other, and all its PEs want the same block. Some PEs of the line
have it, which ones is told by that coordinate: they send it to all others, one after the other. Blocks of the target
may be parts of the source's, or be several of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ....wse_target.layout.dimension import Dimension
from ....wse_target.layout.mesh import Mesh
from ....wse_target.layout.tensor_layout import TensorLayout
from ....wse_target.quasi_affine import Expr, Var, minimum
from ..algorithms.collectives.turning import Turning
from ..algorithms.fragment import TileWalk
from .tiles import Placed, as_one, has_equal_pieces


@dataclass(frozen=True)
class Turn:
    """How blocks of one dimension turn.

    Attributes:
        dimension: its number.
        share: blocks of the target in one of the source.
        rounds: blocks of the source in one of the target.
        pitch: indices that a line's PEs get at a time.
    """

    dimension: int
    share: int
    rounds: int
    pitch: int


def turn_between(source: TensorLayout, target: TensorLayout, name: str, across: str) -> Turn | None:
    """The turn from `name` to `across` that makes one layout of another; None where there is none."""
    source, target = as_one(source, name), as_one(target, across)
    changed = [n for n, pair in enumerate(zip(source.dims, target.dims, strict=True)) if pair[0] != pair[1]]
    if len(changed) != 1 or source.partial != target.partial:
        return None
    (number,) = changed
    have, want = source.dims[number], target.dims[number]
    if name not in have.axes or across not in want.axes:
        return None
    if want == renamed(have, name, across) and source.mesh[name].extent == source.mesh[across].extent:
        return Turn(number, 1, 1, have.digits[-1].pitch)
    return _between_sizes(number, have, want, name, across)


def _between_sizes(number: int, have: Dimension, want: Dimension, name: str, across: str) -> Turn | None:
    """Of blocks of different sizes, which are all that dimensions differ in."""
    if not _is_cut_last(have, name) or not _is_cut_last(want, across):
        return None
    if replace(want, digits=(*want.digits[:-1], have.digits[-1])) != have:
        return None
    old, new = have.digits[-1], want.digits[-1]
    stretch = min([have.high - have.low, *(d.pitch for d in have.digits[:-1])])
    if min(old.pitch * old.extent, new.pitch * new.extent) < stretch:
        return None
    if old.pitch % new.pitch and new.pitch % old.pitch:
        return None
    return Turn(
        number, max(1, old.pitch // new.pitch), max(1, new.pitch // old.pitch), min(old.pitch, new.pitch)
    )


def _is_cut_last(dim: Dimension, name: str) -> bool:
    """Whether a sub-axis is what a dimension is cut along last, in blocks without halos that are one piece each."""
    last = dim.digits[-1]
    return last.axes == (name,) and not last.rotates and not dim.pieces and has_equal_pieces(dim)


def renamed(dim: Dimension, old: str, new: str) -> Dimension:
    """A dimension whose digits are bound to another sub-axis."""
    digits = tuple(replace(d, axes=tuple(new if n == old else n for n in d.axes)) for d in dim.digits)
    return replace(dim, digits=digits)


def turning_of(
    turn: Turn, mesh: Mesh, across: str, name: str, here: Placed, there: Placed, prefix: str
) -> Turning:
    """What lines do in a turn."""
    own, target = here.walk(), there.walk()
    at, number = mesh.coordinate(across), Var(f"{prefix}round") if turn.rounds > 1 else None
    loop = sum(len(d.pieces) + 1 for d in here.layout.dims[: turn.dimension])
    root: Expr = at // turn.share if turn.share > 1 else at
    if turn.share > 1:
        own = _moved(own, loop, at % turn.share * turn.pitch)
    if number is not None:
        root = at * turn.rounds + number
        target = _moved(target, loop, number * turn.pitch)
        bounds = list(target.bounds)
        bounds[loop] = minimum(turn.pitch, bounds[loop] - number * turn.pitch)
        target = replace(target, bounds=tuple(bounds))
    last = mesh[name].extent - 1
    if (mesh[across].extent - 1) // turn.share * turn.rounds + turn.rounds - 1 > last:
        root = minimum(root, last)  # of blocks beyond the end: nothing is sent
    return Turning(root, replace(own, bounds=target.bounds), target, turn.rounds, number)


def _moved(walk: TileWalk, loop: int, indices: Expr) -> TileWalk:
    access = walk.access
    return replace(walk, access=replace(access, offset=access.offset + indices * access.strides[loop]))
