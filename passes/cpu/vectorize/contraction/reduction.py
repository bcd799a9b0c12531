"""Emits the loops of one register tile's reduction, and the multiply-adds in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from .....dialects.affine.maps import compose_map
from .....dialects.constants import zeros
from .....dialects.host import arith, ir, math, scf
from ....tensor.contraction.factors import product_factors
from ...processor import Processor
from ..vector_body import Values, broadcast
from .blocking import Ahead, ReductionBlock
from .chain import Chain
from .dot_product import DotProduct, read_group
from .flat_operand import FlatOperand, Offset, add, index, multiply
from .packing import ReductionGroup, panels_of
from .tile_memory import Columns, TileMemory

_SHORT_TRIP = 4  # reductions of so few steps are written out
_NOT_UNROLLED = "#llvm.loop_annotation<unroll = <disable = true>>"  # LLVM would write it out
_LONG_TRIP = 12  # steps of a reduction that are worth code of their own for those that fill no iteration
_SMALL_TILE = 8  # sums, up to which several steps of the reduction are written out


@dataclass(frozen=True)
class TileReduction:
    """The reduction of a tile, or a part of it.

    Attributes:
        sizes: trip counts of the reduction iterators that are known only at run time.
        dot: for a rhs that lies in groups, the instruction for them.
        ahead: what is fetched into the cache meanwhile.
    """

    chain: Chain
    cpu: Processor
    sizes: Mapping[int, ir.Value]
    dot: DotProduct | None
    part: ReductionBlock
    ahead: Ahead | None

    def emit(self, memory: TileMemory, points: Sequence[Mapping[int, int]], sums: Values) -> Values:
        """The sums of a tile with the products added.

        Args:
            points: the rows of the tile; sums: a vector for each and each vector of columns, row by row.
        """
        view, form = self.chain.view, self.chain.form
        panels = panels_of(view, form)
        group = panels.group if panels is not None else None
        lhs_map, rhs_map = view.maps[form.lhs], view.maps[form.rhs]
        if group is not None:
            lhs_map, rhs_map = group.map(lhs_map), group.map(rhs_map)
        lhs = FlatOperand(view.inputs[form.lhs], lhs_map, memory.bases)
        rhs = FlatOperand(view.inputs[form.rhs], rhs_map, memory.bases)
        loops = [
            _loop_of(self.chain.sizes[i], self.sizes.get(i), lhs.step(i), rhs.step(i), _group_size(group, i))
            for i in form.reduction
            if self.chain.sizes[i] != 1 or _group_size(group, i) > 1
        ]
        loops = _merged(_ordered(loops))
        rows = _Rows(lhs, tuple(_offset(lhs, point) for point in points))
        loops = self._written_out(loops, rows, sums)
        fetched = self._fetched(rhs, memory.columns, loops, group.size if group is not None else 1)
        columns = _Vectors(rhs, memory.columns, panels is not None, fetched)
        step: _Step = _Multiply(self.chain, self.cpu.has_fma, rows, columns)
        if self.dot is not None and group is not None:
            stride = lhs.distance(view.maps[form.lhs], group.iterator)
            step = _Dot(self.dot, rows, columns, stride, self.dot.group)
        return self._emit_part(loops, lhs.offset, rhs.offset, sums, step)

    def _written_out(self, loops: list[_Loop], rows: _Rows, sums: Values) -> list[_Loop]:
        """The loops in an order in which the last one, which is written out if it is short, may be.

        Windows that overlap read the same elements in several steps. Written out, these would be loaded once and stay
        in registers that the sums need. Of a square window that moves along one direction the steps along the other one
        do not share anything; where there is no such loop, the last one remains a loop.
        """
        last = loops[-1] if loops else None
        registers = len(sums) + len(sums) // max(1, len(rows.offsets)) + len(rows.offsets)
        if (
            last is None
            or not last.is_short
            or registers < self.cpu.vector_registers
            or not rows.overlap(last)
        ):
            return loops
        if len(loops) > 1 and loops[-2].is_short and not rows.overlap(loops[-2]):
            return [*loops[:-2], replace(last, is_kept=True), loops[-2]]
        return [*loops[:-1], replace(last, is_kept=True)]

    def _emit_part(self, loops: list[_Loop], lhs: Offset, rhs: Offset, sums: Values, step: _Step) -> Values:
        part = self.part
        if part.steps is not None:
            (loop,) = loops
            lhs, rhs = add(lhs, multiply(part.start, loop.lhs)), add(rhs, multiply(part.start, loop.rhs))
            loops = [replace(loop, size=part.steps, rest=loop.rest if part.is_last else 0)]
        return _emit(loops, lhs, rhs, sums, step)

    def _fetched(self, rhs: FlatOperand, columns: Columns, loops: list[_Loop], group: int) -> _Fetched | None:
        """The vectors that each step fetches."""
        ahead = self.ahead
        if ahead is None or not loops:
            return None
        if ahead.number is None:
            return _Fetched(multiply(loops[-1].rhs, ahead.steps), ahead.vectors)
        form, loop = self.chain.form, loops[0]
        width, lanes = columns.vectors * columns.lanes, columns.lanes * group
        distance = rhs.distance(_of_panels(self.chain.view.maps[form.rhs], form.column, width), form.column)
        if self.part.steps is not None:
            behind = multiply(self.part.steps, loop.rhs)
            last = add(distance, multiply(multiply(self.part.start, loop.rhs), -1))
            distance = last if self.part.is_last else behind
        if self.part.is_last and not isinstance(ahead.has_next, int):
            distance = arith.select(ahead.has_next, index(distance), index(0))
        last = index(columns.vectors - ahead.vectors)
        vector = arith.minui(index(multiply(ahead.number, ahead.vectors)), last)
        return _Fetched(add(distance, multiply(vector, lanes)), ahead.vectors)


@dataclass(frozen=True)
class _Loop:
    """A loop of the reduction.

    Attributes:
        size: trips; lhs, rhs: how far each operand moves in a step.
        rest: points that are left behind the last step, fewer than a step has.
        is_kept: whether it remains a loop, however few steps it has.
    """

    size: Offset
    lhs: Offset
    rhs: Offset
    rest: int = 0
    is_kept: bool = False

    @property
    def is_short(self) -> bool:
        """Whether it has so few steps that they can be written out."""
        return isinstance(self.size, int) and self.size <= _SHORT_TRIP


class _Step(Protocol):
    """One step of the reduction for a whole tile."""

    def emit(self, lhs: Offset, rhs: Offset, sums: Values) -> Values:
        """Emits the step at these offsets; returns the new sums, row by row."""
        ...

    def first(self, points: int) -> _Step:
        """The same for the first points of a group only."""
        ...


@dataclass(frozen=True)
class _Rows:
    """The rows of a tile in the lhs."""

    operand: FlatOperand
    offsets: tuple[Offset, ...]

    def overlap(self, loop: _Loop) -> bool:
        """Whether a row reads, in some step of a loop, what another one reads in another step."""
        known = [offset for offset in self.offsets if isinstance(offset, int)]
        if not isinstance(loop.size, int) or not isinstance(loop.lhs, int):
            return False
        later = {loop.lhs * trip for trip in range(1, loop.size)}
        return any(abs(a - b) in later for a in known for b in known)


@dataclass(frozen=True)
class _Fetched:
    """Vectors that a step fetches into the cache: the first one's distance from those it loads, and how many."""

    distance: Offset
    vectors: int


