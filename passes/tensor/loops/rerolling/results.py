"""What the rest of a function uses of a run of steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from .....dialects.host import ir, scf, tensor
from ...traversal import made_by
from .runs import StepRun
from .steps import Offsets, Sequence, is_static_view

_OPEN = ir.ShapedType.get_dynamic_stride_or_offset()
_LIGHT = frozenset({"arith.constant", "tensor.empty", "linalg.fill", "tensor.insert_slice"})


@dataclass(frozen=True)
class Kept:
    """A result of which the last step's is used."""

    at: int
    number: int


@dataclass(frozen=True, eq=False)
class Gathered:
    """A result of every step, inserted into one tensor.

    Attributes:
        at / number: the operation of the step, and which of its results.
        views: of the result, which is what is inserted.
        base: the tensor before the first insertion; None for a new one, of a place for each step.
        chain: the insertions, in their order; none for a new tensor.
        offsets / moved: where the first step inserts, and how far that advances with each.
        sizes: of what is inserted, as the tensor has them.
        shape / element_type: of the tensor.
    """

    at: int
    number: int
    views: tuple[ir.Operation, ...]
    base: ir.Value | None
    chain: tuple[ir.Operation, ...]
    offsets: Offsets
    moved: Offsets
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    shape: tuple[int, ...]
    element_type: ir.Type

    def insert(self, source: ir.Value, target: ir.Value, offsets: list[int | ir.Value]) -> ir.Value:
        """Inserts one step's result."""
        values = [o for o in offsets if not isinstance(o, int)]
        static = [o if isinstance(o, int) else _OPEN for o in offsets]
        return tensor.InsertSliceOp(
            source, target, values, [], [], static, list(self.sizes), list(self.strides)
        ).result


@dataclass
class Results:
    """The uses of a run's results behind it.

    Attributes:
        kept: results of the last step.
        gathered: results of all steps.
        inside: the operations of the run.
    """

    sequence: Sequence
    run: StepRun
    kept: list[Kept] = field(default_factory=list)
    gathered: list[Gathered] = field(default_factory=list)
    inside: set[ir.Operation] = field(default_factory=set)

    @staticmethod
    def of(sequence: Sequence, run: StepRun) -> Results:
        inside = {s.op for s in sequence.steps[run.first : run.end]}
        results = Results(sequence, run, inside=inside)
        for at in range(run.period):
            for number in range(len(sequence.steps[run.first + at].op.results)):
                results._add(at, number)
        return results

    def values(self, at: int, number: int) -> list[ir.Value]:
        """A result of all steps."""
        run = self.run
        return [
            self.sequence.steps[run.first + t * run.period + at].op.results[number] for t in range(run.trips)
        ]

    def _add(self, at: int, number: int) -> None:
        uses = [_outer_uses(v, self.inside) for v in self.values(at, number)]
        gathered = self._insertions(at, number, uses)
        if gathered is not None:
            self.gathered.append(gathered)
            inserted = set(gathered.chain)
            uses = [[u for u in of_step if u not in inserted] for of_step in uses]
        if any(uses[:-1]):
            self.gathered.append(self._stack(at, number))
        elif uses[-1]:
            self.kept.append(Kept(at, number))

    def _stack(self, at: int, number: int) -> Gathered:
        """A new tensor for the results of all steps."""
        value = self.values(at, number)[0]
        kind: Any = value.type
        rank = kind.rank
        return Gathered(
            at, number, (), None, (), (0,) * (rank + 1), (1,) + (0,) * rank, (1, *kind.shape), (1,) * (rank + 1),
            (self.run.trips, *kind.shape), kind.element_type,
        )  # fmt: skip

    def _insertions(self, at: int, number: int, uses: list[list[ir.Operation]]) -> Gathered | None:
        """Insertions of each step's result into one tensor, at offsets that advance."""
        found = [[u for u in of_step if u.name == "tensor.insert_slice"] for of_step in uses]
        for first in found[0]:
            for ops in (_linked(first, found[1:], _is_next), _linked(first, found[1:], _is_before)):
                if ops and (gathered := self._gathered(at, number, ops)) is not None:
                    return gathered
        return None

    def _gathered(self, at: int, number: int, ops: list[ir.Operation]) -> Gathered | None:
        """Insertions that follow each other, given in the order of the steps, as something that a loop can do."""
        chain = ops if _is_next(ops[0], ops[1]) else ops[::-1]
        if not all(_goes_into(a, b) for a, b in pairwise(chain)):
            return None
        sources = [self.sequence.source(op.operands[0]) for op in ops]
        roots = self.values(at, number)
        if any(s.root != r for s, r in zip(sources, roots, strict=True)):
            return None
        if any((s.form, s.offsets) != (sources[0].form, sources[0].offsets) for s in sources):
            return None
        views: list[Any] = [op.opview for op in ops]
        keys = [(tuple(v.static_sizes), tuple(v.static_strides)) for v in views]
        offsets = [tuple(v.static_offsets) for v in views]
        moved = tuple(b - a for a, b in zip(offsets[0], offsets[1], strict=True))
        steady = all(
            tuple(a + t * m for a, m in zip(offsets[0], moved, strict=True)) == o
            for t, o in enumerate(offsets)
        )
        sizes, strides = keys[0]
        apart = any(abs(m) >= n * s for m, n, s in zip(moved, sizes, strides, strict=True) if m)
        base = chain[0].operands[1]
        if any(k != keys[0] for k in keys) or not steady or not apart or not self._hoist(base):
            return None
        kind: Any = base.type
        return Gathered(
            at, number, sources[0].views, base, tuple(chain), offsets[0], moved, sizes, strides,
            tuple(kind.shape), kind.element_type,
        )  # fmt: skip

    def _hoist(self, base: ir.Value) -> bool:
        """Moves what computes a tensor in front of the end of the run, if that computes next to nothing."""
        last = self.sequence.steps[self.run.end - 1].op
        found: dict[ir.Operation, None] = {}
        pending = [base]
        while pending:
            op = made_by(pending.pop())
            if op is None or op in found or op.block != last.block or op.is_before_in_block(last):
                if op is not None and op.block == last.block and self._is_inside(op):
                    return False
                continue
            if op == last or not (op.name in _LIGHT or is_static_view(op)):
                return False
            found[op] = None
            pending += list(op.operands)
        if any(self._depends(op) for op in found):
            return False
        for op in sorted(found, key=_Before):
            op.move_before(last)
        return True

    def _is_inside(self, op: ir.Operation) -> bool:
        """Whether an operation in front of the run's end depends on the run."""
        first = self.sequence.steps[self.run.first].op
        if op == first:
            return True
        return not op.is_before_in_block(first) and op.name not in ("arith.constant", "tensor.empty")

    def _depends(self, op: ir.Operation) -> bool:
        made = (self.sequence.index.get(self.sequence.source(v).root) for v in op.operands)
        return any(m is not None and self.run.first <= m[0] < self.run.end for m in made)

    # -- replacing

    def replace_kept(self, kept: Kept, outcome: ir.Value, loop: scf.ForOp) -> None:
        """Lets what used the last step's result use the loop's."""
        del loop
        self._replace(self.values(kept.at, kept.number)[-1], outcome)

    def replace_gathered(self, gathered: Gathered, outcome: ir.Value, loop: scf.ForOp) -> None:
        """Lets what used the tensor of all results, or each of them, use the loop's."""
        if gathered.chain:
            gathered.chain[-1].results[0].replace_all_uses_with(outcome)
            return
        values = self.values(gathered.at, gathered.number)
        with loop.location, ir.InsertionPoint.after(loop.operation):
            for trip, value in enumerate(values):
                offsets = [trip, *[0] * (len(gathered.shape) - 1)]
                part = tensor.ExtractSliceOp(
                    value.type, outcome, [], [], [], offsets, list(gathered.sizes), list(gathered.strides)
                ).result
                self._replace(value, part)

    def _replace(self, value: ir.Value, new: ir.Value) -> None:
        """Lets what is no part of the run use another value."""
        for use in list(value.uses):
            op = use.owner.operation
            if op not in self.inside and (not is_static_view(op) or _outer_uses(op.results[0], self.inside)):
                op.operands[use.operand_number] = new


