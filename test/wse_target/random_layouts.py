"""Meshes and layouts drawn at random, and what they mean, index by index."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from hypothesis import strategies as st

from wse_mlir.wse_target.layout.dimension import Digit, Dimension
from wse_mlir.wse_target.layout.mesh import Mesh, SubAxis
from wse_mlir.wse_target.layout.rectangle import Rect
from wse_mlir.wse_target.layout.tensor_layout import TensorLayout


@st.composite
def meshes(draw: st.DrawFn) -> Mesh:
    """Up to 4 x 6 PEs, each axis of one or two sub-axes."""

    def factors(axis: str, extents: tuple[int, ...]) -> tuple[SubAxis, ...]:
        names = [axis] if len(extents) == 1 else [f"{axis}o", f"{axis}i"]
        orders = [draw(st.sampled_from(["line", "line", "ring"])) for _ in names]
        return tuple(SubAxis(n, e, o) for n, e, o in zip(names, extents, orders, strict=True))  # type: ignore[arg-type]

    choices = [(1,), (2,), (3,), (4,), (2, 2), (2, 3)]
    x, y = (factors(axis, draw(st.sampled_from(choices))) for axis in ("x", "y"))
    width, height = (int(np.prod([f.extent for f in axis])) for axis in (x, y))
    return Mesh(Rect(draw(st.integers(0, 3)), 1, width, height), x, y)


@st.composite
def dimensions(draw: st.DrawFn, mesh: Mesh, free: list[str], size: int) -> Dimension:
    """Digits of a dimension; sub-axes that it takes are taken from `free`."""
    digits: list[Digit] = []
    block = size
    for _ in range(draw(st.integers(0, 3))):
        if block < 1:
            break
        if free and draw(st.booleans()):
            name = free.pop(draw(st.integers(0, len(free) - 1)))
            extent, axes = mesh[name].extent, (name,)
        else:
            extent, axes = draw(st.integers(1, 4)), ()
        least = -(-block // extent)
        pitch = draw(st.sampled_from([least, least, min(block, least + 1)]))
        digits.append(Digit(extent, pitch, axes))
        block = min(block, pitch)
    return Dimension(size, tuple(digits), 0, size)


@st.composite
def layouts(draw: st.DrawFn, shape: Sequence[int] | None = None) -> TensorLayout:
    """Of a small tensor on a small mesh: short blocks, empty PEs, several pieces, copies."""
    mesh = draw(meshes())
    any_shape = st.lists(st.sampled_from([1, 2, 3, 4, 6, 7, 8, 12]), min_size=1, max_size=3)
    sizes = draw(any_shape) if shape is None else shape
    free = list(mesh.names)
    return TensorLayout(mesh, tuple(draw(dimensions(mesh, free, size)) for size in sizes))


def coordinates(mesh: Mesh, x: int, y: int) -> dict[str, int]:
    """Of a PE along every sub-axis, by walking along the axes."""
    found: dict[str, int] = {}
    for factors, position in ((mesh.x, x), (mesh.y, y)):
        places = list(itertools.product(*(range(f.extent) for f in factors)))[position]
        for factor, place in zip(factors, places, strict=True):
            ring = [*range(0, factor.extent, 2), *reversed(range(1, factor.extent, 2))]
            found[factor.name] = place if factor.order == "line" else ring.index(place)
    return found


def held_indices(dim: Dimension, at: Mapping[str, int], time: int = 0) -> list[int]:
    """The indices of a dimension that a PE holds, in memory's order: each index asked by itself."""
    pieces: dict[tuple[int, ...], list[int]] = {}
    for index in range(dim.low, dim.high):
        rest, local, is_held = index - dim.low, [], True
        for digit in dim.digits:
            value, rest = divmod(rest, digit.pitch)
            if digit.is_local:
                local.append(value)
            else:
                wanted = (sum(at[name] for name in digit.axes) + time * digit.rotates) % digit.extent
                is_held = is_held and value == wanted
        if is_held:
            pieces.setdefault(tuple(local), []).append(index)
    found: list[int] = []
    for local in sorted(pieces):
        first, last = pieces[local][0] - dim.before, pieces[local][-1] + dim.after
        found += range(max(0, first), min(dim.size, last + 1))
    return found


def tiles(layout: TensorLayout, tensor: np.ndarray) -> dict[tuple[int, int], np.ndarray]:
    """What every PE holds of a tensor."""
    rect = layout.mesh.rect
    return {
        (x, y): tensor[np.ix_(*layout.indices(x, y))]
        for x, y in itertools.product(range(rect.w), range(rect.h))
    }