@dataclass(frozen=True)
class _Vectors:
    """The vectors of a tile in the rhs, and what of it is fetched for others meanwhile."""

    operand: FlatOperand
    columns: Columns
    is_padded: bool
    fetched: _Fetched | None

    def load(self, offset: Offset, group: int = 1) -> Values:
        """All vectors of one step, with `group` elements for each lane."""
        loaded = [self._vector(offset, number, group) for number in range(self.columns.vectors)]
        if self.fetched is not None:
            for number in range(self.fetched.vectors):
                distance = add(self.fetched.distance, number * self.columns.lanes * group)
                self.operand.prefetch(add(offset, distance))
        return loaded

    def _vector(self, offset: Offset, number: int, group: int) -> ir.Value:
        lanes = self.columns.lanes * group
        at = add(offset, number * lanes)
        mask = None if self.is_padded else self.columns.mask(number)
        if mask is None:
            return self.operand.vector(at, lanes)
        return self.operand.masked_vector(at, mask, lanes)


@dataclass(frozen=True)
class _Multiply:
    """A multiply-add for every sum, of elements as wide as the sums."""

    chain: Chain
    has_fma: bool
    rows: _Rows
    columns: _Vectors

    def emit(self, lhs: Offset, rhs: Offset, sums: Values) -> Values:
        form, factors = self.chain.form, product_factors(self.chain.view)
        assert factors is not None, "the view is a contraction"
        vectors = [factors[form.rhs].emit(v) for v in self.columns.load(rhs)]
        results: Values = []
        for number, row in enumerate(self.rows.offsets):
            scalar = factors[form.lhs].emit(self.rows.operand.scalar(add(lhs, row)))
            left = broadcast(scalar, self.columns.columns.lanes)
            for k, right in enumerate(vectors):
                results.append(self._multiply_add(left, right, sums[number * len(vectors) + k]))
        return results

    def first(self, points: int) -> _Step:
        return self

    def _multiply_add(self, left: ir.Value, right: ir.Value, total: ir.Value) -> ir.Value:
        element = ir.VectorType(total.type).element_type
        if not isinstance(element, ir.FloatType):
            return arith.addi(total, arith.muli(left, right))
        if self.has_fma and isinstance(element, (ir.F32Type, ir.F64Type)):
            return math.fma(left, right, total)
        return arith.addf(total, arith.mulf(left, right))


