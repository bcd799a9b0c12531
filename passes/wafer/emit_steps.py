"""What a PE has to do, step by step, before it is written out for each class of PEs.

Expressions are affine in symbols: `s0` = x, `s1` = y, and one more for every enclosing loop. Steps of
communication stay abstract here; what they mean to a PE depends on its place on the line.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ...dialects.host import ir
from .layout_rules import Axes, Grid, elements

Bound = tuple[ir.AffineExpr, ...]  # the minimum of its members
COORDINATE = {"x": 0, "y": 1}


def constant(value: int) -> ir.AffineExpr:
    """A constant expression."""
    return ir.AffineExpr.get_constant(value)


def coordinate(axis: str) -> ir.AffineExpr:
    """The PE's coordinate along `axis`."""
    return ir.AffineExpr.get_symbol(COORDINATE[axis])


@dataclass(frozen=True)
class Tile:
    """The part of a value that a PE holds.

    Attributes:
        buffer: the SRAM buffer it lives in.
        shape: of the largest tile; row-major in the buffer.
        flat: whether the buffer has one dimension, because values of several shapes share it.
        sizes / axes: shape and layout of the whole tensor.
    """

    buffer: str
    shape: tuple[int, ...]
    flat: bool
    sizes: tuple[int, ...]
    axes: Axes

    def at(self, indices: Sequence[ir.AffineExpr]) -> "Access":
        """The access to the element at `indices` of the tile."""
        if not self.flat:
            return Access(self.buffer, tuple(indices))
        position = constant(0)
        stride = elements(self.shape)
        for index, size in zip(indices, self.shape, strict=True):
            stride //= max(size, 1)
            position = position + index * stride
        return Access(self.buffer, (position,))

    def bounds(self, grid: Grid) -> tuple[Bound, ...]:
        """Trip counts of a walk over the elements that this PE holds."""
        return tuple(local_bound(s, a, grid) for s, a in zip(self.sizes, self.axes, strict=True))


def local_bound(size: int, axis: str, grid: Grid, block_index: ir.AffineExpr | None = None) -> Bound:
    """How many elements of a dimension block `block_index` holds (default: the PE's own); may be negative."""
    if not axis:
        return (constant(size),)
    block = grid.block(size, axis)
    if block * grid.extent(axis) == size:
        return (constant(block),)
    index = coordinate(axis) if block_index is None else block_index
    return (constant(block), index * (-block) + size)


def loop_indices(rank: int) -> list[ir.AffineExpr]:
    """The dimension expressions of a loop nest of `rank`."""
    return [ir.AffineExpr.get_dim(d) for d in range(rank)]


@dataclass(frozen=True)
class Access:
    """An element of a buffer, by expressions in the loops' dimensions and the symbols."""

    buffer: str
    indices: tuple[ir.AffineExpr, ...]


@dataclass(frozen=True)
class VectorStep:
    """One vector operation on every PE."""

    kind: str
    bounds: tuple[Bound, ...]
    dst: Access
    srcs: tuple[Access | float | int, ...]


@dataclass(frozen=True)
class ReduceStep:
    """Combines `tile` along `axis` into that of the line's first PE."""

    tile: Tile
    axis: str
    kind: str


@dataclass(frozen=True)
class BroadcastStep:
    """Copies `tile` of the line's first PE to all PEs of the line."""

    tile: Tile
    axis: str


@dataclass(frozen=True)
class AllGatherStep:
    """Makes dimension `dim` of `source`, split along `axis`, whole in `target`."""

    source: Tile
    target: Tile
    axis: str
    dim: int


@dataclass(frozen=True)
class LoopStep:
    """Runs `body` for the next symbol = 0, 1, ... below `trips`."""

    trips: Bound
    body: "tuple[Step, ...]"


@dataclass(frozen=True)
class PhaseStep:
    """Starts a phase of the report."""

    label: str


Step = VectorStep | ReduceStep | BroadcastStep | AllGatherStep | LoopStep | PhaseStep


@dataclass(frozen=True)
class Located:
    """A step and the operation's location that it implements."""

    step: Step
    location: ir.Location


def buffers_of(step: Step) -> list[str]:
    """Names of the buffers that a step touches."""
    if isinstance(step, VectorStep):
        return [a.buffer for a in (step.dst, *step.srcs) if isinstance(a, Access)]
    if isinstance(step, ReduceStep | BroadcastStep):
        return [step.tile.buffer]
    if isinstance(step, AllGatherStep):
        return [step.source.buffer, step.target.buffer]
    if isinstance(step, LoopStep):
        return [name for inner in step.body for name in buffers_of(inner)]
    return []


def line_of(step: Step) -> str:
    """The axis that a step communicates along, "" when it does not."""
    return step.axis if isinstance(step, ReduceStep | BroadcastStep | AllGatherStep) else ""
