"""Reductions together with the elementwise operations around them: depthwise convolutions, pooling.

    generic outs(%t) { yield 0 }           the beginning: accumulators start as its value
    generic ins(%x, %w) outs(%t)           the reduction, with a parallel iterator in the lanes
    generic ins(%t, %s) outs(%y)           a stage: evaluated when a tile's accumulators are complete

The operations are found as those around a contraction are, see `contraction.chain`.
"""

from collections.abc import Sequence

from .....dialects.host import ir
from .....dialects.structured import PARALLEL, Structured
from ....tensor.contraction.form import ContractionForm
from ...processor import Processor
from ..contraction.accesses import BufferElement
from ..contraction.chain import Chain, ChainStage, delay_frees, erase_chain, find_chain
from ..vector_body import BodyEmitter, Point, Values, broadcast
from .loop_nest import LoopNest
from .loop_schedule import LoopSchedule
from .nest_leaf import Leaf, operand_of
from .schedule_choice import choose_schedule


class StagedNest(LoopNest):
    """The nest of a chain, built where its last operation stands."""

    def __init__(
        self,
        chain: Chain,
        schedule: LoopSchedule,
        sizes: Sequence[int | None],
        cpu: Processor,
        nest: int,
        *,
        shared: bool,
    ) -> None:
        super().__init__(chain.view, schedule, sizes, cpu, nest, shared=shared)
        self._chain = chain
        self._fuse = cpu.has_fma
        self._positions: dict[BufferElement, int] = {}
        stages = [*([chain.beginning] if chain.beginning else []), *chain.stages]
        for access in [chain.sums, *(a for stage in stages for a in stage.accesses)]:
            if access not in self._positions:
                self._positions[access] = len(self._operands)
                self._operands.append(operand_of(access.buffer, access.map(len(sizes)), schedule))

    def _begin(self, leaf: Leaf, points: list[Point]) -> list[Values]:
        if self._chain.beginning is None:
            return super()._begin(leaf, points)
        return [self._evaluate_stage(self._chain.beginning, leaf, point, {}) for point in points]

    def _store(self, leaf: Leaf, points: list[Point], results: list[Values]) -> None:
        held: list[dict[BufferElement, ir.Value]] = []
        for point, values in zip(points, results, strict=True):
            contents = {self._chain.sums: values[0]}
            for stage in self._chain.stages:
                computed = self._evaluate_stage(stage, leaf, point, contents)
                contents |= dict(zip(stage.outputs, computed, strict=True))
            held.append(contents)
        for point, contents in zip(points, held, strict=True):
            for access in self._chain.stored:
                leaf.store(self._positions[access], point, contents[access])

    def _evaluate_stage(
        self, stage: ChainStage, leaf: Leaf, point: Point, contents: dict[BufferElement, ir.Value]
    ) -> Values:
        """The stage's results at a point; `contents` are elements that are not in memory yet."""
        arguments: Values = []
        for number, argument in enumerate(stage.view.body.arguments):
            access = stage.accesses[number]
            if not stage.view.reads(number):
                arguments.append(argument)
            elif access in contents:
                arguments.append(contents[access])
            else:
                arguments.append(leaf.load(self._positions[access], point))
        body = BodyEmitter(stage.view, stage.column, self._fuse)
        results = body.emit(arguments, lambda i: leaf.subscript(stage.iterators[i], point), leaf.width)
        return [broadcast(value, leaf.width) for value in results]


def lower_with_stages(view: Structured, cpu: Processor, nest: int, *, shared: bool = False) -> int:
    """Replaces a reduction and the operations around it by one nest.

    Args:
        nest / shared: see `LoopNest`.

    Returns:
        How many operations were replaced; 0 when the reduction stands alone, or when its lanes are summed up.
    """
    if len(view.inits) != 1 or not all(isinstance(v.type, ir.MemRefType) for v in view.operands):
        return 0
    sizes = view.loop_sizes()
    schedule = choose_schedule(view, sizes, cpu)
    if schedule.vector is None or schedule.vector not in schedule.parallel:
        return 0
    if operand_of(view.inits[0], view.init_maps[0], schedule).kind != "contiguous":
        return 0
    parallel = tuple(i for i, kind in enumerate(view.iterators) if kind == PARALLEL)
    form = ContractionForm(0, 0, parallel, (), (schedule.vector,), schedule.reduction, schedule.vector)
    chain = find_chain(view, form, sizes)
    replaced = len(chain.members)
    if replaced == 1:
        return 0
    delay_frees(chain)
    with view.op.location, ir.InsertionPoint(chain.last):
        StagedNest(chain, schedule, sizes, cpu, nest, shared=shared).emit()
    erase_chain(chain)
    return replaced
