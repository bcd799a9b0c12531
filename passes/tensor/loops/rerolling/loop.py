"""Makes a loop of a run of steps."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from .....dialects.constants import splat, splat_attribute
from .....dialects.host import arith, ir, scf, tensor
from .....dialects.structured import clone_into
from ...traversal import made_by
from .results import Gathered, Kept, Results
from .runs import CARRIED, OUTSIDE, StepRun, offsets_moved, place_of
from .steps import RESHAPES, Offsets, OperandSource, Sequence, clone_with, is_constant_fill

_OPEN = ir.ShapedType.get_dynamic_stride_or_offset()


@dataclass(frozen=True)
class _Carried:
    """A value that each step hands to the next: a result of the step, seen through views.

    Attributes:
        at / number: the operation of the step, and which of its results.
        views: of the result that the next step reads; a view that nothing is lost in is taken of the carried value.
        initial: what the first step reads.
    """

    at: int
    number: int
    views: tuple[ir.Operation, ...]
    initial: ir.Value

    @property
    def reshapes_only(self) -> bool:
        return all(op.name in RESHAPES for op in self.views)


class RolledLoop:
    """Emits a loop in the place of a run."""

    def __init__(self, sequence: Sequence, run: StepRun, results: Results) -> None:
        self._sequence = sequence
        self._run = run
        self._results = results
        self._steps = sequence.steps[run.first : run.first + run.period]
        self._carried: dict[tuple[int, int], _Carried] = {}  # by operation of the step and operand
        for at, step in enumerate(self._steps):
            for slot in range(len(step.operands)):
                if place_of(sequence, run, run.first + at, slot) == CARRIED:
                    self._carried[at, slot] = self._carry(at, slot)
        self._values: dict[ir.Value, ir.Value] = {}
        self._arguments: dict[_Carried, ir.Value] = {}

    @property
    def is_recurrent(self) -> bool:
        """Whether the steps depend on each other."""
        return bool(self._carried)

    def emit(self) -> scf.ForOp:
        """Creates the loop right behind the run, and lets its results take the place of the run's."""
        run, results = self._run, self._results
        last = self._sequence.steps[run.end - 1].op
        carried = list(dict.fromkeys(self._carried.values()))
        kept = [k for k in results.kept if self._carried_by(k, carried) is None]
        with last.location, ir.InsertionPoint.after(last):
            start, end, step = (arith.ConstantOp(ir.IndexType.get(), n).result for n in (0, run.trips, 1))
            places, inits = self._initial_values(carried)
            inits += [self._empty(k) for k in kept]
            inits += [g.base or tensor.empty(list(g.shape), g.element_type) for g in results.gathered]
            loop = scf.ForOp(start, end, step, inits)
            with ir.InsertionPoint(loop.body):
                arguments = list(loop.inner_iter_args)
                self._arguments = {c: arguments[k] for c, k in places.items()}
                made = [self._clone(at, loop.induction_variable) for at in range(run.period)]
                first = {k: c for c, k in reversed(places.items())}
                yielded = [self._handed_on(first[k], made) for k in range(len(first))]
                yielded += [made[k.at][k.number] for k in kept]
                targets = arguments[len(yielded) :]
                for gathered, target in zip(results.gathered, targets, strict=True):
                    source = made[gathered.at][gathered.number]
                    yielded.append(self._insert(gathered, source, target, loop.induction_variable))
                scf.YieldOp(yielded)
        behind = list(loop.results)[len(first) :]
        outcomes = dict(zip([*kept, *results.gathered], behind, strict=True))
        outcomes |= {c: loop.results[k] for c, k in places.items()}
        for k in results.kept:
            results.replace_kept(k, outcomes[self._carried_by(k, carried) or k], loop)
        for gathered in results.gathered:
            results.replace_gathered(gathered, outcomes[gathered], loop)
        return loop

    # -- what is carried

    def _carry(self, at: int, slot: int) -> _Carried:
        run, sequence = self._run, self._sequence
        second = sequence.steps[run.first + run.period + at].operands[slot]
        source = sequence.source(second)
        made, number = sequence.index[source.root]
        return _Carried(made - run.first, number, source.views, self._steps[at].operands[slot])

    def _carried_by(self, kept: Kept, carried: list[_Carried]) -> _Carried | None:
        """The carried value that holds a result of the last step after the loop."""
        fits = (c for c in carried if (c.at, c.number) == (kept.at, kept.number) and c.reshapes_only)
        return next(fits, None)

    def _initial_values(self, carried: list[_Carried]) -> tuple[dict[_Carried, int], list[ir.Value]]:
        """What the loop starts with, and where in it each carried value is: the same values are carried once."""
        places: dict[_Carried, int] = {}
        inits: list[ir.Value] = []
        known: dict[Hashable, int] = {}
        for c in carried:
            value = self._initial(c)
            element = splat_attribute(value)
            views = () if c.reshapes_only else c.views
            key = (c.at, c.number, views, value if element is None else (value.type, element))
            places[c] = known.setdefault(key, len(inits))
            if places[c] == len(inits):
                inits.append(value)
        return places, inits

    def _initial(self, carried: _Carried) -> ir.Value:
        """What the loop starts with, in the shape of the result that takes its place."""
        value = carried.initial
        if carried.reshapes_only:
            for op in reversed(carried.views):
                value = _reversed(op, value)
        return value

    def _handed_on(self, carried: _Carried, made: list[list[ir.Value]]) -> ir.Value:
        value = made[carried.at][carried.number]
        return value if carried.reshapes_only else _viewed(carried.views, value)

    def _empty(self, kept: Kept) -> ir.Value:
        kind: Any = self._steps[kept.at].op.results[kept.number].type
        return tensor.empty(list(kind.shape), kind.element_type)

    # -- the body

    def _clone(self, at: int, iv: ir.Value) -> list[ir.Value]:
        """Repeats one operation of the first step with what it reads in any step; returns its results."""
        step = self._steps[at]
        values = [self._operand(at, slot, iv) for slot in range(len(step.operands))]
        moved = self._moved(at)
        if any(moved):
            source, target = values
            results: list[ir.Value] = [
                _insertion(step.op.opview, source, target, _advancing(step.offsets, moved, iv))
            ]
        else:
            results = list(clone_with(step.op, values).results)
        self._values.update(zip(step.op.results, results, strict=True))
        return results

    def _moved(self, at: int) -> Offsets:
        step, later = self._steps[at], self._sequence.steps[self._run.first + self._run.period + at]
        return tuple(b - a for a, b in zip(step.offsets, later.offsets, strict=True))

    def _operand(self, at: int, slot: int, iv: ir.Value) -> ir.Value:
        value = self._steps[at].operands[slot]
        carried = self._carried.get((at, slot))
        if carried is not None:
            argument = self._arguments[carried]
            return _viewed(carried.views, argument) if carried.reshapes_only else argument
        source = self._sequence.source(value)
        if place_of(self._sequence, self._run, self._run.first + at, slot) != OUTSIDE:
            return _viewed(source.views, self._values[source.root])
        second = self._sequence.steps[self._run.first + self._run.period + at].operands[slot]
        return self._outer(source, self._sequence.source(second), value, iv)

    def _outer(self, source: OperandSource, second: OperandSource, value: ir.Value, iv: ir.Value) -> ir.Value:
        """A value from outside: the same in each step, or a slice that advances."""
        moved = offsets_moved(source.offsets, second.offsets)
        if any(any(m) for m in moved):
            result = source.root
            for op, offsets, steps in zip(source.views, source.offsets, moved, strict=True):
                result = (
                    _slice(op, result, _advancing(offsets, steps, iv)) if any(steps) else _view(op, result)
                )
            return result
        op = made_by(value)
        if op is None or not (op.name == "tensor.empty" or is_constant_fill(op)):
            return value
        if value not in self._values:  # every step has its own, where buffers are concerned
            chain = (
                [op]
                if op.name == "tensor.empty"
                else [o for v in op.operands if (o := made_by(v)) is not None]
            )
            self._values[value] = clone_into([*chain, op] if op not in chain else chain, {})[value]
        return self._values[value]

    def _insert(self, gathered: Gathered, source: ir.Value, target: ir.Value, iv: ir.Value) -> ir.Value:
        return gathered.insert(
            _viewed(gathered.views, source), target, _advancing(gathered.offsets, gathered.moved, iv)
        )


