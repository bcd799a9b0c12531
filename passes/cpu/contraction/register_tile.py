"""Emits one register tile of a contraction: sums begin, are added up over the whole reduction, go through stages."""

from collections.abc import Mapping
from dataclasses import dataclass

from ....dialects.host import arith, ir, math, scf
from ....dialects.structured import Structured, element_type
from ..processor import Processor
from ..vector_body import BodyEmitter, broadcast
from .accesses import Access
from .chain import Chain, Stage
from .flat_operand import FlatOperand, Offset, add, index, multiply
from .packing import packed_width
from .tile_memory import Columns, Point, TileMemory, points_of

Values = list[ir.Value]

_SHORT_TRIP = 4  # reductions of so few steps are written out
_SMALL_TILE = 8  # sums, up to which several steps of the reduction are written out
_MOST_INLINE = 160  # operations of stages that are written out for all vectors of a tile
_COSTLY = {"math.exp": 15, "math.tanh": 20, "math.erf": 30, "math.log": 20, "math.powf": 40}


@dataclass(frozen=True)
class _Loop:
    """A loop of the reduction: trips, and how far each operand moves in a step."""

    size: Offset
    lhs: Offset
    rhs: Offset


class RegisterTile:
    """Emits tiles of one chain.

    Args:
        sizes: trip counts of the reduction iterators that are known only at run time.
    """

    def __init__(self, chain: Chain, cpu: Processor, sizes: Mapping[int, ir.Value]) -> None:
        self._chain = chain
        self._cpu = cpu
        self._sizes = sizes
        self.is_padded = packed_width(chain.view, chain.form) is not None
        self._is_float = isinstance(element_type(chain.view.inits[0].type), ir.FloatType)
        self._widening = _widenings(chain.view)

    def emit(self, bases: Mapping[int, ir.Value], rows: Mapping[int, int], columns: Columns) -> None:
        """Emits a tile at the current insertion point.

        Args:
            bases: the first point's indices, of all parallel iterators.
            rows: points of the row iterators that the tile has several of.
        """
        memory = self._memory(bases, columns)
        points = points_of(rows)
        sums = [self._begin(memory, point, n) for point in points for n in range(columns.vectors)]
        sums = self._reduce(memory, points, sums)
        staging = self._staging(len(sums), len(points))
        where = [(point, n) for point in points for n in range(columns.vectors)]
        if staging is None:
            for (point, number), value in zip(where, sums, strict=True):
                self._finish(memory, point, number, value)
            return
        for (point, number), value in zip(where, sums, strict=True):
            memory.store(value, staging, point, number)
        self._finish_rows(bases, list(rows.items()), columns, staging)

    def _memory(self, bases: Mapping[int, ir.Value], columns: Columns) -> TileMemory:
        return TileMemory(bases, self._chain.form.column, columns, len(self._chain.sizes))

    def _begin(self, memory: TileMemory, point: Point, number: int) -> ir.Value:
        if self._chain.beginning is None:
            return memory.load(self._chain.sums, point, number)
        return self._evaluate(self._chain.beginning, memory, point, number, {})[0]

    def _reduce(self, memory: TileMemory, points: list[dict[int, int]], sums: Values) -> Values:
        view, form = self._chain.view, self._chain.form
        lhs = FlatOperand(view.inputs[form.lhs], view.maps[form.lhs], memory.bases)
        rhs = FlatOperand(view.inputs[form.rhs], view.maps[form.rhs], memory.bases)
        rows = []
        for point in points:
            offset: Offset = 0
            for iterator, distance in point.items():
                offset = add(offset, multiply(lhs.step(iterator), distance))
            rows.append(offset)
        loops = [
            _Loop(self._size(i), lhs.step(i), rhs.step(i))
            for i in form.reduction
            if self._chain.sizes[i] != 1
        ]
        step = _Step(self, lhs, rhs, rows, memory.columns)
        return self._loop(_merged(_ordered(loops)), lhs.offset, rhs.offset, sums, step)

    def _size(self, iterator: int) -> Offset:
        size = self._chain.sizes[iterator]
        return self._sizes[iterator] if size is None else size

    def _loop(self, loops: list[_Loop], lhs: Offset, rhs: Offset, sums: Values, step: "_Step") -> Values:
        if not loops:
            return step.emit(lhs, rhs, sums)
        first, *inner = loops
        if isinstance(first.size, int) and first.size <= _SHORT_TRIP and not inner:
            for trip in range(first.size):
                sums = step.emit(
                    add(lhs, multiply(first.lhs, trip)), add(rhs, multiply(first.rhs, trip)), sums
                )
            return sums
        unroll = 1
        if not inner and isinstance(first.size, int) and len(sums) <= _SMALL_TILE:
            unroll = next(n for n in (4, 2, 1) if first.size % n == 0)
        loop = scf.ForOp(index(0), index(first.size), index(unroll), sums)
        with ir.InsertionPoint(loop.body):
            at_lhs = add(lhs, multiply(loop.induction_variable, first.lhs))
            at_rhs = add(rhs, multiply(loop.induction_variable, first.rhs))
            carried = list(loop.inner_iter_args)
            for trip in range(unroll):
                there = add(at_lhs, multiply(first.lhs, trip)), add(at_rhs, multiply(first.rhs, trip))
                carried = self._loop(inner, *there, carried, step)
            scf.YieldOp(carried)
        return list(loop.results)

    def widen(self, value: ir.Value, operand: int) -> ir.Value:
        """Casts an operand's element or elements to the type of the sums."""
        for name, target in self._widening[operand]:
            kind = value.type
            result = ir.VectorType.get(kind.shape, target) if isinstance(kind, ir.VectorType) else target
            value = ir.Operation.create(name, results=[result], operands=[value]).results[0]
        return value

    def multiply_add(self, left: ir.Value, right: ir.Value, total: ir.Value) -> ir.Value:
        """`total + left * right`."""
        if not self._is_float:
            return arith.addi(total, arith.muli(left, right))
        element = ir.VectorType(total.type).element_type
        if self._cpu.has_fma and isinstance(element, (ir.F32Type, ir.F64Type)):
            return math.fma(left, right, total)
        return arith.addf(total, arith.mulf(left, right))

    def _finish(self, memory: TileMemory, point: Point, number: int, value: ir.Value) -> None:
        """Evaluates the stages for one vector and stores what is needed of it."""
        contents = {self._chain.sums: value}
        for stage in self._chain.stages:
            results = self._evaluate(stage, memory, point, number, contents)
            contents |= dict(zip(stage.outputs, results, strict=True))
        for access in self._chain.stored:
            memory.store(contents[access], access, point, number)

    def _evaluate(
        self,
        stage: Stage,
        memory: TileMemory,
        point: Point,
        number: int,
        contents: Mapping[Access, ir.Value],
    ) -> Values:
        lanes = memory.columns.lanes
        arguments: list[ir.Value] = []
        for operand, argument in enumerate(stage.view.body.arguments):
            access = stage.accesses[operand]
            if not stage.view.reads(operand):
                arguments.append(argument)
            elif access in contents:
                arguments.append(contents[access])
            else:
                arguments.append(memory.load(access, point, number))
        at = {**point, self._chain.form.column: number * lanes}
        body = BodyEmitter(stage.view, stage.column, self._cpu.has_fma)
        results = body.emit(arguments, lambda i: memory.index(stage.iterators[i], at), lanes)
        return [broadcast(value, lanes) for value in results]

    def _staging(self, vectors: int, rows: int) -> Access | None:
        """Where sums may wait, so that costly stages become a loop over rows; None when they are written out."""
        chain = self._chain
        work = sum(_COSTLY.get(op.name, 1) for s in chain.stages for op in s.view.body_operations())
        if rows == 1 or work * vectors <= _MOST_INLINE:
            return None
        kind = element_type(chain.sums.buffer.type)
        read = {a.buffer for s in chain.stages for a in s.read() if a != chain.sums}
        free = [a for a in chain.stored if element_type(a.buffer.type) == kind and a.buffer not in read]
        return free[0] if free else None

    def _finish_rows(
        self,
        bases: Mapping[int, ir.Value],
        rows: list[tuple[int, int]],
        columns: Columns,
        staging: Access,
    ) -> None:
        """The stages of all rows, as loops over them; sums wait in `staging`."""
        if not rows:
            memory = self._memory(bases, columns)
            for number in range(columns.vectors):
                self._finish(memory, {}, number, memory.load(staging, {}, number))
            return
        (iterator, count), *rest = rows
        loop = scf.ForOp(index(0), index(count), index(1))
        with ir.InsertionPoint(loop.body):
            here = arith.addi(bases[iterator], loop.induction_variable)
            self._finish_rows({**bases, iterator: here}, rest, columns, staging)
            scf.YieldOp([])


