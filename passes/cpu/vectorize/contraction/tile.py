"""Chooses the register tile of a contraction from a small model of the processor.

A tile is some rows times some vectors of columns, whose sums stay in registers over the whole reduction. One step of
the reduction loads a vector of the rhs per column vector and a scalar of the lhs per row, and does rows x vectors
multiply-adds. The model takes two multiply-adds and two loads a cycle and a latency of four cycles, which fits the
x86 cores of the last ten years, and looks for the tile whose total over all tiles of the operation is smallest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import gcd, prod

from .....dialects.affine.linear import coefficient
from .....dialects.host import ir
from .....dialects.structured import Structured
from ....tensor.access import element_bits
from ....tensor.contraction.form import ContractionForm
from ...processor import Processor
from .packing import ReductionGroup

_TYPICAL_TRIP = 128  # stands for a size that is known only at run time
_MOST_VECTORS = 8
_RATE = 2.0  # multiply-adds, and loads, in a cycle
_LATENCY = 5.0  # cycles until a sum can be added to again: four, and a little slack
_LOAD_PRICE = 0.08  # cycles; prefers tiles with fewer loads among equals
_REST_PRICE = 1.01  # rows or columns that do not divide need code of their own
_TILE_PRICE = 20.0  # cycles to begin and to end a tile
_LINE = 64  # bytes of a cache line
_OTHER_STREAMS = 3  # lines of a set that something else than the lhs's rows needs
_PANEL_SHARE = 0.875  # of the second-level cache, that a panel of the rhs may fill
_PANEL_PENALTY = 1.15


@dataclass(frozen=True)
class TileShape:
    """A register tile.

    Attributes:
        rows: iterator -> how many of its points one tile has; those that are absent have one.
        vectors: along the column.
        lanes: elements in a vector, a power of two.
    """

    rows: dict[int, int]
    vectors: int
    lanes: int

    @property
    def width(self) -> int:
        """Columns of the tile."""
        return self.vectors * self.lanes


def choose_tile(
    view: Structured,
    form: ContractionForm,
    sizes: tuple[int | None, ...],
    cpu: Processor,
    width: int | None = None,
    group: ReductionGroup | None = None,
) -> TileShape:
    """The tile with the fewest cycles according to the model.

    Args:
        sizes: of all iterators, see `Structured.loop_sizes`.
        width: that the rhs was packed with; rows are then chosen for it.
        group: points of the reduction that are one step.
    """
    lanes = cpu.lanes(element_bits(view.inits[0].type))
    trips = [_trips(size) for size in (group.steps(sizes) if group is not None else sizes)]
    if width is None:
        lanes = min(lanes, 1 << (trips[form.column] - 1).bit_length())
        candidates = range(1, min(_MOST_VECTORS, -(-trips[form.column] // lanes)) + 1)
    else:
        lanes = min(lanes, width & -width)
        candidates = range(width // lanes, width // lanes + 1)
    rhs_bytes = max(1, element_bits(view.operands[form.rhs].type) // 8) * (group.size if group else 1)
    unknown = frozenset(i for i, size in enumerate(sizes) if size is None)
    model = _Model(form, trips, unknown, lanes, cpu, _row_limits(view, form, cpu), rhs_bytes)
    best, best_cost = TileShape({}, 1, lanes), float("inf")
    for vectors in candidates:
        for rows in model.row_tiles(vectors):
            cost = model.cost(rows, vectors)
            if cost < best_cost:
                best, best_cost = TileShape(rows, vectors, lanes), cost
    return best


@dataclass(frozen=True)
class _Model:
    """What tiles cost.

    Attributes:
        trips: points of each iterator; open: those whose size is known only at run time.
        limits: how many points of a row iterator may be in a tile before the first-level cache suffers.
        element_bytes: of the rhs, for a step of the reduction.
    """

    form: ContractionForm
    trips: list[int]
    open: frozenset[int]
    lanes: int
    cpu: Processor
    limits: dict[int, int]
    element_bytes: int

    def row_tiles(self, vectors: int) -> Iterator[dict[int, int]]:
        """All tiles of one row iterator's points, or of all of an inner one's and some of the next one's."""
        spare = 1 if self.cpu.has_fma else 2  # the broadcast element, and the product before it is added
        most = max(1, (self.cpu.vector_registers - vectors - spare) // vectors)
        rows = [i for i in self.form.rows if self.trips[i] > 1]
        yield {}
        for number, inner in reversed(list(enumerate(rows))):
            fits = min(most, self.limits[inner])
            for count in range(2, min(fits, self.trips[inner]) + 1):
                yield {inner: count}
            whole = self.trips[inner]
            for outer in rows[:number] if whole <= fits else ():
                both = min(fits, self.limits[outer]) // whole
                for count in range(2, min(both, self.trips[outer]) + 1):
                    yield {outer: count, inner: whole}

    def cost(self, rows: dict[int, int], vectors: int) -> float:
        """Cycles of the whole operation, but for batches and columns that are not the innermost."""
        width = vectors * self.lanes
        panels, rest = self._parts(self.form.column, width)
        total = panels * self._rows_cost(rows, vectors)
        if rest:
            total = (total + self._rows_cost(rows, -(-rest // self.lanes))) * (_REST_PRICE if panels else 1.0)
        reduced = prod(self.trips[i] for i in self.form.reduction)
        several = prod(self.trips[i] for i in self.form.rows) > prod(rows.values())
        too_large = reduced * width * self.element_bytes > _PANEL_SHARE * self.cpu.l2_bytes
        return total * (_PANEL_PENALTY if several and too_large else 1.0)

    def _rows_cost(self, rows: dict[int, int], vectors: int) -> float:
        """Cycles for all rows and one panel of columns."""
        others = prod(self.trips[i] for i in self.form.rows if i not in rows)
        whole = prod(rows.values())
        if not rows:
            return others * self._tile_cost(1, vectors)
        outer = min(rows)
        count, rest = self._parts(outer, rows[outer])
        inner = whole // rows[outer]
        others *= prod(self.trips[i] // rows[i] for i in rows if i != outer)
        total = count * self._tile_cost(whole, vectors)
        if rest:
            total = (total + self._tile_cost(rest * inner, vectors)) * _REST_PRICE
        return others * total

    def _parts(self, iterator: int, step: int) -> tuple[float, int]:
        """Whole steps and what is left of an iterator; an open size is taken as one without a rest."""
        if iterator in self.open:
            return self.trips[iterator] / step, 0
        return divmod(self.trips[iterator], step)

    def _tile_cost(self, rows: int, vectors: int) -> float:
        loads = rows + vectors
        step = max(rows * vectors / _RATE, loads / _RATE, _LATENCY) + _LOAD_PRICE * loads
        reduced = prod(self.trips[i] for i in self.form.reduction)
        return reduced * step + _TILE_PRICE + rows * vectors


def _row_limits(view: Structured, form: ContractionForm, cpu: Processor) -> dict[int, int]:
    """Points of each row iterator in a tile, so that their elements of the lhs do not evict each other.

    Rows that lie a multiple of 4096 bytes apart share one set of a first-level cache of 48 KiB and 12 ways.
    """
    limits = {}
    stride_of = _strides(view.operands[form.lhs])
    size = max(1, element_bits(view.operands[form.lhs].type) // 8)
    span = cpu.l1_bytes // cpu.l1_ways  # addresses that far apart share a set
    for row in form.rows:
        limits[row] = cpu.vector_registers
        coefficients = [coefficient(e, row) for e in view.maps[form.lhs].results]
        if any(c is None for c in coefficients) or stride_of is None:
            continue
        stride = sum((c or 0) * s for c, s in zip(coefficients, stride_of, strict=True)) * size
        sets = span // gcd(stride, span) if stride else span
        limits[row] = max(1, sets * (cpu.l1_ways - _OTHER_STREAMS))
    return limits


def _strides(value: ir.Value) -> list[int] | None:
    """Elements between neighbours along each dimension; None when that is known only at run time."""
    if isinstance(value.type, ir.MemRefType):
        strides, _ = ir.MemRefType(value.type).get_strides_and_offset()
        return None if any(s == ir.ShapedType.get_dynamic_stride_or_offset() for s in strides) else strides
    shaped = ir.ShapedType(value.type)
    if any(shaped.is_dynamic_dim(d) for d in range(1, shaped.rank)):
        return None
    return [prod(shaped.get_dim_size(k) for k in range(d + 1, shaped.rank)) for d in range(shaped.rank)]


def _trips(size: int | None) -> int:
    return _TYPICAL_TRIP if size is None else max(size, 1)