@dataclass(frozen=True)
class _Dot:
    """A dot product of narrow elements for every sum.

    Attributes:
        stride: between the elements of a group in the lhs; filled: how many of them there are.
    """

    dot: DotProduct
    rows: _Rows
    columns: _Vectors
    stride: Offset
    filled: int

    def emit(self, lhs: Offset, rhs: Offset, sums: Values) -> Values:
        vectors = self.columns.load(rhs, self.dot.group)
        results: Values = []
        for number, row in enumerate(self.rows.offsets):
            group = read_group(self.rows.operand, add(lhs, row), self.stride, self.dot.group, self.filled)
            left = self.dot.broadcast(group, self.columns.columns.lanes)
            for k, right in enumerate(vectors):
                results.append(self.dot.emit(sums[number * len(vectors) + k], left, right))
        return results

    def first(self, points: int) -> _Step:
        return replace(self, filled=points)


def _offset(lhs: FlatOperand, point: Mapping[int, int]) -> Offset:
    offset: Offset = 0
    for iterator, distance in point.items():
        offset = add(offset, multiply(lhs.step(iterator), distance))
    return offset


def _of_panels(amap: ir.AffineMap, column: int, width: int) -> ir.AffineMap:
    """The map with panels of `width` columns in place of columns."""
    dims: list[ir.AffineExpr] = [ir.AffineDimExpr.get(i) for i in range(amap.n_dims)]
    dims[column] = ir.AffineExpr.get_mul(dims[column], width)
    inner = ir.AffineMap.get(amap.n_dims, 0, dims)
    return compose_map(amap, inner)


def _group_size(group: ReductionGroup | None, iterator: int) -> int:
    return group.size if group is not None and group.iterator == iterator else 1


