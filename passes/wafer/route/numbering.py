"""Which colours have which hardware number, and when: as few rewritten routers as can be.

Colours with the same settings may be one colour, if no PE uses both at a time: nothing has to be written in
between. That keeps a number from others for longer. So numbers are handed out as a cache is filled whose future is
known (L. A. Belady, "A study of replacement algorithms for a virtual-storage computer", 1966): in the order of the
program, and where none is left, the number goes whose settings are needed again last.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .colour_use import Spans, Use


@dataclass(frozen=True)
class Wanted:
    """A colour that wants a number.

    Attributes:
        settings: what its routers do, as text; colours with the same ones may become one.
        is_switched: PEs change its settings; it stays a colour of its own.
        starts_number: a setting that was there before would shift the count of its own: it has its number first.
        stays: nothing can write its settings again, in a loop's next trip, after another colour.
    """

    name: str
    use: Use
    settings: str
    is_switched: bool = False
    starts_number: bool = False
    stays: bool = False


@dataclass
class Holder:
    """Colours that are one, and hold a number.

    Attributes:
        first: the one whose name it has.
        names: of all of them, in order.
        use: of all of them together.
    """

    first: Wanted
    names: list[str]
    use: Use

    def comes_back(self, later: Holder) -> bool:
        """Whether it is used again after a later holder of its number: in a loop's next trip."""
        return self.use.loop is not None and self.use.loop == later.use.loop

    def is_done(self, later: Use) -> bool:
        """Whether another use may follow on its number."""
        comes_back = self.use.loop is not None and self.use.loop == later.loop
        return self.use.life[1] < later.life[0] and not (self.first.stays and comes_back)


@dataclass
class OutOfNumbers(Exception):
    """There are more colours in use at a time than numbers.

    Attributes:
        name: the colour that got none.
        holders: of the numbers then.
        kept: colours that come later and must have their numbers from the start.
    """

    name: str
    holders: list[str]
    kept: list[str]


def number_colours(colours: Sequence[Wanted], count: int) -> list[list[Holder]]:
    """The holders of each of `count` numbers, in time.

    A colour of a loop that is one with others outside keeps its number through the whole loop: where there is no room
    for that, they stay apart.

    Raises:
        OutOfNumbers: more are in use at a time.
    """
    try:
        return _Numbering(colours, count, is_across_loops=True).run()
    except OutOfNumbers:
        return _Numbering(colours, count, is_across_loops=False).run()


class _Numbering:
    def __init__(self, colours: Sequence[Wanted], count: int, is_across_loops: bool) -> None:
        self.is_across_loops = is_across_loops
        self.order = sorted(colours, key=lambda c: c.use.life[0])
        self.numbers: list[list[Holder]] = [[] for _ in range(count)]
        self.reserved = sum(c.starts_number for c in colours)
        self.later: dict[str, deque[int]] = {}
        for colour in self.order:
            self.later.setdefault(colour.settings, deque()).append(colour.use.life[0])

    def run(self) -> list[list[Holder]]:
        for colour in self.order:
            self.later[colour.settings].popleft()
            if not self._joins(colour):
                self._choose(colour).append(Holder(colour, [colour.name], colour.use))
        return self.numbers

    def _joins(self, colour: Wanted) -> bool:
        """Makes a colour one with the last holder of a number that has its settings, where there is one."""
        if colour.is_switched:
            return False
        for held in self.numbers:
            last = held[-1] if held else None
            if last is None or last.first.is_switched or last.first.settings != colour.settings:
                continue
            if last.use.loop != colour.use.loop and not self.is_across_loops:
                continue
            both = joined(last.use, colour.use)
            if last.use.before(colour.use) and all(before.is_done(both) for before in held[:-1]):
                last.names.append(colour.name)
                last.use = both
                return True
        return False

    def _choose(self, colour: Wanted) -> list[Holder]:
        """The number for a colour: one that nobody had, or the one whose settings are needed again last."""
        unused = [held for held in self.numbers if not held]
        if colour.starts_number:
            self.reserved -= 1
            if unused:
                return unused[0]
        elif len(unused) > self.reserved:
            return unused[0]
        else:
            free = [h for h in self.numbers if h and all(before.is_done(colour.use) for before in h)]
            again = self._next_uses(colour.use.life[0])
            if free:
                return max(free, key=lambda h: (again[h[-1].first.name], max(b.use.life[1] for b in h)))
        holders = [held[-1].first.name for held in self.numbers if held]
        later = self.order[self.order.index(colour) + 1 :]
        raise OutOfNumbers(colour.name, holders, [c.name for c in later if c.starts_number])

    def _next_uses(self, now: int) -> dict[str, float]:
        """The phases in which settings are needed again, by the last holders; a loop's next trip is behind its end."""
        found = dict[str, float]()
        later = {settings: iter(begins) for settings, begins in self.later.items()}
        for holder in [held[-1] for held in self.numbers if held]:
            first, loop = holder.first, holder.use.loop
            again = None if first.is_switched else next(later[first.settings], None)
            if again is None:
                again = loop[1] + holder.use.life[0] - loop[0] if loop and now <= loop[1] else math.inf
            found[first.name] = again
        return found


def joined(first: Use, second: Use) -> Use:
    """The use of a colour that does the work of two, one after the other."""

    def spans(left: Spans, right: Spans) -> Spans:
        return {name: [*left.get(name, ()), *right.get(name, ())] for name in left | right}

    return Use(
        spans(first.spans, second.spans),
        spans(first.receives, second.receives),
        spans(first.sends, second.sends),
        (min(first.phases[0], second.phases[0]), max(first.phases[1], second.phases[1])),
        first.loops | second.loops,
        first.outside or second.outside,
        max(first.words, second.words),
        first.places | second.places,
    )


def written_again(numbers: Sequence[Sequence[Holder]]) -> Mapping[str, int]:
    """Holders that find another's settings: their names, and the phase that they begin with."""
    return {
        holder.first.name: holder.use.life[0]
        for held in numbers
        for place, holder in enumerate(held)
        if place or any(holder.comes_back(later) for later in held[1:])
    }
