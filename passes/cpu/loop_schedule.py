"""Chooses how a `linalg.generic` on buffers becomes loops: the vectorised iterator and the register tile.

The choice is made from indexing maps alone. For every candidate iterator it is counted how many scalar
memory accesses one point of the iteration space costs: an operand whose elements lie side by side along
the candidate costs 1/lanes, one that is scattered along it costs 1; and an operand that does not change
along an unrolled iterator is loaded once for all of the unrolled points.
"""

from dataclasses import dataclass, field
from math import prod

from ...dialects.host import ir
from ...dialects.structured import PARALLEL, REDUCTION, Structured
from .access import access_kind, depends_on, element_bits
from .processor import Processor
from .vector_body import body_vectorizes, reduction_kinds

_TYPICAL_TRIP = 256  # stands for a dynamic trip count when costs are compared


@dataclass(frozen=True)
class Segment:
    """A part of an iterator's range that is run by one loop: [start, stop) in steps of unroll * width.

    An iterator of dynamic size has one segment of whole steps, from 0 to None, and one of single points for the
    rest, from None to None.
    """

    start: int | None
    stop: int | None
    unroll: int
    width: int = 1

    @property
    def step(self) -> int:
        return self.unroll * self.width


@dataclass(frozen=True)
class Schedule:
    """How to run one operation.

    Attributes:
        vector: iterator whose points fill vector lanes; None for scalar code.
        width: lanes of a full vector.
        unroll: register tile: points of an iterator (vectors, for `vector`) that one loop body handles.
        parallel / reduction: iterators of each type, outermost loop first.
    """

    vector: int | None
    width: int
    parallel: tuple[int, ...]
    reduction: tuple[int, ...]
    unroll: dict[int, int] = field(default_factory=dict)

    def segments(self, iterator: int, size: int | None) -> list[Segment]:
        """The loops that together cover iterator's range of `size` points (None: known only at run time)."""
        unroll = self.unroll.get(iterator, 1)
        width = self.width if iterator == self.vector else 1
        step = unroll * width
        if size is None:
            if step == 1:
                return [Segment(0, None, 1)]
            return [Segment(0, None, unroll, width), Segment(None, None, 1)]
        pieces: list[Segment] = []
        at = size - size % step
        if at:
            pieces.append(Segment(0, at, unroll, width))
        if (size - at) // width:
            stop = size - size % width
            pieces.append(Segment(at, stop, (stop - at) // width, width))
            at = stop
        while at < size:
            width = 1 << ((size - at).bit_length() - 1)
            pieces.append(Segment(at, at + width, 1, width))
            at += width
        return pieces


def choose_schedule(view: Structured, sizes: tuple[int | None, ...], cpu: Processor) -> Schedule:
    """The schedule with the fewest memory accesses a point; scalar when nothing can be vectorised."""
    parallel = tuple(i for i, kind in enumerate(view.iterators) if kind == PARALLEL)
    reduction = tuple(i for i, kind in enumerate(view.iterators) if kind == REDUCTION)
    scalar = Schedule(None, 1, parallel, reduction)
    best, best_cost = scalar, _cost(view, scalar, sizes)
    for iterator in range(len(view.iterators)):
        size = sizes[iterator]
        lanes = cpu.lanes(_widest(view, iterator))
        width = lanes if size is None else min(lanes, 1 << (max(size, 1).bit_length() - 1))
        if width < 2 or not body_vectorizes(view, iterator):
            continue
        if iterator in reduction and reduction_kinds(view) is None:
            continue
        candidate = _with_register_tile(view, iterator, width, parallel, reduction, sizes, cpu)
        cost = _cost(view, candidate, sizes)
        if cost < best_cost:
            best, best_cost = candidate, cost
    return best


def _widest(view: Structured, iterator: int) -> int:
    """Bits of the widest elements that fill lanes when the iterator is vectorised."""
    pairs = list(zip(view.operands, view.maps, strict=True))
    in_lanes = [v for v, amap in pairs if depends_on(amap, iterator)]
    if view.iterators[iterator] == REDUCTION:
        in_lanes += view.inits  # partial results fill lanes too
    return max(element_bits(v.type) for v in in_lanes)


def _with_register_tile(
    view: Structured,
    vector: int,
    width: int,
    parallel: tuple[int, ...],
    reduction: tuple[int, ...],
    sizes: tuple[int | None, ...],
    cpu: Processor,
) -> Schedule:
    """Unrolls the parallel iterators along which operands are reused, within the register file.

    With a parallel iterator in the lanes, two vectors of it times up to 12 points of another are accumulated
    (6 where there are 16 registers); with a reduction in the lanes, 4 x 4 points (2 x 2) are.
    """
    order = tuple(i for i in parallel if i != vector) + ((vector,) if vector in parallel else ())
    if not reduction:
        return Schedule(vector, width, order, reduction)
    large = cpu.vector_registers >= 32
    reused = [
        i
        for i in reversed(parallel)
        if i != vector and sizes[i] != 1 and any(not depends_on(m, i) for m in view.input_maps)
    ]
    unroll: dict[int, int] = {}
    if vector in parallel:
        reused, most = reused[-1:], 12 if large else 6
        vectors = 2 if reused else 4  # without reuse, several accumulators still hide the latency of an add
        unroll[vector] = max(1, min(vectors, _trips(sizes[vector]) // width))
    else:
        reused, most = reused[:2], 4 if large else 2
    for iterator in reused:
        unroll[iterator] = _unroll_factor(sizes[iterator], most)
    reduction_order = tuple(i for i in reduction if i != vector) + ((vector,) if vector in reduction else ())
    return Schedule(vector, width, order, reduction_order, {k: n for k, n in unroll.items() if n > 1})


def _trips(size: int | None) -> int:
    return _TYPICAL_TRIP if size is None else max(size, 1)


def _unroll_factor(size: int | None, most: int) -> int:
    """A tile of at most `most` points: a divisor of the size if there is one above half of that, else `most`."""
    size = _trips(size)
    if size <= most:
        return size
    divisors = [n for n in range(most, most // 2, -1) if size % n == 0]
    return divisors[0] if divisors else most


def _cost(view: Structured, schedule: Schedule, sizes: tuple[int | None, ...]) -> float:
    """Memory accesses and reduction work per point of the iteration space."""
    trips = [_trips(s) for s in sizes]
    total = 0.0
    reduced = prod(trips[i] for i in schedule.reduction)
    for position, (value, amap) in enumerate(zip(view.operands, view.maps, strict=True)):
        if not isinstance(value.type, ir.MemRefType):
            continue
        lanes = 1
        if schedule.vector is not None and access_kind(value, amap, schedule.vector) != "scattered":
            lanes = schedule.width
        is_init = position >= len(view.inputs)
        reuse = prod(
            n for i, n in schedule.unroll.items() if i != schedule.vector and not depends_on(amap, i)
        )
        total += (1.0 / reduced if is_init else 1.0) / lanes / reuse
    if schedule.vector in schedule.reduction:
        total += schedule.width.bit_length() / reduced
    # arithmetic: one instruction per vector, with the remainder of the vectorised loop run on narrower ones
    if schedule.vector is None:
        return total + 1.0
    trip = trips[schedule.vector]
    rest = trip % schedule.width
    return total + (trip // schedule.width + rest.bit_count()) / trip
