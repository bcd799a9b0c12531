"""Trees over the PEs of a line along which tiles are summed, and what they cost.

Every reduction that sums on the way is a tree: each PE adds what its children send to its own tile, nearest child first
(of two at one distance the one on the high side), and passes the sum to its parent. The last child's words go on as
they come, with the PE's own added; so a chain costs its latency a PE and its length once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from .costs import Costs

ROOT = -1


@dataclass(frozen=True)
class ReductionPlan:
    """A tree over the positions of a line.

    Attributes:
        parents: position that each position sends to; `ROOT` at the root.
    """

    parents: tuple[int, ...]

    @property
    def root(self) -> int:
        """Position that has the sum in the end."""
        return self.parents.index(ROOT)

    @cached_property
    def children(self) -> tuple[tuple[int, ...], ...]:
        """Positions that send to each position, in the order in which it takes them."""
        found: list[list[int]] = [[] for _ in self.parents]
        for position, parent in enumerate(self.parents):
            if parent != ROOT:
                found[parent].append(position)
        return tuple(tuple(sorted(c, key=lambda at: (abs(at - p), -at))) for p, c in enumerate(found))

    @cached_property
    def leaves_first(self) -> tuple[int, ...]:
        """All positions, children before parents."""
        order = [self.root]
        for position in order:
            order += self.children[position]
        return tuple(reversed(order))

    @cached_property
    def depth(self) -> int:
        """Edges of the longest way to the root."""
        depth = [0] * len(self.parents)
        for position in reversed(self.leaves_first):
            if position != self.root:
                depth[position] = depth[self.parents[position]] + 1
        return max(depth)

    @property
    def energy(self) -> int:
        """Hops of all edges together."""
        return sum(abs(x - p) for x, p in enumerate(self.parents) if p != ROOT)

    def cycles(self, words: int, costs: Costs) -> float:
        """When the root has the sum of tiles of so many words, if links and queues hold nobody up.

        A PE is ready for a child when it is through with those before; it takes a stream from the later of its own
        readiness and the head's arrival to the later of its own pace and the tail's arrival.
        """
        head, tail = [0.0] * len(self.parents), [0.0] * len(self.parents)
        for position in self.leaves_first:
            now, parent = 0.0, self.parents[position]
            *earlier, last = self.children[position] or (ROOT,)
            for child in (*earlier, *([last] if parent == ROOT and last != ROOT else ())):
                way = costs.way(abs(child - position))
                begin = max(now + costs.setup, head[child] + way)
                now = max(begin + words * costs.combine, tail[child] + way)
            if parent == ROOT:
                return now
            if last == ROOT:
                head[position] = now + costs.setup
                tail[position] = head[position] + words * costs.pace
                continue
            way = costs.way(abs(last - position))
            begin = max(now + costs.setup, head[last] + way)
            head[position] = begin + costs.relay
            tail[position] = costs.relay + max(begin + words * costs.combine, tail[last] + way)
        return 0.0


def chain(extent: int, root: int = 0) -> ReductionPlan:
    """Each PE adds to what its neighbour sends and passes it on towards the root."""
    return ReductionPlan(tuple(ROOT if x == root else x + (1 if x < root else -1) for x in range(extent)))


def both_sides(extent: int, root: int, one_side: Sequence[Sequence[int]]) -> ReductionPlan:
    """Two trees that meet in the root.

    Args:
        one_side: parents of trees with root 0 over the PEs from the root to the low and to the high end of the line.
    """
    low, high = one_side
    parents = [ROOT] * extent
    for distance, parent in enumerate(low):
        if distance:
            parents[root - distance] = root - parent
    for distance, parent in enumerate(high):
        if distance:
            parents[root + distance] = root + parent
    return ReductionPlan(tuple(parents))


def binary(count: int) -> tuple[int, ...]:
    """Parents of a tree with root 0: in round r each odd multiple of 2^r sends to the multiple of 2^(r+1) below it."""
    return tuple(ROOT if x == 0 else x & (x - 1) for x in range(count))


def two_phase(count: int, group: int) -> tuple[int, ...]:
    """Parents of a tree with root 0: chains in groups, and a chain over the groups' first PEs."""
    return tuple(ROOT if x == 0 else x - (group if x % group == 0 else 1) for x in range(count))


def two_level(extent: int, group: int) -> ReductionPlan:
    """WaferLLM's K-tree with K = 2: the ends of each group send towards its middle, the middles to the middle one.

    A last group that is not full has its middle where it lies.
    """
    starts = range(0, extent, group)
    middles = [start + min(group, extent - start) // 2 for start in starts]
    top = len(middles) // 2
    parents = [ROOT] * extent
    for number, (start, middle) in enumerate(zip(starts, middles, strict=True)):
        for x in range(start, min(start + group, extent)):
            parents[x] = x + 1 if x < middle else x - 1
        parents[middle] = ROOT if number == top else middles[number + (1 if number < top else -1)]
    return ReductionPlan(tuple(parents))
