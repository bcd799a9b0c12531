"""`wse-reroll-loops`: steps that were imported one after the other become a loop."""

from __future__ import annotations

from ....dialects.host import func, ir
from ....dialects.structured import structured
from ...infra.pass_base import Pass, PassRun, option
from .rerolling.loop import RolledLoop
from .rerolling.results import Results
from .rerolling.runs import StepRun, recurrence, runs
from .rerolling.steps import Sequence, is_static_view

_PRODUCTS = ("matmul", "matvec", "vecmat", "conv", "dot", "contract", "reduce")


class RerollLoops(Pass, name="wse-reroll-loops", anchor="func.func"):
    """Makes an `scf.for` of a run of steps that do the same, each with what the one before it computed.

    Frameworks import recurrent networks as one copy of a step after the other; code and compile time then grow with the
    length of a sequence. Before:

        %x0 = tensor.extract_slice %x[0, 0] [1, 64] [1, 1]
        %h1 = linalg.generic ins(%x0, %h0) ...
        %x1 = tensor.extract_slice %x[1, 0] [1, 64] [1, 1]
        %h2 = linalg.generic ins(%x1, %h1) ...
        ...
        %y1 = tensor.insert_slice %h1 into %y0[0, 0] [1, 64] [1, 1]
        %y2 = tensor.insert_slice %h2 into %y1[1, 0] [1, 64] [1, 1]

    After:

        %r:2 = scf.for %i = %c0 to %c16 step %c1 iter_args(%h = %h0, %y = %y0) {
          %xi = tensor.extract_slice %x[%i, 0] [1, 64] [1, 1]
          %next = linalg.generic ins(%xi, %h) ...
          %out = tensor.insert_slice %next into %y[%i, 0] [1, 64] [1, 1]
          scf.yield %next, %out

    What a step reads from outside is the same in all of them or a slice that advances by a constant. Results that are
    used in no such order are stacked. A run is left as it is if its steps do not depend on each other, hold no product,
    have open sizes, or are few.
    """

    trips: int = option(8, "fewest steps that become a loop", least=2)
    operations: int = option(64, "fewest operations, of all steps together, that become a loop", least=0)

    def run(self, op: ir.Operation, run: PassRun) -> None:
        function = op.opview
        if not isinstance(function, func.FuncOp) or len(function.regions[0].blocks) != 1:
            return
        block = function.regions[0].blocks[0]
        while self._roll_one(block):
            run.count("loops")

    def _roll_one(self, block: ir.Block) -> bool:
        sequence = Sequence(block)
        for candidate in runs(sequence, self.trips):
            if candidate.period * candidate.trips < self.operations:
                return False
            found = recurrence(sequence, candidate, self.trips)
            if found is None or found.period * found.trips < self.operations:
                continue
            if _has_product(sequence, found) and _roll(block, sequence, found):
                return True
        return False


def _has_product(sequence: Sequence, run: StepRun) -> bool:
    return any(_is_product(s.op) for s in sequence.steps[run.first : run.first + run.period])


def _is_product(op: ir.Operation) -> bool:
    if not op.name.startswith("linalg."):
        return False
    view = structured(op)
    return not view.is_parallel() if view is not None else any(word in op.name for word in _PRODUCTS)


def _roll(block: ir.Block, sequence: Sequence, run: StepRun) -> bool:
    """Replaces a run by a loop, if its steps depend on each other."""
    results = Results.of(sequence, run)
    loop = RolledLoop(sequence, run, results)
    if not loop.is_recurrent:
        return False
    old = [s.op for s in sequence.steps[run.first : run.end]]
    made = loop.emit().operation
    _move_users_behind(block, old[0], made)
    chains = [op for gathered in results.gathered for op in gathered.chain]
    for op in [*reversed(_sorted(block, chains)), *reversed(old)]:
        _erase_with_views(op)
    return True


def _sorted(block: ir.Block, ops: list[ir.Operation]) -> list[ir.Operation]:
    wanted = set(ops)
    return [o.operation for o in block.operations if o.operation in wanted]


def _move_users_behind(block: ir.Block, first: ir.Operation, loop: ir.Operation) -> None:
    """What stands among the steps and uses the loop's results goes behind it."""
    late = set(loop.results)
    moved: list[ir.Operation] = []
    inside = False
    for view in block.operations:
        op = view.operation
        inside = inside or op == first
        if op == loop:
            break
        if inside and any(v in late for v in op.operands):
            late.update(op.results)
            moved.append(op)
    behind = loop
    for op in moved:
        op.move_after(behind)
        behind = op


def _erase_with_views(op: ir.Operation) -> None:
    """Erases an operation and the views of its results, which nothing uses."""
    for result in op.results:
        for user in [use.owner.operation for use in result.uses]:
            if is_static_view(user):
                _erase_with_views(user)
    if all(next(iter(r.uses), None) is None for r in op.results):
        op.erase()
