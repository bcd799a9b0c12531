"""Chooses the schedule of a `linalg.generic` on buffers.

The choice is made from indexing maps and strides alone. For every candidate iterator it is counted how many
instructions one point of the iteration space costs: an operand whose elements lie side by side along the candidate
costs 1/lanes, one that is scattered along it costs 1, one that can be transposed in registers a few shuffles more than
the former; and an operand that does not change along an unrolled iterator is loaded once for all unrolled points.
"""

from collections.abc import Sequence
from dataclasses import replace
from math import prod

from .....dialects.affine.expressions import used_dims
from .....dialects.affine.maps import depends_on
from .....dialects.host import ir
from .....dialects.structured import PARALLEL, REDUCTION, Structured
from ....tensor.access import access_kind, element_bits, stride_along
from ....tensor.reductions import reduction_kinds
from ...processor import Processor
from ..vector_body import body_cost, body_divides_integers, body_vectorizes
from .loop_schedule import LoopSchedule
from .shuffled_load import find_steps

KnownSizes = Sequence[int | None]

_TYPICAL_TRIP = 256  # stands for a dynamic trip count when costs are compared
_ACCUMULATORS = 4  # vectors added up side by side, to hide that an addition takes four cycles
_WINDOW = 64  # multiply-adds in a body whose loops over a window are unrolled
_LONGEST_WINDOW = 8
_SHORT_WINDOW = 3
_LONGEST_SHORT_ROW = 2048  # points of a row whose lanes are combined with those of other rows
_MOST_ROWS = 8
_SHUFFLED = 3  # instructions that a vector takes whose elements lie near each other: two loads and a shuffle
_LARGEST_SQUARE = 16  # vectors that are transposed in registers


def choose_schedule(view: Structured, sizes: KnownSizes, cpu: Processor) -> LoopSchedule:
    """The schedule with the fewest instructions a point; scalar when nothing can be vectorised."""
    parallel = tuple(i for i, kind in enumerate(view.iterators) if kind == PARALLEL)
    reduction = tuple(i for i, kind in enumerate(view.iterators) if kind == REDUCTION)
    parallel, reduction = (
        _by_stride(view, view.inits, parallel),
        _by_stride(view, view.inputs, reduction),
    )
    scalar = LoopSchedule(None, 1, parallel, reduction)
    best, best_cost = scalar, _cost(view, scalar, sizes)
    for iterator in range(len(view.iterators)):
        candidate = _vectorised(view, scalar, iterator, sizes, cpu)
        if candidate is None:
            continue
        cost = _cost(view, candidate, sizes)
        if cost < best_cost:
            best, best_cost = candidate, cost
    return best


def trips(size: int | None) -> int:
    """A trip count to reckon with."""
    return _TYPICAL_TRIP if size is None else max(size, 1)


def _vectorised(
    view: Structured, scalar: LoopSchedule, iterator: int, sizes: KnownSizes, cpu: Processor
) -> LoopSchedule | None:
    """The schedule whose lanes are filled along an iterator, or None when it cannot be."""
    size, bits = sizes[iterator], _widest(view, iterator)
    lanes = cpu.lanes(bits)
    masks = can_mask(view, iterator, cpu)
    if size is not None:
        # a short row fills the better part of one masked vector; without masks it takes a vector that it fills
        most = 1 << ((max(size, 1) - 1).bit_length() if masks else max(size, 1).bit_length() - 1)
        lanes = min(lanes, most)
    if lanes < 2 or not body_vectorizes(view, iterator):
        return None
    if iterator in scalar.reduction and reduction_kinds(view) is None:
        return None
    schedule = replace(
        scalar,
        vector=iterator,
        width=lanes,
        masks=masks,
        parallel=_last(scalar.parallel, iterator),
        reduction=_last(scalar.reduction, iterator),
    )
    if schedule.reduction:
        if iterator in scalar.parallel and _stays_in_cache(view, schedule, sizes, cpu):
            schedule = replace(schedule, parallel=(iterator, *schedule.parallel[:-1]))
        schedule = replace(schedule, unroll=_register_tile(view, schedule, sizes, cpu))
    else:
        schedule = _stepping(view, _transposing(view, schedule, sizes), sizes)
    if size is None and _scattered(view, schedule):
        schedule = replace(schedule, masks=False)  # lanes that are loaded one by one must all be there
    return schedule


