"""Which loops over tiles the hardware runs as one: those that all tiles are walked through alike, as memory lies."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from ....dialects.affine.expressions import dim_position, used_dims
from ....dialects.host import ir

LoopSteps = Mapping[int, int | None]  # by loop, elements from one trip to the next; None: no one number


@dataclass(frozen=True)
class MergedLoops:
    """Loops in groups that are one loop each, those of one trip left out.

    Attributes:
        trips: by loop.
    """

    trips: Sequence[int]
    groups: tuple[tuple[int, ...], ...]

    @staticmethod
    def of(trips: Sequence[int], accesses: Sequence[LoopSteps]) -> MergedLoops:
        """Loops whose trips follow each other in all that is accessed; what an access leaves out stands still."""
        groups = [(loop,) for loop, count in enumerate(trips) if count > 1]
        merged = True
        while merged:
            merged = False
            for outer in groups:
                inner = next((g for g in groups if _follow(outer, g, trips, accesses)), None)
                if inner is not None:
                    groups = [g for g in groups if g not in (outer, inner)] + [outer + inner]
                    merged = True
                    break
        return MergedLoops(trips, tuple(groups))

    def among(self, loops: Collection[int]) -> list[int]:
        """Trips of these loops, merged, the longest last."""
        taken = [[loop for loop in group if loop in loops] for group in self.groups]
        return sorted(math.prod(self.trips[loop] for loop in group) for group in taken if group)


def _follow(
    outer: tuple[int, ...], inner: tuple[int, ...], trips: Sequence[int], accesses: Sequence[LoopSteps]
) -> bool:
    """Whether a trip of the first loops is as long as all trips of the others."""
    if outer == inner:
        return False
    many = math.prod(trips[loop] for loop in inner)
    for steps in accesses:
        far, near = steps.get(outer[-1], 0), steps.get(inner[-1], 0)
        if far is None or near is None or far != near * many:
            return False
    return True


def tile_steps(shape: Sequence[int]) -> list[int]:
    """From one index to the next along each dimension of a tile."""
    return [math.prod(shape[dim + 1 :]) for dim in range(len(shape))]


def steps_through(access: ir.AffineMap, tile: Sequence[int]) -> LoopSteps:
    """How far each loop goes in a tile that a map reads."""
    found: dict[int, int | None] = {}
    for expr, step in zip(access.results, tile_steps(tile), strict=True):
        for loop in used_dims(expr):
            found[loop] = step if dim_position(expr) == loop and loop not in found else None
    return found