@dataclass(frozen=True)
class _Step:
    """One step of the reduction for a whole tile; `rows` are the offsets of its rows in the lhs."""

    tile: RegisterTile
    lhs: FlatOperand
    rhs: FlatOperand
    rows: list[Offset]
    columns: Columns

    def emit(self, lhs: Offset, rhs: Offset, sums: Values) -> Values:
        """Emits the step at these offsets; returns the new sums, row by row."""
        lanes, form = self.columns.lanes, self.tile._chain.form
        vectors = [self.tile.widen(self._vector(rhs, n), form.rhs) for n in range(self.columns.vectors)]
        results: Values = []
        for number, row in enumerate(self.rows):
            scalar = self.tile.widen(self.lhs.scalar(add(lhs, row)), form.lhs)
            factor = broadcast(scalar, lanes)
            for k, right in enumerate(vectors):
                total = sums[number * len(vectors) + k]
                results.append(self.tile.multiply_add(factor, right, total))
        return results

    def _vector(self, offset: Offset, number: int) -> ir.Value:
        at = add(offset, number * self.columns.lanes)
        mask = None if self.tile.is_padded else self.columns.mask(number)
        if mask is None:
            return self.rhs.vector(at, self.columns.lanes)
        return self.rhs.masked_vector(at, mask, self.columns.lanes)


