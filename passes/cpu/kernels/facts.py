"""What grouping wants to know about one `linalg.generic` on buffers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

from ....dialects.affine.expressions import dim_position
from ....dialects.host import ir
from ....dialects.structured import PARALLEL, Structured, structured
from ...tensor.bufferization.arena import element_bytes
from ...tensor.contraction.form import ContractionForm, contraction_form
from .buffers import Root, is_memref, root_of

_UNKNOWN_SIZE = 1 << 12  # what an open size is taken for
_DEAR = frozenset({"arith.divf", "arith.remf"})  # math functions take about as long: ten of the others


@dataclass(frozen=True)
class OperandAccess:
    """How an operand's elements are reached: the buffer's root, the memref's type and the map from iterators."""

    root: Root
    kind: ir.MemRefType
    map: ir.AffineMap

    @property
    def elements(self) -> int:
        return prod(_sizes(self.kind))

    @property
    def bytes(self) -> int:
        return self.elements * element_bytes(self.kind.element_type)

    @cached_property
    def long_places(self) -> list[ir.AffineExpr]:
        """The map's results along dimensions of other sizes than 1."""
        return [expr for expr, size in zip(self.map.results, self.kind.shape, strict=True) if size != 1]

    @cached_property
    def long_shape(self) -> list[int]:
        """The sizes of these dimensions."""
        return [size for size in self.kind.shape if size != 1]


@dataclass(frozen=True)
class Facts:
    """A `linalg.generic` on buffers with roots that are known."""

    view: Structured
    reads: tuple[OperandAccess, ...]
    writes: tuple[OperandAccess, ...]

    @cached_property
    def form(self) -> ContractionForm | None:
        return contraction_form(self.view)

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """Iterations of each loop, open ones estimated."""
        return tuple(_UNKNOWN_SIZE if s is None else s for s in self.view.loop_sizes())

    @property
    def points(self) -> int:
        return prod(self.sizes)

    @cached_property
    def cost(self) -> int:
        """Scalar operations, estimated."""
        each = 1
        for op in self.view.body_operations():
            each += 10 if op.operation.name in _DEAR or op.operation.name.startswith("math.") else 1
        return self.points * each

    @property
    def is_parallel(self) -> bool:
        return self.view.is_parallel()

    @property
    def accumulates(self) -> tuple[Root, ...]:
        """Roots that the operation updates: their old contents count."""
        first = len(self.view.inputs)
        return tuple(w.root for n, w in enumerate(self.writes) if self.view.reads(first + n))

    @property
    def initialises(self) -> bool:
        """Whether it only gives one buffer values that are cheap to come by: a fill, a copy, a broadcast, a cast."""
        one = len(self.writes) == 1 and self.is_parallel and self.view.init_maps[0].is_permutation
        return one and not self.accumulates and self.cost <= 2 * self.points

    def parallel_points(self, access: OperandAccess) -> dict[int, int]:
        """Dimension of an operand -> parallel loop that runs along it by itself."""
        found = {}
        for dim, expr in enumerate(access.map.results):
            loop = dim_position(expr)
            if loop is not None and self.view.iterators[loop] == PARALLEL:
                found[dim] = loop
        return found


def facts_of(op: ir.Operation) -> Facts | None:
    """The facts of a generic whose buffers are known; None for all else."""
    view = structured(op) if op.name == "linalg.generic" else None
    if view is None or len(op.results):
        return None
    reads, writes = [], []
    for number, (operand, amap) in enumerate(zip(view.operands, view.maps, strict=True)):
        if not is_memref(operand):
            continue
        root = root_of(operand)
        if root is None:
            return None
        access = OperandAccess(root, ir.MemRefType(operand.type), amap)
        (reads if number < len(view.inputs) else writes).append(access)
    return Facts(view, tuple(reads), tuple(writes))


def _sizes(kind: ir.MemRefType) -> list[int]:
    return [_UNKNOWN_SIZE if kind.is_dynamic_dim(d) else kind.get_dim_size(d) for d in range(kind.rank)]