class _Before:
    """Orders operations of a block."""

    def __init__(self, op: ir.Operation) -> None:
        self._op = op

    def __lt__(self, other: _Before) -> bool:
        return self._op != other._op and self._op.is_before_in_block(other._op)


def _outer_uses(value: ir.Value, inside: set[ir.Operation]) -> list[ir.Operation]:
    """What uses a value or a view of it and is no part of the run."""
    found: dict[ir.Operation, None] = {}
    pending = [value]
    while pending:
        for use in pending.pop().uses:
            op: ir.Operation = use.owner.operation
            while op.parent is not None and op not in inside and op.block != _block(value):
                op = op.parent.operation
            if op in inside:
                continue
            if is_static_view(op):
                pending.append(op.results[0])
            else:
                found[op] = None
    return list(found)


def _block(value: ir.Value) -> ir.Block | None:
    made = made_by(value)
    return made.block if made is not None else None


def _linked(
    first: ir.Operation,
    others: list[list[ir.Operation]],
    linked: Callable[[ir.Operation, ir.Operation], bool],
) -> list[ir.Operation]:
    """One insertion of each step, each linked to the one before it; nothing if a step has none."""
    found = [first]
    for candidates in others:
        fits = [op for op in candidates if len(op.operands) == 2 and linked(found[-1], op)]
        if not fits:
            return []
        found.append(fits[0])
    return found if len(first.operands) == 2 else []


def _is_next(a: ir.Operation, b: ir.Operation) -> bool:
    return b.operands[1] == a.results[0]


def _is_before(a: ir.Operation, b: ir.Operation) -> bool:
    return a.operands[1] == b.results[0]


def _goes_into(a: ir.Operation, b: ir.Operation) -> bool:
    """Whether an insertion's result is seen by nothing but the next insertion, which inserts into it."""
    return len(list(a.results[0].uses)) == 1 and _is_next(a, b)