def _loop_of(size: int | None, value: ir.Value | None, lhs: Offset, rhs: Offset, group: int) -> _Loop:
    if size is not None:
        return _Loop(size // group, lhs, rhs, size % group)
    assert value is not None and group == 1, "open sizes have a value, and no groups"
    return _Loop(value, lhs, rhs)


def _emit(loops: list[_Loop], lhs: Offset, rhs: Offset, sums: Values, step: _Step) -> Values:
    """All loops, the first one outermost, and what is left behind their last steps."""
    if not loops:
        return step.emit(lhs, rhs, sums)
    first, *inner = loops
    if isinstance(first.size, int) and first.is_short and not inner and not first.is_kept:
        for trip in range(first.size):
            sums = step.emit(add(lhs, multiply(first.lhs, trip)), add(rhs, multiply(first.rhs, trip)), sums)
    else:
        sums = _emit_loop(first, inner, lhs, rhs, sums, step)
    if first.rest:
        behind = add(lhs, multiply(first.lhs, first.size)), add(rhs, multiply(first.rhs, first.size))
        sums = _emit(inner, *behind, sums, step.first(first.rest))
    return sums


def _emit_loop(
    first: _Loop, inner: list[_Loop], lhs: Offset, rhs: Offset, sums: Values, step: _Step
) -> Values:
    unroll, whole = _unrolled(first, inner, len(sums))
    # A multiply-add waits for the one before it: steps of a tile of one or two sums add to sums of their own.
    ways = max(n for n in (4, 2, 1) if n == 1 or (unroll % n == 0 and n * len(sums) <= _SMALL_TILE))
    count = len(sums)
    starts = [*sums, *(zeros(s.type) for _ in range(1, ways) for s in sums)]
    loop = scf.ForOp(index(0), index(whole), index(unroll), starts)
    if first.is_kept:
        loop.operation.attributes["llvm.loop_annotation"] = ir.Attribute.parse(_NOT_UNROLLED)
    with ir.InsertionPoint(loop.body):
        at_lhs = add(lhs, multiply(loop.induction_variable, first.lhs))
        at_rhs = add(rhs, multiply(loop.induction_variable, first.rhs))
        carried = list(loop.inner_iter_args)
        for trip in range(unroll):
            there = add(at_lhs, multiply(first.lhs, trip)), add(at_rhs, multiply(first.rhs, trip))
            mine = slice(trip % ways * count, (trip % ways + 1) * count)
            carried[mine] = _emit(inner, *there, carried[mine], step)
        scf.YieldOp(carried)
    sums = _total(list(loop.results), ways)
    if isinstance(first.size, int) and isinstance(whole, int):
        for trip in range(whole, first.size):
            sums = step.emit(add(lhs, multiply(first.lhs, trip)), add(rhs, multiply(first.rhs, trip)), sums)
    return sums


def _unrolled(loop: _Loop, inner: list[_Loop], sums: int) -> tuple[int, Offset]:
    """How many steps one iteration of a loop does, and how many steps all iterations do; few are left behind them."""
    if inner or not isinstance(loop.size, int) or sums > _SMALL_TILE:
        return 1, loop.size
    unroll = 4 if loop.size >= _LONG_TRIP else next(n for n in (4, 2, 1) if loop.size % n == 0)
    return unroll, loop.size - loop.size % unroll


def _total(sums: Values, ways: int) -> Values:
    """Sums that were added up in several ways, a power of two, as one."""
    while ways > 1:
        half = len(sums) // 2
        sums = [_plus(a, b) for a, b in zip(sums[:half], sums[half:], strict=True)]
        ways //= 2
    return sums


def _plus(a: ir.Value, b: ir.Value) -> ir.Value:
    is_float = isinstance(ir.VectorType(a.type).element_type, ir.FloatType)
    return arith.addf(a, b) if is_float else arith.addi(a, b)


def _ordered(loops: list[_Loop]) -> list[_Loop]:
    """Outermost first, so that the rhs is read in the order in which it lies in memory."""
    if not all(isinstance(loop.rhs, int) for loop in loops):
        return loops
    return sorted(loops, key=lambda loop: -abs(loop.rhs) if isinstance(loop.rhs, int) else 0)


def _merged(loops: list[_Loop]) -> list[_Loop]:
    """Neighbouring loops through elements that lie side by side in both operands become one."""
    result: list[_Loop] = []
    for loop in loops:
        if result and isinstance(loop.size, int) and not loop.rest:
            outer = result[-1]
            if all(
                isinstance(step, int) and isinstance(whole, int) and whole == loop.size * step
                for step, whole in ((loop.lhs, outer.lhs), (loop.rhs, outer.rhs))
            ):
                result[-1] = _Loop(multiply(outer.size, loop.size), loop.lhs, loop.rhs, outer.rest)
                continue
        result.append(loop)
    return result
