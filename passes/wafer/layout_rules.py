"""Which part of a tensor a PE holds, and which layouts an operation's operands need.

A tensor dimension is split over a grid axis ("x" or "y") into blocks of ceil(size / extent), or left whole
(""); axes that no dimension names hold copies. The last PEs may hold a short block or none at all: no value
outside the tensor is ever computed on.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from ...dialects.host import ir
from ...dialects.structured import Structured, dim_position

AXES = ("x", "y")
Axes = tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """A rectangle of PEs, `width` along x and `height` along y."""

    width: int
    height: int

    def extent(self, axis: str) -> int:
        """PEs along `axis`; 1 for ""."""
        return {"x": self.width, "y": self.height}.get(axis, 1)

    def block(self, size: int, axis: str) -> int:
        """Elements of a dimension of `size` that a PE holds at most."""
        return -(-size // self.extent(axis))

    def tile(self, shape: Sequence[int], axes: Axes) -> tuple[int, ...]:
        """Shape of the largest part of a tensor that a PE holds."""
        return tuple(self.block(s, a) for s, a in zip(shape, axes, strict=True))

    @property
    def pes(self) -> int:
        return self.width * self.height

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


def elements(shape: Sequence[int]) -> int:
    """Number of elements of a shape."""
    count = 1
    for size in shape:
        count *= size
    return count


def whole(rank: int) -> Axes:
    """The layout that gives every PE the whole tensor."""
    return ("",) * rank


def operand_axes(amap: ir.AffineMap, assignment: Sequence[str]) -> Axes:
    """The layout an operand needs when iterator `i` is split over axis `assignment[i]`."""
    positions = [dim_position(e) for e in amap.results]
    return tuple("" if p is None else assignment[p] for p in positions)


def is_local_map(amap: ir.AffineMap) -> bool:
    """Whether each operand dimension is an iterator of its own or a constant: the map of an op without windows."""
    seen: set[int] = set()
    for expr in amap.results:
        position = dim_position(expr)
        if position is None and not isinstance(expr, ir.AffineConstantExpr):
            return False
        if position is not None:
            if position in seen:
                return False
            seen.add(position)
    return True


def assignments(view: Structured, splittable: Sequence[bool], grid: Grid) -> list[Axes]:
    """Every way to split the iterators of `view` over the grid's axes, each axis at most once.

    Args:
        splittable: per iterator, whether it may be split (some reductions may not).
    """
    sizes = view.loop_sizes()
    candidates = [i for i, ok in enumerate(splittable) if ok and (sizes[i] or 0) > 1]
    axes = [a for a in AXES if grid.extent(a) > 1]
    result: list[Axes] = []
    for choice in itertools.product([None, *candidates], repeat=len(axes)):
        used = [c for c in choice if c is not None]
        if len(used) != len(set(used)):
            continue
        assignment = [""] * len(view.iterators)
        for axis, iterator in zip(axes, choice, strict=True):
            if iterator is not None:
                assignment[iterator] = axis
        result.append(tuple(assignment))
    return result


@dataclass(frozen=True)
class Step:
    """One step of a redistribution: `axis` of dimension `dim` is gathered (made whole) or sliced (split)."""

    kind: str  # "gather" | "slice"
    dim: int
    axis: str


def redistribution(source: Axes, target: Axes) -> list[Step]:
    """Steps that turn one layout into another: slices first where the axis is free, for they only shrink tiles."""
    current = list(source)
    steps: list[Step] = []
    while current != list(target):
        for dim, axis in enumerate(target):
            if axis and current[dim] == "" and axis not in current:
                steps.append(Step("slice", dim, axis))
                current[dim] = axis
        for dim, axis in enumerate(target):
            if current[dim] and current[dim] != axis:
                steps.append(Step("gather", dim, current[dim]))
                current[dim] = ""
                break
    return steps


def apply_step(axes: Axes, step: Step) -> Axes:
    """The layout after one step."""
    changed = list(axes)
    changed[step.dim] = "" if step.kind == "gather" else step.axis
    return tuple(changed)


def reshape_axes(
    source_shape: Sequence[int],
    target_shape: Sequence[int],
    groups: Sequence[Sequence[int]],
    axes: Axes,
    grid: Grid,
    *,
    expand: bool,
) -> Axes | None:
    """The target layout of a reshape whose source is laid out as `axes`, None when tiles would not line up.

    A group's split survives when it is on the group's outermost dimension of more than one element and both
    sides cut it at the same places.

    Args:
        groups: reassociation, per collapsed dimension the expanded ones.
    """
    wide_shape = target_shape if expand else source_shape
    flat_shape = source_shape if expand else target_shape
    result = [""] * len(target_shape)
    for flat, wide in enumerate(groups):
        outer = next((d for d in wide if wide_shape[d] > 1), wide[0] if wide else None)
        held = [axes[flat]] if expand else [axes[d] for d in wide]
        used = [a for a in held if a]
        if not used:
            continue
        axis = used[0]
        if outer is None or (not expand and axes[outer] != axis) or len(used) > 1:
            return None
        inner = elements([wide_shape[d] for d in wide if d > outer])
        if grid.block(wide_shape[outer], axis) * inner != grid.block(flat_shape[flat], axis):
            return None
        result[outer if expand else flat] = axis
    return tuple(result)
