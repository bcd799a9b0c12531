"""Which PEs of a line collect blocks and multicast them to all: plans of all-gathers, and what they cost.

The owners of blocks are cut into groups. In each group blocks move towards its first PE, the *leader*, in levels: at
a level, `radix` neighbouring parts become one, each part's first PE sending what it has collected to the one before,
which passes on what comes from behind (nobody does where the radix is 2). Then every leader multicasts its group's.

Messages have a cost of their own, hence few long ones are better than one for each PE; every leader needs a colour of
its own, and so does every level, two where words are passed on.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

from .....wse_target.machine import Machine
from .....wse_target.sim.cost import words
from .costs import Costs


@dataclass(frozen=True)
class GatherPlan:
    """A way to gather blocks.

    Attributes:
        extent: PEs of the line.
        owners / every: how many of them have a block, and PEs from one to the next.
        radices: of the levels, innermost first.
    """

    extent: int
    owners: int
    every: int
    radices: tuple[int, ...]

    @property
    def group(self) -> int:
        """Owners of a group; the last one may have fewer."""
        return math.prod(self.radices)

    @cached_property
    def leaders(self) -> tuple[int, ...]:
        """Owners that multicast."""
        return tuple(range(0, self.owners, self.group))

    @property
    def colours(self) -> int:
        """How many it needs."""
        return sum(1 if radix == 2 else 2 for radix in self.radices) + len(self.leaders)

    @property
    def levels(self) -> Iterator[tuple[int, int]]:
        """(owners that have become one part before the level, radix)."""
        size = 1
        for radix in self.radices:
            yield size, radix
            size *= radix

    def cycles(self, block: int, total: int, dtype: str, machine: Machine) -> float:
        """Predicted cycles.

        Args:
            block: elements of an owner; total: of all owners together.
        """
        costs, control = Costs.of(machine, dtype), machine.control
        found = 0.0
        for size, radix in self.levels:
            moved = int(words(min(total, size * block), dtype)) * costs.pace
            parts = min(radix, -(-self.owners // size))
            if parts < 2:
                continue
            found += costs.setup + costs.way(size * self.every) + moved
            if radix > 2:
                found += control.branch + (parts - 2) * (control.loop + costs.setup + costs.relay + moved)
        everything, streams = int(words(total, dtype)), len(self.leaders)
        if streams > 1:
            found += 2 * streams * costs.launch + everything * costs.microthread_word + costs.join
        return found + costs.setup + self._last_arrival(block, total, dtype, costs)

    def _last_arrival(self, block: int, total: int, dtype: str, costs: Costs) -> float:
        """When the last PE has everything, after the leaders begin: of the streams on its ramp near ones go first."""
        return max(
            costs.way(self.extent - 1 - leader * self.every)
            + int(words(min(total, (number + 1) * self.group * block), dtype)) * costs.pace
            for number, leader in enumerate(self.leaders)
        )


@lru_cache(maxsize=1 << 10)
def plans(
    extent: int, owners: int, every: int, most_colours: int, most_streams: int
) -> tuple[GatherPlan, ...]:
    """Plans that need no more colours, each with another number of groups and of levels."""
    found: list[GatherPlan] = []
    seen: set[tuple[int, ...]] = set()
    for streams in range(1, min(owners, most_colours, most_streams) + 1):
        size = -(-owners // streams)
        for levels in range(math.ceil(math.log2(size)) + 1) if size > 1 else [0]:
            radices = _radices(size, levels)
            if radices is None or radices in seen:
                continue
            seen.add(radices)
            plan = GatherPlan(extent, owners, every, radices)
            if plan.colours <= most_colours:
                found.append(plan)
    return tuple(found)


def _radices(size: int, levels: int) -> tuple[int, ...] | None:
    """So many numbers, as alike as possible, whose product is `size` or a little more."""
    if levels == 0:
        return () if size == 1 else None
    radix = next(r for r in range(2, size + 1) if r**levels >= size)
    found = [radix] * levels
    for level in range(levels):
        if radix > 2 and math.prod(found) // radix * (radix - 1) >= size:
            found[level] = radix - 1
    return tuple(found)
