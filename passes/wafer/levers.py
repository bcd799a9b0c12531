"""What would help a program that takes more than a PE has, with what it would take then."""

from __future__ import annotations

import math
from dataclasses import dataclass

_SHOWN = 3


@dataclass(frozen=True)
class Demand:
    """Bytes of SRAM that the fullest PE would need.

    Attributes:
        parameters / others: data that stay, and all other data.
        wide: those of both that are f32; f16 takes half of that.
        text: of the program, as far as it is known.
        largest: what one operation takes of all that; no program takes less.
        pes / most_pes: PEs that it is spread over, and those of the machine.
        available: bytes.
    """

    parameters: int
    others: int
    wide: int
    pes: int
    most_pes: int
    available: int
    largest: int
    text: int = 0

    @property
    def total(self) -> int:
        return self.parameters + self.others + self.text

    def levers(self) -> str:
        """The three that would help most, the best one first."""
        found = sorted(lever for lever in self._levers() if lever[0] < self.total)
        return "; ".join(text for _, text in found[:_SHOWN])

    def _levers(self) -> list[tuple[int, str]]:
        """Bytes that are left, about or at least, and what to do."""
        narrow = self.total - self.wide // 2
        smaller = self.total - self.others // 2
        levers = [
            (narrow, f"f16 in place of f32: about {narrow} B"),
            (smaller, f"half the batch, or length of a sequence: about {smaller} B"),
        ]
        room, data = self.available - self.text, self.parameters + self.others
        if room > 0 and data > room:
            times = math.ceil(data / room)
            where = (
                "more PEs (another grid or machine)"
                if self.pes < self.most_pes
                else "a machine with more PEs"
            )
            levers.append((data // times + self.text, f"{where}: {times} times as many at least"))
        levers.append((self.largest, f"programs that take turns: {self.largest} B at least"))
        return levers
