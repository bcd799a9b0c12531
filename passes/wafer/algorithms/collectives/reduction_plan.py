"""Trees over the PEs of a line along which tiles are summed, and what they cost.

Every reduction that sums on the way is a tree: each PE adds what its children send to its own tile, nearest child first
(of two at one distance the one on the high side), and passes the sum to its parent. The last child's words go on as
they come, with the PE's own added; so a chain costs its latency a PE and its length once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from .costs import Costs

ROOT = -1


@dataclass(frozen=True)
class ReductionPlan:
    """A tree over the positions of a line.

    Attributes:
        parents: position that each position sends to; `ROOT` at the root.
        stored: positions that begin to send only when they have the whole sum.
    """

    parents: tuple[int, ...]
    stored: frozenset[int] = frozenset()
    _cycles: dict[tuple[int, Costs], float] = field(
        default_factory=dict, init=False, compare=False, repr=False
    )

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

    def relayed(self, position: int) -> int | None:
        """The child whose words go on as they come, with the position's own added; None if there is none."""
        children = self.children[position]
        if not children or self.parents[position] == ROOT or position in self.stored:
            return None
        return children[-1]

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
        """When the root has the sum of tiles of so many words, if links and queues hold nobody up."""
        key = words, costs
        if key not in self._cycles:
            timing = _Timing(self, words, costs)
            for position in self.leaves_first:
                timing.pass_on(position)
            self._cycles[key] = timing.tail[self.root]
        return self._cycles[key]

    def settled(self, words: int, costs: Costs) -> ReductionPlan:
        """The plan with `stored` chosen for tiles of so many words.

        A stream that would begin before its parent's earlier children are through takes turns with theirs. For short
        tiles that costs less than to wait until the sum is whole; of a few limits the one that is predicted to be best.
        """
        plans = [self._stored_beyond(limit, words, costs) for limit in (math.inf, 2.0, 0.0)]
        return min(plans, key=lambda plan: plan.cycles(words, costs))

    def _stored_beyond(self, limit: float, words: int, costs: Costs) -> ReductionPlan:
        """Stored are the streams that would meet others and are longer than `limit` times their way."""
        timing, stored = _Timing(self, words, costs), set(self.stored)
        for position in self.leaves_first:
            before = -math.inf
            for child in self.children[position]:
                meets = timing.head[child] < before and words * costs.pace > limit * timing.way(child)
                if meets and self.relayed(child) is not None:
                    stored.add(child)
                    timing.pass_on(child, stored=True)
                before = max(before, timing.tail[child])
            timing.pass_on(position)
        return replace(self, stored=frozenset(stored))


class _Timing:
    """When each position's first word leaves its core (`head`) and its last one has left (`tail`).

    A PE is ready for a child when it is through with those before; it takes a stream from the later of its own
    readiness and the head's arrival to the later of its own pace and the tail's arrival. Streams that come before their
    turn take turns with it on the PE's ramp, until they have filled the places on their way. The root's tail is when it
    has everything.
    """

    def __init__(self, plan: ReductionPlan, words: int, costs: Costs) -> None:
        self.plan, self.words, self.costs = plan, words, costs
        self.head, self.tail = [0.0] * len(plan.parents), [0.0] * len(plan.parents)

    def way(self, position: int) -> float:
        """From a position's core to its parent's."""
        return self.costs.way(abs(position - self.plan.parents[position]))

    def pass_on(self, position: int, *, stored: bool = False) -> None:
        """Sets a position's times from those of its children."""
        costs, now = self.costs, 0.0
        relayed = None if stored else self.plan.relayed(position)
        children = self.plan.children[position]
        early: dict[int, float] = {}  # words of children that came before their turn
        for place, child in enumerate(children):
            begin = max(now + costs.setup, self.head[child] + self.way(child))
            end = max(begin + self.words * costs.combine, self.tail[child] + self.way(child))
            end += self._in_between(child, children[place + 1 :], end, early)
            if child == relayed:
                self.head[position], self.tail[position] = begin + costs.relay, end + costs.relay
                return
            now = end
        if position == self.plan.root:
            self.tail[position] = now
            return
        self.head[position] = now + costs.setup
        self.tail[position] = self.head[position] + self.words * costs.pace

    def _in_between(self, child: int, waiting: Sequence[int], end: float, early: dict[int, float]) -> float:
        """Cycles that streams of waiting children take up on the ramp while `child` needs it, until `end`.

        Each comes once, as far as its places reach: before the child's first word for nothing, then in turns with it.
        """
        pace, total, first = self.costs.pace, 0.0, self.head[child] + self.way(child)
        needed = self.words - early.get(child, 0.0)
        for other in waiting:
            arrival = self.head[other] + self.way(other)
            if other in early or arrival >= end:
                continue
            hops = abs(other - self.plan.parents[other])
            early[other] = min(self.words, self.costs.queues + hops * self.costs.routers)
            before = max(0.0, first - arrival) / pace
            total += pace * min(needed, max(0.0, early[other] - before))
        return total


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

    The outermost middles begin when their groups are through. A last group that is not full has its own middle.
    """
    starts = range(0, extent, group)
    middles = [start + min(group, extent - start) // 2 for start in starts]
    top = len(middles) // 2
    parents = [ROOT] * extent
    for number, (start, middle) in enumerate(zip(starts, middles, strict=True)):
        for x in range(start, min(start + group, extent)):
            parents[x] = x + 1 if x < middle else x - 1
        parents[middle] = ROOT if number == top else middles[number + (1 if number < top else -1)]
    return ReductionPlan(tuple(parents), frozenset({middles[0], middles[-1]} - {middles[top]}))
