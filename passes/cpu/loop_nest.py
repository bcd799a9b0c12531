"""Emits the loops of a scheduled `linalg.generic` on buffers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from ...dialects.host import affine, arith, ir, memref, scf, vector
from ...dialects.structured import Structured, dim_position
from .access import access_kind, depends_on, dims_of
from .loop_schedule import Schedule, Segment
from .processor import Processor
from .vector_body import BodyEmitter, Combiner, broadcast, reduction_kinds, vector_of

Values = list[ir.Value]


@dataclass
class _Leaf:
    """One body of the nest: where it stands, and what was already computed for it.

    Attributes:
        bases: index of the tile's first point, per iterator.
        width: lanes of the vectorised iterator here.
        indices / loads: values already emitted in this body; it has no stores between its loads.
    """

    bases: dict[int, ir.Value]
    width: int
    indices: dict[tuple[int, int], ir.Value] = field(default_factory=dict)
    loads: dict[tuple[int, tuple[tuple[int, int], ...]], ir.Value] = field(default_factory=dict)


Point = dict[int, int]  # iterator -> offset from the tile's base


class LoopNest:
    """Builds the nest of one operation at the current insertion point."""

    def __init__(
        self, view: Structured, schedule: Schedule, sizes: Sequence[int | None], cpu: Processor
    ) -> None:
        self.view = view
        self.schedule = schedule
        self.sizes = sizes
        self._body = BodyEmitter(view, schedule.vector, cpu.has_fma)
        self._dynamic = {i: _size_value(view, i) for i, size in enumerate(sizes) if size is None}
        self._kinds = [
            "uniform" if schedule.vector is None else access_kind(value, amap, schedule.vector)
            for value, amap in zip(view.operands, view.maps, strict=True)
        ]

    def emit(self) -> None:
        """Emits the whole nest."""
        self._parallel(0, {}, {})

    def _parallel(self, level: int, bases: dict[int, ir.Value], tile: dict[int, Segment]) -> None:
        if level == len(self.schedule.parallel):
            self._tile(bases, tile)
            return
        iterator = self.schedule.parallel[level]
        for segment in self.schedule.segments(iterator, self.sizes[iterator]):

            def body(index: ir.Value, carried: Values, segment: Segment = segment) -> Values:
                self._parallel(level + 1, {**bases, iterator: index}, {**tile, iterator: segment})
                return carried

            self._loop(iterator, segment, [], body)

    def _loop(
        self,
        iterator: int,
        segment: Segment,
        carried: Values,
        body: Callable[[ir.Value, Values], Values],
    ) -> Values:
        """Runs `body` over a segment, as an `scf.for` unless it is a single step; returns what it carries."""
        if segment.start is not None and segment.stop is not None:
            if segment.stop - segment.start == segment.step:
                return body(_constant(segment.start), carried)
            start, stop = _constant(segment.start), _constant(segment.stop)
        else:
            size = self._dynamic[iterator]
            width = self.schedule.width if iterator == self.schedule.vector else 1
            full = self.schedule.unroll.get(iterator, 1) * width
            whole = arith.subi(size, arith.remui(size, _constant(full))) if full > 1 else size
            start, stop = (_constant(0), whole) if segment.start == 0 else (whole, size)
        loop = scf.ForOp(start, stop, _constant(segment.step), carried)
        with ir.InsertionPoint(loop.body):
            scf.YieldOp(body(loop.induction_variable, list(loop.inner_iter_args)))
        return list(loop.results)

    def _tile(self, bases: dict[int, ir.Value], tile: dict[int, Segment]) -> None:
        """Loads the accumulators of one register tile, reduces into them, stores them."""
        vector_segment = tile.get(self.schedule.vector) if self.schedule.vector is not None else None
        width = vector_segment.width if vector_segment else 1
        points = _points(self.schedule.parallel, tile)
        leaf = _Leaf(bases, width)
        first = len(self.view.inputs)
        if not self.schedule.reduction:
            for point in points:
                self._store(leaf, point, self._evaluate(leaf, point, None))
            return
        positions = range(first, len(self.view.operands))
        accumulators = [self._load(leaf, position, point) for point in points for position in positions]
        accumulators = self._reduce(bases, tile, points, accumulators, width)
        count = len(self.view.inits)
        for number, point in enumerate(points):
            self._store(leaf, point, accumulators[number * count : (number + 1) * count])

    def _reduce(
        self,
        bases: dict[int, ir.Value],
        tile: dict[int, Segment],
        points: list[Point],
        accumulators: Values,
        width: int,
    ) -> Values:
        vectorised = self.schedule.vector
        if vectorised is None or vectorised not in self.schedule.reduction:
            return self._reduction(0, bases, tile, points, accumulators, width)
        combiners = reduction_kinds(self.view) or []
        combiners = combiners * len(points)
        for segment in self.schedule.segments(vectorised, self.sizes[vectorised]):
            part = accumulators
            if segment.width > 1:
                part = [
                    _neutral(combiner, acc.type, segment.width)
                    for combiner, acc in zip(combiners, accumulators, strict=True)
                ]
            inner = {**tile, vectorised: segment}
            part = self._reduction(0, bases, inner, points, part, segment.width)
            if segment.width > 1:
                part = [
                    _combine_lanes(combiner, acc, lanes)
                    for combiner, acc, lanes in zip(combiners, accumulators, part, strict=True)
                ]
            accumulators = part
        return accumulators

    def _reduction(
        self,
        level: int,
        bases: dict[int, ir.Value],
        tile: dict[int, Segment],
        points: list[Point],
        carried: Values,
        width: int,
    ) -> Values:
        if level == len(self.schedule.reduction):
            leaf = _Leaf(bases, width)
            count = len(self.view.inits)
            results: Values = []
            for number, point in enumerate(points):
                results += self._evaluate(leaf, point, carried[number * count : (number + 1) * count])
            return results
        iterator = self.schedule.reduction[level]
        if iterator == self.schedule.vector:
            segments = [tile[iterator]]
        else:
            segments = self.schedule.segments(iterator, self.sizes[iterator])
        for segment in segments:

            def body(index: ir.Value, inner: Values) -> Values:
                return self._reduction(level + 1, {**bases, iterator: index}, tile, points, inner, width)

            carried = self._loop(iterator, segment, carried, body)
        return carried

    def _evaluate(self, leaf: _Leaf, point: Point, accumulators: Values | None) -> Values:
        """The body's results at one point; the inits are read from memory when there are no accumulators."""
        count = len(self.view.inputs)
        arguments: list[Any] = []
        for position, argument in enumerate(self.view.body.arguments):
            if accumulators is not None and position >= count:
                arguments.append(accumulators[position - count])
            elif any(True for _ in argument.uses):
                arguments.append(self._load(leaf, position, point))
            else:
                arguments.append(argument)  # never looked at
        results = self._body.emit(arguments, lambda i: self._index(leaf, i, point.get(i, 0)), leaf.width)
        lanes = leaf.width if self.schedule.vector is not None else 1
        return [broadcast(value, lanes) for value in results]

    def _index(self, leaf: _Leaf, iterator: int, offset: int) -> ir.Value:
        if offset == 0:
            return leaf.bases[iterator]
        key = (iterator, offset)
        if key not in leaf.indices:
            leaf.indices[key] = arith.addi(leaf.bases[iterator], _constant(offset))
        return leaf.indices[key]

    def _subscripts(self, leaf: _Leaf, amap: ir.AffineMap, point: Point) -> Values:
        subscripts = []
        for expr in amap.results:
            position = dim_position(expr)
            if position is not None:
                subscripts.append(self._index(leaf, position, point.get(position, 0)))
            elif isinstance(expr, ir.AffineConstantExpr):
                subscripts.append(_constant(expr.value))
            else:
                used = sorted(dims_of(expr))
                dims = [
                    ir.AffineDimExpr.get(used.index(i)) if i in used else ir.AffineConstantExpr.get(0)
                    for i in range(amap.n_dims)
                ]
                local = expr.compose(ir.AffineMap.get(len(used), 0, dims))
                operands = [self._index(leaf, i, point.get(i, 0)) for i in used]
                subscripts.append(affine.apply(ir.AffineMap.get(len(used), 0, [local]), operands))
        return subscripts

    def _load(self, leaf: _Leaf, position: int, point: Point) -> ir.Value:
        value, amap = self.view.operands[position], self.view.maps[position]
        if not isinstance(value.type, ir.MemRefType):
            return value
        key = (position, tuple((i, o) for i, o in point.items() if depends_on(amap, i)))
        if key not in leaf.loads:
            leaf.loads[key] = self._load_new(leaf, value, amap, point, self._kinds[position])
        return leaf.loads[key]

    def _load_new(
        self, leaf: _Leaf, value: ir.Value, amap: ir.AffineMap, point: Point, kind: str
    ) -> ir.Value:
        element = ir.MemRefType(value.type).element_type
        if leaf.width == 1 or kind == "uniform":
            return memref.load(value, self._subscripts(leaf, amap, point))
        if kind == "contiguous":
            subscripts = self._subscripts(leaf, amap, point)
            return vector.LoadOp(vector_of(element, leaf.width), value, subscripts).result
        lanes = [memref.load(value, self._subscripts(leaf, amap, lane)) for lane in self._lanes(leaf, point)]
        return vector.FromElementsOp(vector_of(element, leaf.width), lanes).result

    def _lanes(self, leaf: _Leaf, point: Point) -> list[Point]:
        vectorised = self.schedule.vector
        assert vectorised is not None
        return [{**point, vectorised: point.get(vectorised, 0) + lane} for lane in range(leaf.width)]

    def _store(self, leaf: _Leaf, point: Point, results: Values) -> None:
        first = len(self.view.inputs)
        for number, (result, target) in enumerate(zip(results, self.view.inits, strict=True)):
            amap, kind = self.view.maps[first + number], self._kinds[first + number]
            if not isinstance(result.type, ir.VectorType):
                memref.StoreOp(result, target, self._subscripts(leaf, amap, point))
            elif kind == "contiguous":
                vector.StoreOp(result, target, self._subscripts(leaf, amap, point))
            else:
                for lane, where in enumerate(self._lanes(leaf, point)):
                    element = vector.ExtractOp(result, [], [lane]).result
                    memref.StoreOp(element, target, self._subscripts(leaf, amap, where))


