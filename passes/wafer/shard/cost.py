"""What the partitioner thinks things cost, in cycles: the machine's rates, and what the library says of itself.

It only ranks plans; the cycles a user sees are the simulator's.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from ....wse_target.instructions import Access, Combine, Dtype
from ....wse_target.machine import Machine
from ....wse_target.quasi_affine import const
from ..algorithms.algorithm import choose
from ..algorithms.collectives import strided
from ..algorithms.fragment import CollectiveRequest, Line, TileWalk
from ..communicate import Ways, ways_on
from ..communicate.search import all_reductions


@dataclass(frozen=True)
class CostModel:
    """Costs on one machine.

    Attributes:
        share: part of the SRAM that data may fill; the rest is left to program text and buffers of transfers.
        brief: whether program text is scarce.
    """

    machine: Machine
    share: float = 0.9
    brief: bool = False
    _combined: dict[tuple[Any, ...], tuple[float, float]] = field(default_factory=dict, compare=False)

    @cached_property
    def ways(self) -> Ways:
        """Ways between layouts on the machine."""
        return ways_on(self.machine, brief=self.brief)

    @cached_property
    def sram(self) -> int:
        """Bytes of a PE's SRAM that a plan may fill with data."""
        return int(self.machine.sram_available * self.share)

    def vector(self, kind: str, dtype: str, trips: Sequence[int], *, into_one: bool = False) -> float:
        """One vector operation over a loop nest, innermost loop last.

        Args:
            into_one: whether it combines all elements in one place.
        """
        vector = self.machine.vector
        outer = vector.mapped(math.prod(trips[:-1]), math.prod(trips[:-2]))
        rate = self.machine.rate_into_one if into_one else self.machine.rate
        return vector.setup + max(0.0, outer) + math.prod(trips) / rate(kind, dtype)

    def loops(self, trips: Sequence[int]) -> float:
        """What a PE does for loops within each other, outermost first, besides what is in them."""
        control, total = self.machine.control, 0.0
        for count in reversed(trips):
            total = control.branch + count * (control.loop + total)
        return total

    def combined(
        self, elements: int, dtype: Dtype, kind: Combine, extent: int, *, everywhere: bool, stride: int = 1
    ) -> float:
        """Tiles along a line of PEs combined on the first one, and sent back to all if wanted `everywhere`.

        Lines with a `stride` share their links; infinity where so many of them cross that colours do not suffice.

        The cheapest of the library's algorithms that are priced quickly; what is emitted may be a little better.
        """
        if extent == 1:
            return 0.0
        if 3 * stride > len(self.machine.usable_colours):
            return math.inf
        key = (elements, dtype, kind, extent, stride)
        if key not in self._combined:
            tile = TileWalk(Access("tile", const(0), (1,)), (const(elements),), dtype)
            machine = strided.slower(self.machine, stride)
            request = CollectiveRequest(Line("x", (extent, 1)), tile, machine, "", combine=kind)
            names = ("chain", "tree", f"two_phase{{group={math.isqrt(extent)}}}")
            reduce = min(choose("reduce", name).cycles(request) for name in names)
            self._combined[key] = reduce, min(c.cycles(request) for c in all_reductions(extent))
        reduce, everywhere_too = self._combined[key]
        return everywhere_too if everywhere else reduce
