"""Where each operation of a program in parts runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from math import prod
from typing import Any, Literal

from ....dialects.host import ir
from ....dialects.structured import outer_operands
from ..scalars.refusals import NoLowering
from ..scalars.splat import made_of
from ..shard.lowering import RESHAPES, require_lowering

Side = Literal["wafer", "cpu"]

_SMALL = 64  # elements of integers, or of anything a single one, that are no reason to go to another side


@dataclass(frozen=True)
class SidedOperation:
    """An operation that runs in one part.

    Attributes:
        side: where it runs.
        refusal: why the wafer has no lowering for it; "" where it has, or where that is no reason.
        sources: values that it reads, of other steps or arguments, each once.
    """

    op: Any
    side: Side
    refusal: str
    sources: tuple[ir.Value, ...]

    @property
    def results(self) -> tuple[ir.Value, ...]:
        """What it makes."""
        return tuple(self.op.results)


def is_step(op: Any) -> bool:
    """Whether an operation runs in one part; what takes no time is made in each part that needs it.

    That is constants, tensors of one number and undefined ones, and reshapes of what has fixed sizes.
    """
    if op.operation.name in RESHAPES:
        return not ir.RankedTensorType(op.operands[0].type).has_static_shape
    if op.operation.name == "arith.constant":
        return False
    if not len(op.results) or any(made_of(result) is None for result in op.results):
        return True
    return len(roots(op.operands)) > 0


def roots(values: Iterable[ir.Value]) -> list[ir.Value]:
    """The arguments and the results of steps that values are made of, each once."""
    found: dict[ir.Value, None] = {}
    for value in values:
        owner = value.owner
        if isinstance(owner, ir.Block) or is_step(owner.opview):
            found[value] = None
        else:
            found.update(dict.fromkeys(roots(owner.operands)))
    return list(found)


def steps_of(main: Any) -> list[SidedOperation]:
    """The operations of `@main` that its results need, and where each runs.

    On the CPU run those that the wafer has no lowering for, and small ones of integers or single numbers, such as
    counters, that nothing but these needs or that need nothing else. Assertions are kept of what the CPU has anyhow;
    others are dropped, as they are wherever the wafer runs all.
    """
    *operations, terminator = main.body.blocks[0].operations
    steps = [_step(op) for op in operations if is_step(op)]
    returned = roots(terminator.operands)
    needed = _needed(steps, returned, ())
    there = {v for step in needed if step.side == "cpu" for v in (*step.sources, *step.results)}
    if there:
        makers = {result: step for step in steps for result in step.results}
        checks = (step for step in steps if step.op.operation.name == "cf.assert")
        kept = [step for step in checks if _is_of(step, there, makers)]
        needed = _needed(steps, returned, kept)
    return _with_companions(needed)


def _needed(
    steps: Sequence[SidedOperation], returned: Iterable[ir.Value], kept: Sequence[SidedOperation]
) -> list[SidedOperation]:
    """The steps that values and further steps need, and these."""
    live = {*returned, *(value for step in kept for value in step.sources)}
    found: list[SidedOperation] = []
    for step in reversed(steps):
        if any(result in live for result in step.results) or step in kept:
            live.update(step.sources)
            found.append(step)
    return found[::-1]


def _step(op: Any) -> SidedOperation:
    sources = tuple(roots(outer_operands(op.operation)))
    try:
        require_lowering(op)
    except NoLowering as refusal:
        return SidedOperation(op, "cpu", refusal.message, sources)
    return SidedOperation(op, "wafer", "", sources)


def _is_of(step: SidedOperation, there: set[ir.Value], makers: dict[ir.Value, SidedOperation]) -> bool:
    """Whether what an assertion compares is little that is made of arguments, and of values that are `there`."""
    return all(
        value in there
        or isinstance(value.owner, ir.Block)
        or (_is_small(makers[value]) and _is_of(makers[value], there, makers))
        for value in step.sources
    )


def _with_companions(steps: Sequence[SidedOperation]) -> list[SidedOperation]:
    """The steps, small ones on the CPU where all of their neighbours on one side are."""
    found = list(steps)
    sides: dict[ir.Value, Side] = {result: step.side for step in found for result in step.results}
    readers: dict[ir.Value, set[Side]] = {}
    for at in reversed(range(len(found))):
        step = found[at]
        after = [side for result in step.results for side in readers.get(result, ())]
        if step.side == "wafer" and after and set(after) == {"cpu"} and _is_small(step):
            found[at] = _moved(step, sides)
        for value in step.sources:
            readers.setdefault(value, set()).add(found[at].side)
    for at, step in enumerate(found):
        before = {sides[value] for value in step.sources if value in sides}
        if step.side == "wafer" and before == {"cpu"} and _is_small(step):
            found[at] = _moved(step, sides)
    return found


def _moved(step: SidedOperation, sides: dict[ir.Value, Side]) -> SidedOperation:
    sides.update((result, "cpu") for result in step.results)
    return replace(step, side="cpu")


def _is_small(step: SidedOperation) -> bool:
    """Whether a step takes next to no time wherever it runs."""
    kinds = [v.type for v in (*step.sources, *step.results)]
    tensors = [kind for kind in kinds if isinstance(kind, ir.RankedTensorType)]
    if any(not t.has_static_shape or prod(t.shape) > _SMALL for t in tensors):
        return False
    made = [r.type for r in step.results if isinstance(r.type, ir.RankedTensorType)]
    return all(prod(t.shape) <= 1 or isinstance(t.element_type, (ir.IntegerType, ir.IndexType)) for t in made)