def _ordered(loops: list[_Loop]) -> list[_Loop]:
    """Outermost first, so that the rhs is read in the order in which it lies in memory."""
    if not all(isinstance(loop.rhs, int) for loop in loops):
        return loops
    return sorted(loops, key=lambda loop: -abs(loop.rhs) if isinstance(loop.rhs, int) else 0)


def _merged(loops: list[_Loop]) -> list[_Loop]:
    """Neighbouring loops through elements that lie side by side in both operands become one."""
    result: list[_Loop] = []
    for loop in loops:
        if result and isinstance(loop.size, int):
            outer = result[-1]
            if all(
                isinstance(step, int) and isinstance(whole, int) and whole == loop.size * step
                for step, whole in ((loop.lhs, outer.lhs), (loop.rhs, outer.rhs))
            ):
                result[-1] = _Loop(multiply(outer.size, loop.size), loop.lhs, loop.rhs)
                continue
        result.append(loop)
    return result


def _widenings(view: Structured) -> list[list[tuple[str, ir.Type]]]:
    """For each input: names and result types of the casts between its element and the product."""
    found: list[list[tuple[str, ir.Type]]] = []
    for argument in list(view.body.arguments)[: len(view.inputs)]:
        casts: list[tuple[str, ir.Type]] = []
        value: ir.Value = argument
        while (user := next(iter(value.uses)).owner.operation).name.startswith("arith.ext"):
            value = user.results[0]
            casts.append((user.name, value.type))
        found.append(casts)
    return found
