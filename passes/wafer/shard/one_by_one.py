"""Loops that PEs take one iteration at a time, so that values in between are not kept for all of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

# Bytes of values in between that a PE keeps. More would go at the cost of what models hold.
ROOM = 16 * 1024


def loops_one_by_one(tiles: Sequence[int], scratch: Callable[[Sequence[int]], int]) -> frozenset[int]:
    """The loops, as few iterations as possible, without which values in between fit into `ROOM`.

    Args:
        tiles: iterations of each loop on a PE.
        scratch: bytes of values in between, by iterations of the loops that they are kept for.
    """
    left, chosen = list(tiles), set[int]()
    while scratch(left) > ROOM and max(left) > 1:
        long = [i for i, trips in enumerate(left) if trips > 1]
        enough = [i for i in long if scratch([1 if k == i else n for k, n in enumerate(left)]) <= ROOM]
        taken = min(enough, key=left.__getitem__) if enough else max(long, key=left.__getitem__)
        chosen.add(taken)
        left[taken] = 1
    return frozenset(chosen)