def _points(parallel: Sequence[int], tile: dict[int, Segment]) -> list[Point]:
    offsets = [[k * tile[i].width for k in range(tile[i].unroll)] for i in parallel]
    return [dict(zip(parallel, combination, strict=True)) for combination in product(*offsets)]


def _constant(value: int) -> ir.Value:
    return arith.constant(ir.IndexType.get(), value)


def _size_value(view: Structured, iterator: int) -> ir.Value:
    """The run-time trip count of an iterator, from an operand that has it as a plain dimension."""
    for value, amap in zip(view.operands, view.maps, strict=True):
        for dim, expr in enumerate(amap.results):
            if dim_position(expr) == iterator:
                return memref.dim(value, _constant(dim))
    raise ValueError(f"no operand has iterator {iterator} as a plain dimension")


def _neutral(combiner: Combiner, element: ir.Type, width: int) -> ir.Value:
    kind = vector_of(element, width)
    return arith.constant(kind, ir.DenseElementsAttr.get_splat(kind, combiner.neutral_attribute(element)))


def _combine_lanes(combiner: Combiner, accumulator: ir.Value, lanes: ir.Value) -> ir.Value:
    kind = ir.Attribute.parse(f"#vector.kind<{combiner.kind}>")
    reassociate = ir.Attribute.parse("#arith.fastmath<reassoc>")
    is_sum = combiner.operation in ("arith.addf", "arith.mulf")
    reduced = vector.ReductionOp(
        accumulator.type, kind, lanes, fastmath=reassociate if is_sum else None
    ).result
    combined = ir.Operation.create(
        combiner.operation, results=[accumulator.type], operands=[accumulator, reduced]
    )
    return combined.results[0]
