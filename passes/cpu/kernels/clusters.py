"""Clusters of operations of a block, which may grow as long as some order of execution remains."""

from __future__ import annotations

import heapq
from collections.abc import Sequence

from ....dialects.host import ir
from ...tensor.bufferization.lifetimes import operations_below
from ...tensor.traversal import made_by
from .buffers import Effects, Root, effects_of


class Clusters:
    """The operations of a block, except for its terminator, as clusters that are carried out in one go.

    An operation is known by its position in the block, a cluster by the position of one of its members. At first
    every operation is a cluster of its own.

    Attributes:
        operations: in the order of the block.
        effects: what each does to memory.
        producers: for each the operations that wrote what it reads, latest first.
    """

    def __init__(self, operations: Sequence[ir.Operation]) -> None:
        self.operations = list(operations)
        self.effects = [effects_of(op) for op in self.operations]
        self.producers: list[list[int]] = [[] for _ in self.operations]
        self._needs = self._dependences()
        self._cluster = list(range(len(self.operations)))
        self._members = [[k] for k in self._cluster]

    def _dependences(self) -> list[set[int]]:
        """For each operation those that must come before it."""
        position = {op: k for k, op in enumerate(self.operations)}
        memory = _Memory()
        needs: list[set[int]] = []
        for k, op in enumerate(self.operations):
            before = set(memory.before(k, self.effects[k]))
            self.producers[k] = sorted({w for r in self.effects[k].reads for w in memory.wrote(r)})[::-1]
            memory.note(k, self.effects[k])
            for inner in (op, *operations_below(op)):
                makers = (made_by(v) for v in inner.operands)
                before |= {position[m] for m in makers if m is not None and m in position}
            needs.append(before)
        return needs

    def of(self, operation: int) -> int:
        """The cluster of an operation."""
        return self._cluster[operation]

    def members(self, cluster: int) -> list[int]:
        """The operations of a cluster, in order."""
        return self._members[cluster]

    def merge(self, one: int, other: int) -> bool:
        """Makes one cluster, named `one`, of two, unless something outside has to run between them."""
        if one == other:
            return True
        if self._leads_to(one, other) or self._leads_to(other, one):
            return False
        for k in self._members[other]:
            self._cluster[k] = one
        self._members[one] = sorted(self._members[one] + self._members[other])
        self._members[other] = []
        return True

    def _leads_to(self, start: int, end: int) -> bool:
        """Whether some other cluster needs `start` and is needed by `end`, both at some distance."""
        earliest = self._members[start][0]
        seen = {end}
        stack = [c for c in self._needed_by(end) if c != start]
        while stack:
            cluster = stack.pop()
            if cluster == start:
                return True
            if cluster not in seen and self._members[cluster][-1] > earliest:
                seen.add(cluster)
                stack += self._needed_by(cluster)
        return False

    def _needed_by(self, cluster: int) -> list[int]:
        """The other clusters that must run before one."""
        found = {self._cluster[n] for k in self._members[cluster] for n in self._needs[k]}
        return sorted(found - {cluster})

    def in_order(self) -> list[int]:
        """The clusters in an order of execution; each as near as possible to where its last member stands."""
        clusters = [c for c, members in enumerate(self._members) if members]
        waits = {c: len(self._needed_by(c)) for c in clusters}
        users: dict[int, list[int]] = {c: [] for c in clusters}
        for c in clusters:
            for needed in self._needed_by(c):
                users[needed].append(c)
        ready = [(self._members[c][-1], c) for c in clusters if not waits[c]]
        heapq.heapify(ready)
        order: list[int] = []
        while ready:
            _, cluster = heapq.heappop(ready)
            order.append(cluster)
            for user in users[cluster]:
                waits[user] -= 1
                if not waits[user]:
                    heapq.heappush(ready, (self._members[user][-1], user))
        return order


class _Memory:
    """Who touched which buffer last, while one goes through a block."""

    def __init__(self) -> None:
        self._writers: dict[Root, list[int]] = {}
        self._readers: dict[Root, list[int]] = {}
        self._since_fence: list[int] = []
        self._fence: list[int] = []

    def wrote(self, root: Root) -> list[int]:
        """Who wrote the buffer since it was last overwritten, as far as it is known."""
        return self._writers.get(root, [])

    def before(self, k: int, effects: Effects) -> list[int]:
        """The operations that one with these effects has to wait for."""
        if not effects:
            return []
        if effects.fence:
            return self._fence + self._since_fence
        found = list(self._fence)
        for root in (*effects.reads, *effects.writes):
            found += self._writers.get(root, [])
        for root in effects.writes:
            found += self._readers.get(root, [])
        return found

    def note(self, k: int, effects: Effects) -> None:
        if effects.fence:
            self._writers, self._readers, self._since_fence, self._fence = {}, {}, [], [k]
            return
        if effects:
            self._since_fence.append(k)
        for root in effects.reads:
            self._readers.setdefault(root, []).append(k)
        for root in effects.writes:
            self._writers.setdefault(root, []).append(k)
