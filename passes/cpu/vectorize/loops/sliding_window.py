"""The greatest or least elements of windows that overlap, dimension by dimension.

    for each of 8 neighbouring results: k * k elements      8 * k * k operations
becomes
    for each of the 8 + k - 1 columns: k elements           (7 + k) * k operations
    for each of the 8 results: k neighbouring columns       8 * log2(k) operations or less

Columns stay in registers. An element may be looked at twice, which changes neither the greatest nor the least.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from .....dialects.affine.expressions import used_dims
from .....dialects.affine.linear import coefficient
from .....dialects.affine.maps import depends_on
from .....dialects.host import ir
from .....dialects.structured import REDUCTION, Structured
from ....tensor.reductions import Combiner, plain_reduction
from ...processor import Processor
from .loop_schedule import LoopSchedule
from .schedule_choice import unroll_factor

_IDEMPOTENT = ("arith.maximumf", "arith.minimumf", "arith.maxsi", "arith.minsi")
_SPARE_REGISTERS = 4
_MOST_WINDOWS = 12
_MOST_UNROLLED = 64  # elements of columns in one body

CombineValues = Callable[[ir.Value, ir.Value], ir.Value]


@dataclass(frozen=True)
class SlidingWindow:
    """Windows that slide along one loop.

    Attributes:
        along: the parallel loop.
        taps: the reduction over a window's elements in that direction, `count` of them.
        stride / dilation: elements between neighbouring windows, and between neighbours in a window.
        combiner: what is computed of a window.
        rest: the other reductions, outermost first.
        unroll: the register tile.
    """

    along: int
    taps: int
    count: int
    stride: int
    dilation: int
    combiner: Combiner
    rest: tuple[int, ...]
    unroll: Mapping[int, int]

    def columns(self, windows: int) -> dict[int, tuple[int, int]]:
        """The places that so many windows look at, each with a window and an element of it that is there."""
        found: dict[int, tuple[int, int]] = {}
        for window in range(windows):
            for tap in range(self.count):
                found.setdefault(window * self.stride + tap * self.dilation, (window, tap))
        return found

    def combined(
        self, columns: Mapping[int, ir.Value], windows: int, combine: CombineValues
    ) -> list[ir.Value]:
        """What each window comes to."""
        half = 1 << (self.count.bit_length() - 1)
        spans = {(at, 1): value for at, value in columns.items()}

        def span(at: int, length: int) -> ir.Value:
            if (at, length) not in spans:
                middle = at + length // 2 * self.dilation
                spans[at, length] = combine(span(at, length // 2), span(middle, length // 2))
            return spans[at, length]

        results: list[ir.Value] = []
        for window in range(windows):
            at = window * self.stride
            if self.stride != self.dilation or self.count < 4:  # few parts of windows are the same
                value = columns[at]
                for tap in range(1, self.count):
                    value = combine(value, columns[at + tap * self.dilation])
            elif half == self.count:
                value = span(at, half)
            else:
                value = combine(span(at, half), span(at + (self.count - half) * self.dilation, half))
            results.append(value)
        return results


def find_sliding_window(
    view: Structured, schedule: LoopSchedule, sizes: Sequence[int | None], cpu: Processor
) -> SlidingWindow | None:
    """The direction in which windows overlap in a tile, if the greatest or least of their elements is wanted."""
    combiner = plain_reduction(view)
    if combiner is None or combiner.operation not in _IDEMPOTENT or schedule.vector in schedule.reduction:
        return None
    amap = next(m for k, m in enumerate(view.input_maps) if view.reads(k))
    for along in schedule.unroll:
        if along == schedule.vector or along not in schedule.parallel:
            continue
        shared = [e for e in amap.results if along in used_dims(e)]
        if len(shared) != 1 or len(used_dims(shared[0])) != 2:
            continue
        taps = next(iter(used_dims(shared[0]) - {along}))
        stride, dilation, count = coefficient(shared[0], along), coefficient(shared[0], taps), sizes[taps]
        alone = sum(taps in used_dims(e) for e in amap.results) == 1 and view.iterators[taps] == REDUCTION
        if not alone or stride is None or dilation is None or count is None or count < 2:
            continue
        if stride <= 0 or dilation <= 0 or any(depends_on(m, taps) for m in view.init_maps):
            continue
        rest = tuple(i for i in schedule.reduction if i != taps)
        found = SlidingWindow(along, taps, count, stride, dilation, combiner, rest, {})
        tiled = _tiled(found, schedule, sizes, cpu)
        if tiled is not None:
            return tiled
    return None


def _tiled(
    window: SlidingWindow, schedule: LoopSchedule, sizes: Sequence[int | None], cpu: Processor
) -> SlidingWindow | None:
    """As many windows in a tile as leave registers for their columns, one vector of each."""
    registers = cpu.vector_registers - _SPARE_REGISTERS
    most = (registers - (window.count - 1) * window.dilation - 1) // window.stride + 1
    if most < 2:
        return None
    windows = unroll_factor(sizes[window.along], min(most, _MOST_WINDOWS))
    columns = len(window.columns(windows))
    if columns >= windows * window.count:
        return None
    unroll = {window.along: windows}
    vectors = schedule.unroll.get(schedule.vector, 1) if schedule.vector is not None else 1
    if schedule.vector is not None and vectors > 1 and columns * vectors <= registers:
        unroll[schedule.vector] = vectors
        columns *= vectors
    return replace(window, unroll=unroll | _unrolled(window.rest, sizes, columns))


def _unrolled(rest: tuple[int, ...], sizes: Sequence[int | None], body: int) -> dict[int, int]:
    unroll: dict[int, int] = {}
    for iterator in reversed(rest):
        size = sizes[iterator]
        if size is None or body * size > _MOST_UNROLLED:
            break
        unroll[iterator] = size
        body *= size
    return unroll