def _advancing(offsets: Offsets, moved: Offsets, iv: ir.Value) -> list[int | ir.Value]:
    """offset + iv * moved, for each dimension; numbers where nothing moves."""
    found: list[int | ir.Value] = []
    for offset, step in zip(offsets, moved, strict=True):
        value: int | ir.Value = offset
        if step:
            value = iv
            if step != 1:
                value = arith.MulIOp(value, arith.ConstantOp(iv.type, step).result).result
            if offset:
                value = arith.AddIOp(value, arith.ConstantOp(iv.type, offset).result).result
        found.append(value)
    return found


def _split(offsets: list[int | ir.Value]) -> tuple[list[ir.Value], list[int]]:
    open_ones = [o for o in offsets if not isinstance(o, int)]
    return open_ones, [o if isinstance(o, int) else _OPEN for o in offsets]


def _slice(op: ir.Operation, source: ir.Value, offsets: list[int | ir.Value]) -> ir.Value:
    view: Any = op.opview
    values, static = _split(offsets)
    return tensor.ExtractSliceOp(
        op.results[0].type, source, values, [], [], static, view.static_sizes, view.static_strides
    ).result


def _insertion(like: Any, source: ir.Value, target: ir.Value, offsets: list[int | ir.Value]) -> ir.Value:
    values, static = _split(offsets)
    return tensor.InsertSliceOp(
        source, target, values, [], [], static, like.static_sizes, like.static_strides
    ).result


def _view(op: ir.Operation, value: ir.Value) -> ir.Value:
    return clone_into([op], {op.operands[0]: value})[op.results[0]]


def _viewed(views: tuple[ir.Operation, ...], value: ir.Value) -> ir.Value:
    for op in views:
        value = _view(op, value)
    return value


def _reversed(reshape: ir.Operation, value: ir.Value) -> ir.Value:
    """A reshaped value in the shape that it was reshaped from."""
    kind, groups = reshape.operands[0].type, reshape.attributes["reassociation"]
    element = splat_attribute(value)
    if element is not None:
        return splat(kind, element)
    if reshape.name == "tensor.expand_shape":
        return tensor.CollapseShapeOp(kind, value, groups).result
    return tensor.ExpandShapeOp(kind, value, groups, [], list(ir.ShapedType(kind).shape)).result
