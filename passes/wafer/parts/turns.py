"""Programs that take turns: a part for the wafer as several, each loaded when the one before it has ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import accumulate

from .sequence import Part, value_bytes
from .sides import SidedOperation

_OWN = 8  # what a step weighs beside the scalar operations in its body: text that moves its operands
_NEAR = 0.15  # how far from where it would be even a cut may be, as a share of a program


def in_turns(parts: Sequence[Part], programs: int) -> list[Part]:
    """The parts, those for the wafer cut so that there are so many of them, or as many as there are steps for.

    The longest is cut first; cuts are near to where text is shared evenly, and where few bytes live.
    """
    counts = [int(part.side == "wafer") for part in parts]
    for _ in range(programs - sum(counts)):
        able = [at for at, part in enumerate(parts) if 0 < counts[at] < len(part.steps)]
        if not able:
            break
        counts[max(able, key=lambda at: _weight(parts[at].steps) / counts[at])] += 1
    return [
        piece for part, count in zip(parts, counts, strict=True) for piece in _pieces(part, max(1, count))
    ]


def _weight(steps: Sequence[SidedOperation]) -> int:
    return sum(map(_text, steps))


def _text(step: SidedOperation) -> int:
    """About how much program text a step takes, beside others."""
    inner = (op for region in step.op.operation.regions for block in region for op in block.operations)
    return _OWN + sum(1 for _ in inner)


def _pieces(part: Part, count: int) -> list[Part]:
    """A part in so many, each step where the program's order has it."""
    return [Part(part.side, steps) for steps in evenly_cut(part.steps, count, _text)]


def evenly_cut(
    steps: Sequence[SidedOperation], count: int, weight: Callable[[SidedOperation], int]
) -> list[tuple[SidedOperation, ...]]:
    """Steps in so many stretches of about the same weight; cuts are near to where few bytes live."""
    before = [0, *accumulate(map(weight, steps))]
    bytes_at = _living(steps)
    share, cuts = before[-1] / count, [0]
    for number in range(1, count):
        places = range(cuts[-1] + 1, len(steps) - (count - number) + 1)
        ideal = number * share
        near = [at for at in places if abs(before[at] - ideal) <= _NEAR * share]
        closest = min(places, key=lambda at: abs(before[at] - ideal))
        cuts.append(min(near or [closest], key=lambda at: (bytes_at[at], abs(before[at] - ideal))))
    return [tuple(steps[a:b]) for a, b in zip(cuts, [*cuts[1:], len(steps)], strict=True)]


def _living(steps: Sequence[SidedOperation]) -> list[int]:
    """Bytes of results of earlier steps that later ones read, in front of each step and behind the last one."""
    last = {value: at for at, step in enumerate(steps) for value in step.sources}
    change = [0] * (len(steps) + 2)
    for at, step in enumerate(steps):
        for value in step.results:
            if value in last:
                change[at + 1] += value_bytes(value)
                change[last[value] + 1] -= value_bytes(value)
    return list(accumulate(change))[: len(steps) + 1]