def can_mask(view: Structured, iterator: int, cpu: Processor) -> bool:
    """Whether partial vectors along an iterator can be masked: loads, stores, and what is computed in dead lanes."""
    if body_divides_integers(view):
        return False  # by the zeros of dead lanes
    narrowest = min(
        element_bits(v.type)
        for v, amap in zip(view.operands, view.maps, strict=True)
        if isinstance(v.type, ir.MemRefType) and depends_on(amap, iterator)
    )
    # AVX-512 masks elements of any width; AVX those of 32 and 64 bits, but its masked stores are slow: only where the
    # alternative is a loop over scalars
    if cpu.vector_bits >= 512:
        return True
    dynamic = view.loop_sizes()[iterator] is None
    reads_only = view.iterators[iterator] == REDUCTION
    return cpu.vector_bits == 256 and narrowest >= 32 and (dynamic or reads_only)


def _widest(view: Structured, iterator: int) -> int:
    """Bits of the widest elements that fill lanes when the iterator is vectorised."""
    pairs = list(zip(view.operands, view.maps, strict=True))
    in_lanes = [v for v, amap in pairs if depends_on(amap, iterator)]
    if view.iterators[iterator] == REDUCTION:
        in_lanes += view.inits  # partial results fill lanes too
    return max(element_bits(v.type) for v in in_lanes)


def _last(iterators: tuple[int, ...], iterator: int) -> tuple[int, ...]:
    if iterator not in iterators:
        return iterators
    return (*(i for i in iterators if i != iterator), iterator)


def _by_stride(view: Structured, values: Sequence[ir.Value], iterators: tuple[int, ...]) -> tuple[int, ...]:
    """Iterators ordered so that inner loops take the shorter steps through the first of `values` that they all move in.

    They keep their order where steps are not known or equal.
    """
    maps = dict(zip(view.operands, view.maps, strict=True))
    for value in values:
        steps = {i: stride_along(value, maps[value], i) for i in iterators}
        if all(steps.values()):
            return tuple(sorted(iterators, key=lambda i: -(steps[i] or 0)))
    return iterators


def _scattered(view: Structured, schedule: LoopSchedule) -> bool:
    assert schedule.vector is not None
    pairs = zip(view.operands, view.maps, strict=True)
    return any(access_kind(v, amap, schedule.vector) == "scattered" for v, amap in pairs)


