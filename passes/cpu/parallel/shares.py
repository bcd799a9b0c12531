"""How loops, and the loops in them, are divided into shares of about equal cost.

The iterations of all loops are laid out on one line, each as long as it costs, and the line is cut into equal parts.
Where loops are divided together with those in them, an iteration is as long as what is in it, and a cut may go through
it: 13 rows of 3 tiles become 19 tiles and 20. An innermost iteration belongs to the part that its middle is in: so
seven whole tiles and a small edge become four tiles, and three with the edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

_PRECISION = 16  # weight of the dearest iteration
_ALIKE = 1.001  # costs that differ less are rounded differently
_TYPICAL_SIZE = 128  # of what is known only at run time
_OPEN_BALANCE, _DEEP_OPEN_BALANCE = (
    0.8,
    0.9,
)  # expected of open sizes, and where inner loops are divided as well
_WORTH_A_LEVEL = 0.01  # of balance: dividing one more level of loops costs a few instructions an iteration


@dataclass(frozen=True)
class ParallelLoop:
    """A marked `scf.for`.

    Attributes:
        trips: how often it runs; None if that is known only at run time.
        cost: of all its iterations; only its proportion to that of its neighbours counts.
        inner: the marked loops directly in it, where nothing else in it has an effect.
        step: of its induction variable; 0 if that is known only at run time.
    """

    op: Any
    trips: int | None
    cost: float
    inner: tuple[ParallelLoop, ...] = ()
    step: int = 1

    @property
    def depth(self) -> int:
        return 1 + max((loop.depth for loop in self.inner), default=0)


@dataclass(frozen=True)
class Stretch:
    """A loop on the line.

    Attributes:
        weight: of an iteration, positive, where no loop in it is divided.
        inner: the loops in it that are divided together with it; then an iteration is as long as all of these.
    """

    loop: ParallelLoop
    weight: int
    inner: tuple[Stretch, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether its length is known only at run time."""
        return self.loop.trips is None or any(stretch.is_open for stretch in self.inner)

    @property
    def step(self) -> int:
        """Length of an iteration."""
        return length(self.inner) if self.inner else self.weight

    @property
    def trips(self) -> int:
        return self.loop.trips or 0

    def first(self, past: int) -> int:
        """The first iteration that does not belong to the part that ends `past` its beginning; nothing is in it."""
        return min((2 * max(past, 0) + self.weight - 1) // (2 * self.weight), self.trips)

    def between(self, start: int, stop: int) -> int:
        """The length of what belongs to a part; both are distances from its beginning."""
        if not self.inner:
            return self.weight * (self.first(stop) - self.first(start))
        step = max(1, self.step)
        start, stop = max(start, 0), min(stop, self.trips * step)
        if start >= stop:
            return 0
        first, last = start // step, (stop - 1) // step
        if first == last:
            return between(self.inner, start - first * step, stop - first * step)
        ends = between(self.inner, start - first * step, step) + between(self.inner, 0, stop - last * step)
        return ends + (last - first - 1) * step


Stretches = tuple[Stretch, ...]


def length(line: Stretches) -> int:
    """Of a line whose loops are not open."""
    return sum(stretch.trips * stretch.step for stretch in line)


def between(line: Stretches, start: int, stop: int) -> int:
    """The length of what belongs to the part of a line from one place to another."""
    found = offset = 0
    for stretch in line:
        found += stretch.between(start - offset, stop - offset)
        offset += stretch.trips * stretch.step
    return found


@dataclass(frozen=True)
class DividedLine:
    """A line that is cut into as many parts as a nest is; a part of the nest has one of each of its lines.

    Attributes:
        repeats: how often it is gone through.
    """

    line: Stretches
    repeats: int = 1


Cuts = tuple[DividedLine, ...]


def cuts(loops: Sequence[ParallelLoop], shares: int) -> Cuts:
    """Where to cut: the loops alone, or together with those in them as far as shares become more even.

    What an outer iteration reads stays in one thread's cache, so the next choice is last: that each outer iteration
    is cut. Two rows of two tiles and a row of two smaller ones go in two so, and not on one line.
    """
    depth = max(loop.depth for loop in loops)
    lines = [lay_out(loops, levels) for levels in range(1, depth + 1)]
    choices = [(DividedLine(line),) for line in lines] + [_cut_inside(line) for line in lines[1:]]
    best = choices[0]
    for choice in choices[1:]:
        if balance(choice, shares) > balance(best, shares) + _WORTH_A_LEVEL:
            best = choice
    return best


def _cut_inside(line: Stretches) -> Cuts:
    """Cuts in each iteration of the outermost loops, and those with no others in them by themselves."""
    inside = tuple(DividedLine(stretch.inner, stretch.loop.trips or 1) for stretch in line if stretch.inner)
    alone = tuple(stretch for stretch in line if not stretch.inner)
    return (*inside, DividedLine(alone)) if alone else inside


def balance(chosen: Cuts, shares: int) -> float:
    """Mean share by longest share: 1 where all are equally long. Open sizes may be one or many."""
    if shares > 1 and any(stretch.is_open for cut in chosen for stretch in cut.line):
        return _DEEP_OPEN_BALANCE if any(s.inner for cut in chosen for s in cut.line) else _OPEN_BALANCE
    longest = whole = 0
    for share in range(shares):
        part = 0
        for cut in chosen:
            total = length(cut.line)
            part += cut.repeats * between(cut.line, total * share // shares, total * (share + 1) // shares)
        longest, whole = max(longest, part), whole + part
    return whole / (shares * longest) if longest else 1.0


def lay_out(loops: Sequence[ParallelLoop], depth: int) -> Stretches:
    """The line of loops that are divided together with those in them, `depth` levels in all."""
    costs = list(_innermost(loops, depth, 1.0))
    largest, smallest = max(costs, default=1.0), min(costs, default=1.0)
    scale = _PRECISION / largest if largest > _ALIKE * smallest else 0.0
    return _stretches(loops, depth, 1.0, scale)


def _stretches(loops: Sequence[ParallelLoop], depth: int, cost: float, scale: float) -> Stretches:
    return tuple(
        Stretch(
            loop,
            max(1, round(each * scale)),
            _stretches(loop.inner, depth - 1, each, scale) if depth > 1 else (),
        )
        for loop, each in zip(loops, _iterations(loops, cost), strict=True)
    )


def _innermost(loops: Sequence[ParallelLoop], depth: int, cost: float) -> Iterator[float]:
    """What one iteration costs of each loop that runs and in which no others are divided."""
    for loop, each in zip(loops, _iterations(loops, cost), strict=True):
        if depth > 1 and loop.inner:
            yield from _innermost(loop.inner, depth - 1, each)
        elif loop.trips != 0:
            yield each


def _iterations(loops: Sequence[ParallelLoop], cost: float) -> list[float]:
    """What one iteration of each loop costs, where all together cost so much; 0 for loops that never run.

    With an open size among them, as much as it has points: whole tiles and what is left of them have different steps.
    """
    if any(loop.trips is None for loop in loops):
        return [cost * max(loop.step, 1) / _TYPICAL_SIZE for loop in loops]
    whole = sum(loop.cost for loop in loops) or 1.0
    return [cost * loop.cost / whole / loop.trips if loop.trips else 0.0 for loop in loops]
