"""How loops that stand one after the other are divided into shares of about equal cost.

The iterations of all loops are laid out on one line, each as long as it costs, and the line is cut into equal parts.
An iteration belongs to the part that its middle is in: so seven whole tiles and a small edge become four tiles, and
three with the edge.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

_PRECISION = 16  # weight of the dearest iteration


@dataclass(frozen=True)
class Line:
    """Loops on a line.

    Attributes:
        trips: iterations of each loop.
        weights: of one iteration of each loop, positive.
    """

    trips: tuple[int, ...]
    weights: tuple[int, ...]

    @staticmethod
    def of(trips: Sequence[int], costs: Sequence[int]) -> Line:
        """Weights from the cost of each whole loop; loops that never run weigh nothing."""
        each = [cost / max(trip, 1) for trip, cost in zip(trips, costs, strict=True)]
        largest = max(each, default=1) or 1
        same = len({trip and cost for trip, cost in zip(trips, each, strict=True)} - {0}) <= 1
        weights = [1 if same else max(1, round(_PRECISION * cost / largest)) for cost in each]
        return Line(tuple(trips), tuple(weights))

    @property
    def length(self) -> int:
        return sum(trip * weight for trip, weight in zip(self.trips, self.weights, strict=True))

    def offset(self, loop: int) -> int:
        """Where a loop begins on the line."""
        return sum(t * w for t, w in zip(self.trips[:loop], self.weights[:loop], strict=True))

    def first(self, loop: int, share: int, shares: int) -> int:
        """The first iteration of a loop that belongs to this share or a later one."""
        weight = self.weights[loop]
        past = max(0, self.length * share // shares - self.offset(loop))
        return min((2 * past + weight - 1) // (2 * weight), self.trips[loop])

    def balance(self, shares: int) -> float:
        """Mean share by longest share: 1 where all are equally long."""
        longest = max(self._cost(share, shares) for share in range(shares))
        return self.length / (shares * longest) if longest else 1.0

    def _cost(self, share: int, shares: int) -> int:
        return sum(
            weight * (self.first(loop, share + 1, shares) - self.first(loop, share, shares))
            for loop, weight in enumerate(self.weights)
        )
