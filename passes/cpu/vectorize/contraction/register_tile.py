"""Emits one register tile of a contraction: sums begin, are added up over the whole reduction, go through stages."""

from collections.abc import Mapping

from .....dialects.host import arith, ir, scf
from ...processor import Processor
from ..vector_body import FUNCTION_INSTRUCTIONS, BodyEmitter, Point, Values, broadcast
from .accesses import BufferElement
from .blocking import Ahead, ReductionBlock
from .chain import Chain, ChainStage
from .dot_product import DotProduct
from .flat_operand import index
from .reduction import TileReduction
from .tile_memory import Columns, TileMemory, points_of

_MOST_INLINE = 160  # operations of stages that are written out for all vectors of a tile


class RegisterTile:
    """Emits tiles of one chain.

    Args:
        sizes: trip counts of the reduction iterators that are known only at run time.
        dot: for a rhs that lies in groups, the instruction for them.
    """

    def __init__(
        self, chain: Chain, cpu: Processor, sizes: Mapping[int, ir.Value], dot: DotProduct | None
    ) -> None:
        self._chain = chain
        self._cpu = cpu
        self._sizes = sizes
        self._dot = dot

    def emit(
        self,
        bases: Mapping[int, ir.Value],
        rows: Mapping[int, int],
        columns: Columns,
        part: ReductionBlock,
        ahead: Ahead | None,
    ) -> None:
        """Emits a tile at the current insertion point.

        Args:
            bases: the first point's indices, of all parallel iterators.
            rows: points of the row iterators that the tile has several of.
        """
        memory = self._memory(bases, columns)
        points = points_of(rows)
        where = [(point, n) for point in points for n in range(columns.vectors)]
        sums = [self._begin(memory, point, n, part) for point, n in where]
        reduction = TileReduction(self._chain, self._cpu, self._sizes, self._dot, part, ahead)
        sums = reduction.emit(memory, points, sums)
        staging = self._staging(len(sums), len(points)) if part.is_last else self._chain.waiting_place()
        for (point, number), value in zip(where, sums, strict=True):
            if staging is None:
                self._finish(memory, point, number, value)
            else:
                memory.store(value, staging, point, number)
        if staging is not None and part.is_last:
            self._finish_rows(bases, list(rows.items()), columns, staging)

    def _memory(self, bases: Mapping[int, ir.Value], columns: Columns) -> TileMemory:
        return TileMemory(bases, self._chain.form.column, columns, len(self._chain.sizes))

    def _begin(self, memory: TileMemory, point: Point, number: int, part: ReductionBlock) -> ir.Value:
        if not part.is_first:
            waiting = self._chain.waiting_place()
            assert waiting is not None, "there are parts only where sums may wait"
            return memory.load(waiting, point, number)
        if self._chain.beginning is None:
            return memory.load(self._chain.sums, point, number)
        return self._evaluate(self._chain.beginning, memory, point, number, {})[0]

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
        stage: ChainStage,
        memory: TileMemory,
        point: Point,
        number: int,
        contents: Mapping[BufferElement, ir.Value],
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

    def _staging(self, vectors: int, rows: int) -> BufferElement | None:
        """Where sums may wait, so that costly stages become a loop over rows; None when they are written out."""
        chain = self._chain
        work = sum(
            FUNCTION_INSTRUCTIONS.get(op.name, 1) for s in chain.stages for op in s.view.body_operations()
        )
        if rows == 1 or work * vectors <= _MOST_INLINE:
            return None
        return chain.waiting_place()

    def _finish_rows(
        self,
        bases: Mapping[int, ir.Value],
        rows: list[tuple[int, int]],
        columns: Columns,
        staging: BufferElement,
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