def _stepping(view: Structured, schedule: LoopSchedule, sizes: KnownSizes) -> LoopSchedule:
    """Writes out all vectors of a row where some input's lanes lie differently in each of them."""
    vector = schedule.vector
    if vector is None or schedule.across is not None:
        return schedule
    pairs = zip(view.inputs, view.input_maps, strict=True)
    steps = [find_steps(v, m, vector, sizes[vector], schedule.width) for v, m in pairs if is_in_memory(v)]
    if all(s is None or s.fixed for s in steps):
        return schedule
    return replace(schedule, unroll={vector: trips(sizes[vector]) // schedule.width})


def is_in_memory(value: ir.Value) -> bool:
    return isinstance(value.type, ir.MemRefType)


def _transposing(view: Structured, schedule: LoopSchedule, sizes: KnownSizes) -> LoopSchedule:
    """Adds the iterator along which inputs that are scattered along the vectorised one lie side by side."""
    vector, width = schedule.vector, min(schedule.width, _LARGEST_SQUARE)
    assert vector is not None
    if width < 4 or trips(sizes[vector]) < width:
        return schedule
    votes: dict[int, int] = {}
    for value, amap in zip(view.inputs, view.input_maps, strict=True):
        if access_kind(value, amap, vector) != "scattered" or not stride_along(value, amap, vector):
            continue
        for other in schedule.parallel:
            if other != vector and access_kind(value, amap, other) == "contiguous":
                votes[other] = votes.get(other, 0) + 1
    wanted = [i for i in votes if trips(sizes[i]) * 2 >= width]
    if not wanted:
        return schedule
    across = max(wanted, key=lambda i: votes[i])
    order = (
        *(i for i in schedule.parallel if i not in (across, vector)),
        across,
        vector,
    )
    dynamic = sizes[across] is None or sizes[vector] is None
    masks = schedule.masks and not dynamic
    return replace(schedule, width=width, parallel=order, across=across, unroll={across: width}, masks=masks)


def _register_tile(
    view: Structured, schedule: LoopSchedule, sizes: KnownSizes, cpu: Processor
) -> dict[int, int]:
    """How many points of each iterator a reduction handles at once, within the register file."""
    vector = schedule.vector
    assert vector is not None
    large = cpu.vector_registers >= 32
    window = _window(view, schedule)
    unroll: dict[int, int] = {}
    whole_vectors = max(1, trips(sizes[vector]) // schedule.width)
    if vector in schedule.parallel:
        reused = [window] if window is not None else _reused(view, schedule, sizes)[:1]
        most = 12 if large else 6
        if window is not None:
            most = 8 if large else 6
        points = prod(unroll_factor(sizes[i], most) for i in reused)
        # without other points several vectors hide the latency of an add
        vectors = (
            2 if reused and (window is None or points < _ACCUMULATORS) else 1 if reused else _ACCUMULATORS
        )
        unroll[vector] = min(vectors, whole_vectors)
    else:
        reused, most = _reused(view, schedule, sizes)[:2], 4 if large else 2
        if not reused:
            most = _side_by_side(view, schedule, sizes, cpu)
            reused = [i for i in schedule.parallel if sizes[i] != 1][-1:]
        points = prod(unroll_factor(sizes[i], most) for i in reused)
        unroll[vector] = min(max(1, _ACCUMULATORS // points), whole_vectors)
    for iterator in reused:
        unroll[iterator] = unroll_factor(sizes[iterator], most)
    if window is not None and vector in schedule.parallel and large:
        unroll |= dict.fromkeys(_rows_of_long_windows(view, schedule, sizes, window), 2)
    body = prod(unroll.values())
    for iterator in reversed(schedule.reduction):
        size = sizes[iterator]
        if iterator == vector:
            continue
        if size is None or size > _LONGEST_WINDOW or body * size > _WINDOW:
            break
        unroll[iterator] = size
        body *= size
    return {k: n for k, n in unroll.items() if n > 1}


def _side_by_side(view: Structured, schedule: LoopSchedule, sizes: KnownSizes, cpu: Processor) -> int:
    """How many rows whose lanes are combined run at once, so that the lanes of all of them are combined together.

    That pays for the greatest and the least: their steps take three instructions that wait for each other. Sums of
    lanes are cheap, and rows that are read one after the other come from a cache faster.
    """
    assert schedule.vector is not None
    kinds = reduction_kinds(view) or []
    long = trips(sizes[schedule.vector]) > _LONGEST_SHORT_ROW
    if long or not any(combiner.kind in ("maximumf", "minimumf") for combiner in kinds):
        return 1
    rows = min(_MOST_ROWS, cpu.vector_registers // 2 // len(kinds))
    while rows > 1 and rows * body_cost(view) > _WINDOW:
        rows //= 2
    return max(1, rows)


def _window(view: Structured, schedule: LoopSchedule) -> int | None:
    """The innermost parallel loop whose neighbouring points see the same elements of a window: d1 of x[d1 + d3]."""
    for iterator in reversed(schedule.parallel):
        if iterator == schedule.vector:
            continue
        for amap in view.input_maps:
            for expr in amap.results:
                dims = used_dims(expr)
                if iterator in dims and dims & set(schedule.reduction):
                    return iterator
    return None


def _rows_of_long_windows(
    view: Structured, schedule: LoopSchedule, sizes: KnownSizes, window: int
) -> list[int]:
    """The loop outside of `window` along which windows slide as well, where two rows of results share what they read.

    That halves what comes from beyond the first cache, and twice as many sums hide how long a multiply-add takes.
    Windows of three elements gain nothing.
    """
    summed = set(schedule.reduction)
    for amap in view.input_maps:
        sliding = [dims for e in amap.results if len(dims := used_dims(e)) > 1 and dims & summed]
        others = [i for i in schedule.parallel if i not in (window, schedule.vector)]
        rows = [i for i in others if any(i in dims for dims in sliding)]
        taps = [trips(sizes[i]) for dims in sliding for i in sorted(dims & summed)]
        if rows and min(taps) > _SHORT_WINDOW:
            return [i for i in rows[-1:] if trips(sizes[i]) > 1]
    return []


def _stays_in_cache(view: Structured, schedule: LoopSchedule, sizes: KnownSizes, cpu: Processor) -> bool:
    """Whether windows slide over so little that a vector of channels may pass over all of it before the next does.

    The rows of one such vector fit the first level of the cache, where windows above each other find them again. Images
    that are larger than the second level are walked in the order in which they lie in memory.
    """
    if _window(view, schedule) is None:
        return False
    for value, amap in zip(view.inputs, view.input_maps, strict=True):
        if any(used_dims(e) & set(schedule.reduction) and len(used_dims(e)) > 1 for e in amap.results):
            dims = {i for e in amap.results for i in used_dims(e)} - set(schedule.reduction)
            if prod(trips(sizes[i]) for i in dims) * element_bits(value.type) // 8 > cpu.l2_bytes:
                return False
    return True


def _reused(view: Structured, schedule: LoopSchedule, sizes: KnownSizes) -> list[int]:
    """Parallel iterators, innermost first, along which some operand stays the same."""
    return [
        i
        for i in reversed(schedule.parallel)
        if i != schedule.vector and sizes[i] != 1 and any(not depends_on(m, i) for m in view.input_maps)
    ]


def unroll_factor(size: int | None, most: int) -> int:
    """A tile of at most `most` points: a divisor of the size if there is one above half of that, else `most`."""
    size = trips(size)
    if size <= most:
        return size
    divisors = [n for n in range(most, most // 2, -1) if size % n == 0]
    return divisors[0] if divisors else most


def _cost(view: Structured, schedule: LoopSchedule, sizes: KnownSizes) -> float:
    """Memory accesses and reduction work per point of the iteration space."""
    counts = [trips(s) for s in sizes]
    total = 0.0
    along = None if schedule.vector is None else sizes[schedule.vector]
    reduced = prod(counts[i] for i in schedule.reduction)
    for position, (value, amap) in enumerate(zip(view.operands, view.maps, strict=True)):
        if isinstance(value.type, ir.MemRefType):
            is_init = position >= len(view.inputs)
            total += (1.0 / reduced if is_init else 1.0) * _access_cost(value, amap, schedule, is_init, along)
    if schedule.vector in schedule.reduction:
        total += schedule.width.bit_length() / reduced
    # arithmetic: one instruction per vector, with the remainder of the vectorised loop run on narrower ones
    if schedule.vector is None:
        return total + 1.0
    trip = counts[schedule.vector]
    rest = trip % schedule.width
    return total + (trip // schedule.width + (bool(rest) if schedule.masks else rest.bit_count())) / trip


def _access_cost(
    value: ir.Value, amap: ir.AffineMap, schedule: LoopSchedule, is_init: bool, along: int | None
) -> float:
    reuse = prod(n for i, n in schedule.unroll.items() if i != schedule.vector and not depends_on(amap, i))
    if schedule.vector is None:
        return 1.0 / reuse
    width = schedule.width
    if access_kind(value, amap, schedule.vector) != "scattered":
        return 1.0 / width / reuse
    if not is_init and is_transposed(value, amap, schedule):
        return width.bit_length() / width  # a load, and as many shuffles as 2 goes into the width
    if not is_init and find_steps(value, amap, schedule.vector, along, width) is not None:
        return _SHUFFLED / width / reuse
    return 1.0 / reuse


def is_transposed(value: ir.Value, amap: ir.AffineMap, schedule: LoopSchedule) -> bool:
    """Whether an input of the operation is loaded along `across` and transposed."""
    if schedule.across is None or schedule.vector is None:
        return False
    if access_kind(value, amap, schedule.across) != "contiguous":
        return False
    return bool(stride_along(value, amap, schedule.vector)) and element_bits(value.type) >= 8
