"""Which factors of a grid's columns are worth planning with: those that loops fill that leave whole axes half idle."""

from __future__ import annotations

from collections.abc import Sequence

from .....dialects.structured import structured
from .....wse_target.layout.mesh import Mesh
from ..nodes import Node

_SHARE = 0.25  # of all operations' least cycles that those with such a loop take, at least


def factored_meshes(mesh: Mesh, nodes: Sequence[Node]) -> list[Mesh]:
    """The mesh with x cut in two, so that short loops of the dearest operations fill the outer factor; those first.

    Another loop can then be split over the inner one, whose PEs are neighbours: that of the outer factor's lines
    cross. None where no loop leaves half of the columns idle, forced splits name whole axes, or little would be won.
    """
    if mesh.names != ("x", "y") or any("wse.iterators" in node.op.attributes for node in nodes):
        return []
    width, everything = mesh["x"].extent, 0.0
    spent: dict[int, float] = {}
    for node in nodes:
        least = min((option.cycles for option in node.options), default=0.0)
        everything += least
        view = structured(node.op)
        sizes = {size for size in (view.fixed_sizes() if view else ()) if 1 < size <= width // 2}
        for outer in {_divisor(width, size) for size in sizes}:
            spent[outer] = spent.get(outer, 0.0) + least
    worth = [n for n in spent if 1 < n < width and spent[n] >= _SHARE * everything]
    order = sorted(worth, key=lambda outer: spent[outer], reverse=True)
    return [mesh.factored({"x": width // outer}) for outer in order]


def _divisor(extent: int, least: int) -> int:
    """The smallest divisor of an extent that is not below `least`."""
    return next(n for n in range(least, extent + 1) if extent % n == 0)
