"""What the partitioner thinks things cost, in cycles: the machine's rates and the published collective formulas.

It only ranks plans; the cycles a user sees are the simulator's.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...wse_target.image import DTYPE_BYTES


@dataclass(frozen=True)
class CostModel:
    """Rates of one machine.

    Attributes:
        setup: cycles to start a vector operation.
        loop: cycles per trip of the loops outside the innermost one.
        rates: elements per cycle by rate class, for 4-byte elements.
        ramp: cycles from the core to its router or back.
        hop: cycles per link.
        sram: bytes a program may use on a PE.
    """

    setup: float
    loop: float
    rates: Mapping[str, float]
    ramp: float
    hop: float
    sram: int

    def vector(self, rate_class: str, dtype: str, trips: Sequence[int]) -> float:
        """One vector operation over a loop nest, innermost loop last."""
        count, inner = 1, 1
        for trip in trips:
            count, inner = count * trip, trip
        outer = count // inner if inner else 0
        width = max(1.0, DTYPE_BYTES.get(dtype, 4) / 4)
        return self.setup + self.loop * max(0, outer - 1) + width * count / self.rates.get(rate_class, 1.0)

    def all_reduce(self, words: int, extent: int) -> float:
        """A chain along a line of PEs and a multicast back (HPDC24)."""
        if extent == 1:
            return 0.0
        chain = words + (2 * self.ramp + self.hop + 1) * (extent - 1)
        return chain + words + extent * self.hop + 2 * self.ramp + 3 * self.setup

    def all_gather(self, words: int, extent: int) -> float:
        """Blocks of `words` travel along the line in both directions, one after the other."""
        if extent == 1:
            return 0.0
        return 2 * extent * (words + self.setup + 2 * self.ramp)

    def slice(self, words: int) -> float:
        """Copying a PE's own block out of a whole dimension."""
        return self.vector("copy", "f32", (words,))


def cost_model(machine: object) -> CostModel:
    """The partitioner's view of a machine."""
    rates = {"fma": 0.5, "add": 2.0, "mul": 2.0, "copy": 4.0, "fill": 4.0, "convert": 2.0, "divide": 0.05,
             "square_root": 0.05, "transcendental": 0.03}
    return CostModel(16, 4, rates, 3, 1, 44000)
