"""In which order parts of a program run, and which steps belong to each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

from ....dialects.host import ir
from ...tensor.bufferization.arena import element_bytes
from .sides import Side, SidedOperation

_SIDES: tuple[Side, Side] = ("wafer", "cpu")


@dataclass(frozen=True)
class Part:
    """Steps that run together, in the order of the program."""

    side: Side
    steps: tuple[SidedOperation, ...]


def parts_in_order(steps: Sequence[SidedOperation]) -> list[Part]:
    """As few parts as there can be such that each reads only what earlier ones made; sides alternate.

    Each step is in the earliest part that it can be in, or in a later one if fewer bytes travel then.
    """
    return min((_Levels(steps, first).parts() for first in _SIDES), key=len)


def value_bytes(value: ir.Value) -> int:
    """Bytes of a tensor; of one whose size is open, and of a number, those of one element; none of a function."""
    kind = value.type
    if not isinstance(kind, ir.RankedTensorType):
        return 0 if isinstance(kind, ir.FunctionType) else element_bytes(kind)
    return (prod(kind.shape) if kind.has_static_shape else 1) * element_bytes(kind.element_type)


class _Levels:
    """A number for each step: those of one side are even, of the other odd, and no step reads a greater one's results.

    Args:
        first: the side of the even numbers.
    """

    def __init__(self, steps: Sequence[SidedOperation], first: Side) -> None:
        self.steps = steps
        self.maker = {result: at for at, step in enumerate(steps) for result in step.results}
        self.readers: dict[ir.Value, list[int]] = {}
        for at, step in enumerate(steps):
            for value in step.sources:
                self.readers.setdefault(value, []).append(at)
        self.level: list[int] = []
        for step in steps:
            before = [self.maker[v] for v in step.sources if v in self.maker]
            least = [self.level[m] + (steps[m].side != step.side) for m in before]
            self.level.append(max([0 if step.side == first else 1, *least]))

    def parts(self) -> list[Part]:
        """The steps by level, neighbours of one side as one part."""
        for at in reversed(range(len(self.steps))):
            self._postpone(at)
        found: list[Part] = []
        for level in sorted(set(self.level)):
            steps = [step for step, own in zip(self.steps, self.level, strict=True) if own == level]
            if found and found[-1].side == steps[0].side:
                steps = [step for step in self.steps if step in found[-1].steps or step in steps]
                found.pop()
            found.append(Part(steps[0].side, tuple(steps)))
        return found

    def _postpone(self, at: int) -> None:
        """Puts a step, alone or with all that is for it alone, right before its readers, if that saves bytes."""
        step = self.steps[at]
        readers = [reader for result in step.results for reader in self.readers.get(result, ())]
        levels = [self.level[r] - (self.steps[r].side != step.side) for r in readers]
        if not levels or min(levels) <= self.level[at]:
            return
        here, latest = self.level[at], min(levels)
        tried: list[tuple[int, frozenset[int]]] = []
        for moved in (frozenset([at]), self._with_ancestors(at)):
            values = {v for m in moved for v in (*self.steps[m].sources, *self.steps[m].results)}
            before = self._travelling(values)
            self._move(moved, latest)
            tried.append((self._travelling(values) - before, moved))
            self._move(moved, here)
        saved, moved = min(tried, key=lambda t: (t[0], len(t[1])))
        if saved < 0:
            self._move(moved, latest)

    def _move(self, steps: Iterable[int], level: int) -> None:
        for step in steps:
            self.level[step] = level

    def _with_ancestors(self, at: int) -> frozenset[int]:
        """A step, and those of its level whose results nothing else than these needs."""
        found = {at}
        for before in reversed(range(at)):
            readers = [r for result in self.steps[before].results for r in self.readers.get(result, ())]
            if self.level[before] == self.level[at] and readers and found.issuperset(readers):
                found.add(before)
        return frozenset(found)

    def _travelling(self, values: Iterable[ir.Value]) -> int:
        """Bytes that come from the wafer, once, and go to it, to each level where they are read."""
        count = 0
        for value in values:
            maker = self.maker.get(value)
            levels = {self.level[r]: self.steps[r].side for r in self.readers.get(value, ())}
            if maker is not None:
                levels.pop(self.level[maker], None)
            times = sum(side == "wafer" for side in levels.values())
            times += bool(levels) and maker is not None and self.steps[maker].side == "wafer"
            count += times * value_bytes(value)
        return count
