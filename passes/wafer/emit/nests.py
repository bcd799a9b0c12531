"""In which order the loops of a vector operation are run: as few trips outside of a hardware map as there can be."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ....wse_target.machine import Machine

Strides = Mapping[int, int]  # by loop, elements from one trip to the next


@dataclass(frozen=True)
class VectorNest:
    """Loops of one operation in any order.

    Attributes:
        trips: by loop, most of any PE.
        accesses: what it reads and writes, the result first, with the bytes of an element.
        rate: elements a cycle, at best.
        rate_into_one: the same where the innermost loop combines everything in one place.
        uneven: loops of which some PEs have fewer trips: there a loop around one does not follow it in memory.
    """

    trips: Mapping[int, int]
    accesses: Sequence[tuple[Strides, int]]
    rate: float
    rate_into_one: float
    uneven: frozenset[int] = frozenset()

    def cheapest(self, preferred: Sequence[int], machine: Machine) -> list[int]:
        """The loops outermost first; of orders that are as good, one that ends as `preferred` does."""
        short = [i for i in preferred if self.trips[i] <= 1]  # of one trip: where they stand costs nothing
        long = [i for i in preferred if self.trips[i] > 1]
        return short + min(self._orders(long), key=lambda order: self.cycles(order, machine))

    def cycles(self, order: Sequence[int], machine: Machine) -> float:
        """Of the nest without what it takes to begin, as the machine's file prices it.

        Loops that all accesses walk through as one on all PEs are one: the slowest PE is what others wait for.
        """
        trips = self._merged(order)
        rows = math.prod(trips[:-1])
        maps = math.prod(trips[:-2])
        outer = (rows - 1) * machine.vector.mapped_row + (maps - 1) * machine.vector.mapped_map
        into_one = bool(order) and not self.accesses[0][0][order[-1]]
        rate = self.rate_into_one if into_one else self.rate
        return math.prod(trips) / rate * self._penalty(order, machine) + outer

    def _orders(self, loops: Sequence[int]) -> Iterator[list[int]]:
        """Any two loops innermost, and around them the longer ones further in."""
        if len(loops) < 2:
            yield list(loops)
            return
        for inner, beside in itertools.permutations(reversed(loops), 2):
            others = [i for i in loops if i not in (inner, beside)]
            yield [*sorted(others, key=self.trips.__getitem__), beside, inner]

    def _merged(self, order: Sequence[int]) -> list[int]:
        found: list[int] = []  # innermost first
        for at, loop in reversed(list(enumerate(order))):
            within = order[at + 1] if at + 1 < len(order) else None
            if within is not None and self._follow(loop, within):
                found[-1] *= self.trips[loop]
            else:
                found.append(self.trips[loop])
        return found[::-1]

    def _follow(self, loop: int, within: int) -> bool:
        """Whether a trip of a loop ends where its next one begins, on all PEs and in all that is accessed."""
        if within in self.uneven:
            return False
        return all(s[loop] == s[within] * self.trips[within] for s, _ in self.accesses)

    def _penalty(self, order: Sequence[int], machine: Machine) -> float:
        """What an innermost loop costs more that hits the same banks again."""
        sram = machine.sram
        for strides, size in self.accesses if order else ():
            words = math.ceil(abs(strides[order[-1]]) * size / sram.bank_bytes)
            if words % sram.banks not in sram.full_rate_strides:
                return sram.conflict_penalty
        return 1.0
