"""Emits the loops of a scheduled `linalg.generic` on buffers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import product
from math import prod
from typing import Any

from .....dialects.host import arith, ir, scf, vector
from .....dialects.structured import Structured
from ....tensor.access import access_kind, size_value
from ....tensor.reductions import Combiner, reduction_kinds
from ...parallel.marks import mark_parallel
from ...processor import Processor
from ..vector_body import (
    BodyEmitter,
    Point,
    Values,
    body_cost,
    broadcast,
    vector_of,
)
from .lane_results import combine, combine_all, combine_lanes, combine_rows, neutral, powers_of_two
from .loop_schedule import LoopSchedule, LoopSegment
from .nest_leaf import (
    Leaf,
    LeafOperand,
    LoadKey,
    constant_index,
    loop_invariant_inputs,
    mask_type,
    operands_of,
)
from .nest_leaf import constant_mask as leading_lanes
from .schedule_choice import trips
from .sliding_window import SlidingWindow, find_sliding_window

_MARKED_LEVELS = 2  # loops, from the outermost, whose iterations threads may share

Bases = Mapping[int, ir.Value]  # iterator -> index of a tile's first point
TileSegments = Mapping[int, LoopSegment]  # iterator -> the part of its range in which a tile lies
Loads = Mapping[LoadKey, ir.Value]


class LoopNest:
    """Builds the nest of one operation at the current insertion point.

    Args:
        nest: number by which its outermost loops are marked as parallel.
        shared: whether threads will share them: then parts of one step are loops as well.
    """

    def __init__(
        self,
        view: Structured,
        schedule: LoopSchedule,
        sizes: Sequence[int | None],
        cpu: Processor,
        nest: int = 0,
        *,
        shared: bool = False,
    ) -> None:
        self.view = view
        self.schedule = schedule
        self.sizes = sizes
        self._nest, self._shared = nest, shared
        self._body = BodyEmitter(view, schedule.vector, cpu.has_fma)
        self._dynamic = {i: size_value(view, i) for i, size in enumerate(sizes) if size is None}
        self._operands: list[LeafOperand] = operands_of(view, schedule)
        self._window = find_sliding_window(view, schedule, sizes, cpu)
        if self._window is not None:
            self.schedule = replace(schedule, unroll=dict(self._window.unroll))
        self._reduced = self.schedule.reduction if self._window is None else self._window.rest
        self._nothing: ir.Value | None = None
        self._combiners: list[Combiner] = []
        if schedule.vector in schedule.reduction:
            self._combiners = reduction_kinds(view) or []

    def emit(self) -> None:
        """Emits the whole nest."""
        self._parallel(0, {}, {}, {}, 0)

    def _parallel(self, level: int, bases: Bases, tile: TileSegments, loads: Loads, marked: int) -> None:
        """The loops from `level` on, in so many that are marked."""
        if level == len(self.schedule.parallel):
            self._tile(bases, tile, loads)
            return
        iterator = self.schedule.parallel[level]
        if not self.schedule.reduction and level == len(self.schedule.parallel) - 1:
            loads = self._invariant_loads(bases, tile, iterator)
        segments = self.schedule.segments(iterator, self.sizes[iterator])
        mark = marked < _MARKED_LEVELS
        for segment in segments:
            part = {**tile, iterator: segment}
            looped = not segment.is_single_step or (self._shared and mark and len(segments) > 1)

            def body(
                index: ir.Value,
                carried: Values,
                part: TileSegments = part,
                inside: int = marked + looped,
            ) -> Values:
                self._parallel(level + 1, {**bases, iterator: index}, part, loads, inside)
                return carried

            loop = self._loop(iterator, segment, [], body, looped)[1]
            if loop is not None and mark:
                mark_parallel(loop, self._nest, self._cost(iterator, segment))

    def _cost(self, iterator: int, segment: LoopSegment) -> int:
        points = prod(trips(size) for size in self.sizes)
        if segment.start is not None and segment.stop is not None:
            points = points * (segment.stop - segment.start) // trips(self.sizes[iterator])
        elif segment.follows:
            points = 0  # what is left of an unknown number
        return points * body_cost(self.view)

    def _loop(
        self,
        iterator: int,
        segment: LoopSegment,
        carried: Values,
        body: Callable[[ir.Value, Values], Values],
        looped: bool = False,
    ) -> tuple[Values, Any]:
        """Runs `body` over a segment: what it carries, and the `scf.for`, unless it is a single step or `looped`."""
        if segment.start is not None and segment.stop is not None:
            start = constant_index(segment.start)
            if segment.is_single_step and not looped:
                return body(start, carried), None
            stop = constant_index(segment.stop)
        else:
            size = self._dynamic[iterator]
            start = _whole_steps(size, segment.follows) if segment.follows else constant_index(0)
            stop = size if segment.last else _whole_steps(size, segment.step)
        loop = scf.ForOp(start, stop, constant_index(segment.step), carried)
        with ir.InsertionPoint(loop.body):
            scf.YieldOp(body(loop.induction_variable, list(loop.inner_iter_args)))
        return list(loop.results), loop

    def _leaf(self, bases: Bases, tile: TileSegments, loads: Loads) -> Leaf:
        """A body at `bases`, in the vectors of that part of the vectorised iterator that the tile is in."""
        vector_iterator = self.schedule.vector
        across = tile.get(self.schedule.across) if self.schedule.across is not None else None
        points = across.unroll if across else 0
        segment = tile.get(vector_iterator) if vector_iterator is not None else None
        if segment is None or vector_iterator is None:
            return Leaf(
                self._operands,
                self.schedule,
                bases,
                1,
                loads=loads,
                across_points=points,
            )
        mask, valid = None, None
        if segment.masked and segment.start is not None and segment.stop is not None:
            valid = segment.stop - segment.start
            mask = leading_lanes(segment.width, valid)
        elif segment.masked:
            left = arith.subi(self._dynamic[vector_iterator], bases[vector_iterator])
            mask = vector.CreateMaskOp(mask_type(segment.width), [left]).result
        return Leaf(
            self._operands,
            self.schedule,
            bases,
            segment.width,
            mask,
            valid,
            loads,
            points,
        )

    def _invariant_loads(self, bases: Bases, tile: TileSegments, innermost: int) -> Loads:
        """Loads what does not change in the innermost loop before it: the loop stores, and LLVM cannot tell where."""
        leaf = self._leaf(bases, tile, {})
        outer = self.schedule.parallel[:-1]
        for position in loop_invariant_inputs(self.view, (innermost,)):
            for point in _points(outer, tile):
                leaf.load(position, point)
        return leaf.loads

    def _tile(self, bases: Bases, tile: TileSegments, loads: Loads) -> None:
        """Loads the accumulators of one register tile, reduces into them, stores them."""
        points = _points(self.schedule.parallel, tile)
        leaf = self._leaf(bases, tile, loads)
        if not self.schedule.reduction:
            together = [points] if self.schedule.across is not None else [[point] for point in points]
            for part in together:
                self._store(leaf, part, [self._evaluate(leaf, point, None) for point in part])
            return
        olds = [] if self._combiners else self._begin(leaf, points)
        for position in loop_invariant_inputs(self.view, self.schedule.reduction):
            for point in points:
                leaf.load(position, point)
        if self._combiners:
            rows = self._reduce_lanes(bases, tile, points, leaf.loads)
            self._finish_lanes(leaf, tile, points, rows)
            return
        flat = [old for row in olds for old in row]
        if self._window is not None:
            self._store(leaf, points, self._slide(self._window, bases, tile, leaf.loads, olds))
            return
        flat = self._reduction(0, bases, tile, points, flat, leaf.loads)
        self._store(leaf, points, _rows(flat, len(self.view.inits)))

    def _slide(
        self, window: SlidingWindow, bases: Bases, tile: TileSegments, loads: Loads, olds: list[Values]
    ) -> list[Values]:
        """Reduces the columns that the windows of a tile look at, then each window's columns."""
        count, combiner = tile[window.along].unroll, window.combiner
        columns = window.columns(count)
        others = [i for i in self.schedule.parallel if i != window.along]
        rows = _points(others, tile)
        points: list[Point] = [
            {**row, window.along: u, window.taps: k} for row in rows for u, k in columns.values()
        ]
        lanes = tile[self.schedule.vector].width if self.schedule.vector is not None else 1
        element = ir.MemRefType(self.view.inits[0].type).element_type
        self._nothing = (
            neutral(combiner, element, lanes)
            if lanes > 1
            else arith.constant(element, combiner.neutral_attribute(element))
        )
        there = {**bases, window.taps: constant_index(0)}
        flat = self._reduction(0, there, tile, points, [self._nothing] * len(points), loads)
        results: dict[tuple[tuple[int, int], ...], ir.Value] = {}
        for number, row in enumerate(rows):
            part = dict(zip(columns, flat[number * len(columns) :], strict=False))
            values = window.combined(part, count, partial(combine, combiner))
            results |= {_key({**row, window.along: u}): value for u, value in enumerate(values)}
        points = _points(self.schedule.parallel, tile)
        return [
            [combine(combiner, old, results[_key(point)])] for (old,), point in zip(olds, points, strict=True)
        ]

    def _begin(self, leaf: Leaf, points: list[Point]) -> list[Values]:
        """What the accumulators of each point start as."""
        positions = range(len(self.view.inputs), len(self.view.operands))
        return [[leaf.load(position, point) for position in positions] for point in points]

    def _store(self, leaf: Leaf, points: list[Point], results: list[Values]) -> None:
        """Writes the results of each point."""
        first = len(self.view.inputs)
        for point, values in zip(points, results, strict=True):
            for number, value in enumerate(values):
                leaf.store(first + number, point, value)

    def _reduce_lanes(
        self, bases: Bases, tile: TileSegments, points: list[Point], loads: Loads
    ) -> list[Values]:
        """A reduction along the lanes: for each point and result, a vector of partial results."""
        width, parts = self.schedule.width, self._accumulators()
        elements = [ir.MemRefType(init.type).element_type for init in self.view.inits]
        starts = [neutral(c, element, width) for c, element in zip(self._combiners, elements, strict=True)]
        flat = self._reduction(0, bases, tile, points, starts * (parts * len(points)), loads)
        rows = _rows(flat, len(starts))
        return [
            [combine_all(c, [row[r] for row in rows[at : at + parts]]) for r, c in enumerate(self._combiners)]
            for at in range(0, len(rows), parts)
        ]

    def _finish_lanes(self, leaf: Leaf, tile: TileSegments, points: list[Point], rows: list[Values]) -> None:
        """Combines the lanes of each point's vectors with what the results were; neighbours at once."""
        first = len(self.view.inputs)
        side_by_side = self.schedule.parallel[-1] if self.schedule.parallel else None
        count = 1 if side_by_side is None else tile[side_by_side].unroll
        for r, combiner in enumerate(self._combiners):
            value, amap = self.view.inits[r], self.view.init_maps[r]
            together = side_by_side is not None and access_kind(value, amap, side_by_side) == "contiguous"
            most = min(self.schedule.width, count) if together else 1
            for start in range(0, len(points), count):
                for at, length in powers_of_two(count, most):
                    self._finish_rows(
                        leaf,
                        first + r,
                        combiner,
                        points[start + at],
                        [row[r] for row in rows[start + at :][:length]],
                    )

    def _finish_rows(self, leaf: Leaf, position: int, combiner: Combiner, point: Point, rows: Values) -> None:
        """Stores a result of points that lie side by side from `point` on."""
        if len(rows) == 1:
            leaf.store(position, point, combine_lanes(combiner, leaf.load(position, point), rows[0]))
            return
        value, amap = leaf.operands[position].value, leaf.operands[position].map
        kind = vector_of(ir.MemRefType(value.type).element_type, len(rows))
        subscripts = leaf.subscripts(amap, point)
        old = vector.LoadOp(kind, value, subscripts).result
        vector.StoreOp(combine(combiner, old, combine_rows(combiner, rows)), value, subscripts)

    def _accumulators(self) -> int:
        """Vectors of partial results for each result of a point."""
        vector_iterator = self.schedule.vector
        if vector_iterator is None or vector_iterator not in self.schedule.reduction:
            return 1
        return self.schedule.unroll.get(vector_iterator, 1)

    def _reduction(
        self,
        level: int,
        bases: Bases,
        tile: TileSegments,
        points: list[Point],
        carried: Values,
        loads: Loads,
    ) -> Values:
        """The reduction loops from `level` on; `carried` has the accumulators by point, part and result."""
        if level == len(self._reduced):
            return self._accumulate(bases, tile, points, carried, loads)
        iterator = self._reduced[level]
        for segment in self.schedule.segments(iterator, self.sizes[iterator]):

            def body(index: ir.Value, inner: Values, segment: LoopSegment = segment) -> Values:
                where = {**bases, iterator: index}
                return self._reduction(level + 1, where, {**tile, iterator: segment}, points, inner, loads)

            carried = self._loop(iterator, segment, carried, body)[0]
        return carried

    def _accumulate(
        self,
        bases: Bases,
        tile: TileSegments,
        points: list[Point],
        carried: Values,
        loads: Loads,
    ) -> Values:
        leaf = self._leaf(bases, tile, loads)
        parts, rows = self._accumulators(), _rows(carried, len(self.view.inits))
        for offset in _points(self._reduced, tile):
            lane = 0 if self.schedule.vector is None else offset.get(self.schedule.vector, 0)
            for number, point in enumerate(points):
                place = number * parts + lane // self.schedule.width
                rows[place] = self._accumulate_point(leaf, {**point, **offset}, rows[place])
        return [value for row in rows for value in row]

    def _accumulate_point(self, leaf: Leaf, point: Point, old: Values) -> Values:
        if self._window is not None and old[0] is self._nothing:
            position = next(k for k in range(len(self.view.inputs)) if self.view.reads(k))
            return [broadcast(leaf.load(position, point), leaf.width)]
        if not self._combiners:
            return self._evaluate(leaf, point, old)
        if leaf.width == self.schedule.width:
            new = self._evaluate(leaf, point, old)
            if leaf.mask is None:
                return new
            return [arith.select(leaf.mask, n, o) for n, o in zip(new, old, strict=True)]
        firsts = [
            vector.ExtractOp(value, [], [0]).result for value in old
        ]  # a remainder joins the first lane
        if leaf.width == 1:
            firsts = self._evaluate(leaf, point, firsts)
        else:
            kinds = list(zip(self._combiners, firsts, strict=True))
            starts = [neutral(combiner, first.type, leaf.width) for combiner, first in kinds]
            lanes = self._evaluate(leaf, point, starts)
            firsts = [combine_lanes(c, first, part) for (c, first), part in zip(kinds, lanes, strict=True)]
        return [vector.InsertOp(new, o, [], [0]).result for new, o in zip(firsts, old, strict=True)]

    def _evaluate(self, leaf: Leaf, point: Point, accumulators: Values | None) -> Values:
        """The body's results at one point; the inits are read from memory when there are no accumulators."""
        count = len(self.view.inputs)
        arguments: list[Any] = []
        for position, argument in enumerate(self.view.body.arguments):
            if accumulators is not None and position >= count:
                arguments.append(accumulators[position - count])
            elif self.view.reads(position):
                arguments.append(leaf.load(position, point))
            else:
                arguments.append(argument)  # never looked at
        results = self._body.emit(arguments, lambda i: leaf.index(i, point.get(i, 0)), leaf.width, leaf.mask)
        lanes = leaf.width if self.schedule.vector is not None else 1
        return [broadcast(value, lanes) for value in results]


def _key(point: Point) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(point.items()))


def _rows(values: Values, count: int) -> list[Values]:
    return [values[at : at + count] for at in range(0, len(values), count)]


def _points(iterators: Sequence[int], tile: TileSegments) -> list[Point]:
    offsets = [[k * tile[i].width for k in range(tile[i].unroll)] for i in iterators]
    return [dict(zip(iterators, combination, strict=True)) for combination in product(*offsets)]


def _whole_steps(size: ir.Value, step: int) -> ir.Value:
    """How far steps of that length reach without going beyond `size`."""
    if step == 1:
        return size
    return arith.subi(size, arith.remui(size, constant_index(step)))
