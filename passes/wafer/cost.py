"""What the partitioner thinks things cost, in cycles: the machine's rates and the published collective formulas.

It only ranks plans; the cycles a user sees are the simulator's.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ...wse_target.machine import Machine


@dataclass(frozen=True)
class CostModel:
    """Costs on one machine.

    Attributes:
        share: part of the SRAM that data may fill; the rest is left to program text and buffers of transfers.
    """

    machine: Machine
    share: float = 0.9

    @property
    def sram(self) -> int:
        """Bytes of a PE's SRAM that a plan may fill with data."""
        return int(self.machine.sram_available * self.share)

    def vector(self, kind: str, dtype: str, trips: Sequence[int]) -> float:
        """One vector operation over a loop nest, innermost loop last."""
        vector = self.machine.vector
        rows = maps = 1
        for position, trip in enumerate(reversed(trips)):
            rows = rows * trip if position == 1 else rows
            maps = maps * trip if position > 1 else maps
        count = 1
        for trip in trips:
            count *= trip
        outer = vector.mapped_row * (rows - 1) * maps + vector.mapped_map * (maps - 1)
        return vector.setup + max(0.0, outer) + count / self.machine.rate(kind, dtype)

    def all_reduce(self, words: int, extent: int) -> float:
        """A chain along a line of PEs and a multicast back (HPDC24)."""
        if extent == 1:
            return 0.0
        fabric = self.machine.fabric
        ramps = fabric.ramp_in + fabric.ramp_out
        chain = words + (ramps + fabric.relay_latency + fabric.hop_latency) * (extent - 1)
        return chain + words + extent * fabric.hop_latency + ramps + 3 * fabric.transfer_setup

    def all_gather(self, words: int, extent: int) -> float:
        """Blocks of `words` travel along the line in both directions, one after the other."""
        if extent == 1:
            return 0.0
        fabric = self.machine.fabric
        step = words * fabric.cycles_per_wavelet + fabric.transfer_setup + self.machine.control.loop
        return 2 * extent * (step + fabric.ramp_in + fabric.ramp_out)

    def slice(self, words: int) -> float:
        """Copying a PE's own block out of a whole dimension."""
        return self.vector("copy", "f32", (words,))
