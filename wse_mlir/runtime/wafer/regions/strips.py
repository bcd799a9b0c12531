"""How the columns of a grid are shared out among regions: strips of whole columns, in proportion to their work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any

from ....passes.infra.diagnostics import PassFailure
from ....passes.wafer.shard.wse_partition import parse_grid


@dataclass(frozen=True)
class Strips:
    """Strips side by side, from west to east, all of one height."""

    widths: tuple[int, ...]
    height: int

    @property
    def grid(self) -> tuple[int, int]:
        """Columns and rows of all strips together."""
        return sum(self.widths), self.height

    @property
    def columns(self) -> tuple[int, ...]:
        """The first column of each."""
        return tuple(accumulate(self.widths, initial=0))[:-1]

    @staticmethod
    def of_grid(grid: str, work: Sequence[int], available: tuple[int, int], main: Any) -> Strips:
        """A grid that somebody asked for, all of its columns shared out.

        Raises:
            CompilerError: it is no grid, or has fewer columns than there are regions.
        """
        rect = parse_grid(grid, *available).rect
        if rect.w < len(work):
            raise PassFailure(
                main,
                f"{len(work)} regions have no room side by side on a grid of {rect.grid} PEs",
                hint="ask for fewer regions, or for a wider grid",
            )
        return Strips(shared_out(rect.w, work), rect.h)

    @staticmethod
    def around(
        largest: tuple[int, int], work: Sequence[int], available: tuple[int, int], main: Any
    ) -> Strips:
        """As wide as is best for the region with the most work, others in proportion; all columns if that is too wide.

        Args:
            largest: columns and rows that are best for that region.

        Raises:
            CompilerError: the machine has fewer columns than there are regions.
        """
        most = max(work)
        widths = tuple(max(1, round(largest[0] * each / most)) if most else 1 for each in work)
        if sum(widths) > available[0]:
            return Strips.of_grid(f"{available[0]}x{largest[1]}", work, available, main)
        return Strips(widths, largest[1])


def shared_out(columns: int, work: Sequence[int]) -> tuple[int, ...]:
    """Columns in proportion to work, at least one each: such that the greatest work for a column is least."""
    widths = [1] * len(work)
    for _ in range(columns - len(work)):
        busiest = max(range(len(work)), key=lambda at: work[at] / widths[at])
        widths[busiest] += 1
    return tuple(widths)
