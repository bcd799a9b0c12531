"""Which operations of a block belong together: they share data that need not leave a core's caches or registers.

A group grows around what is written: an operation joins the group that produced most of what it reads when

* it works point by point on a result of the group, as a bias, an activation or a residual does on that of a product;
* it shares rows with the group, as the parts of a softmax or of a normalisation do, and as attention's scores,
  softmax and product do; a product with weights is no such part, its rows are tiled in another way;
* it is so small that a call would cost more than it does.

What gives an accumulator its first value joins the operation that accumulates.
"""

from __future__ import annotations

from collections.abc import Iterator

from ....dialects.host import ir
from .buffers import Root
from .clusters import Clusters
from .facts import Facts, OperandAccess, facts_of
from .rows import shared_points

# Operations; calling a kernel costs about as much as a thousand of them.
_SMALL = 4096
_TINY = 1024
_CHEAP = 1 << 16  # above, code that is shared by equal layers is worth more than a call that is saved
_SMALL_BUFFER = 1 << 14  # bytes that stay in the first cache whatever happens next
_FEW = 16  # operations of a group of things that have nothing in common but being tiny


class Grouping:
    """The groups of a block's operations.

    Attributes:
        clusters: the operations of the block; those of a group are one cluster.
    """

    def __init__(self, block: ir.Block) -> None:
        operations = [op.operation for op in block.operations][:-1]
        self.clusters = Clusters(operations)
        self._facts = [facts_of(op) for op in operations]
        self._rows: dict[int, list[Facts]] = {}  # of a cluster: those that have to share rows
        for k, facts in enumerate(self._facts):
            if facts is not None:
                self._place(k, facts)
        self._gather_tiny()

    def groups(self) -> list[list[ir.Operation]]:
        """All operations of the block in an order of execution, group by group."""
        clusters = self.clusters
        return [[clusters.operations[k] for k in clusters.members(c)] for c in clusters.in_order()]

    def is_worth_a_call(self, group: list[ir.Operation]) -> bool:
        """Whether a group should be a function of its own."""
        facts = [f for f in map(facts_of, group) if f is not None]
        return len(facts) == len(group) and (len(group) > 1 or any(f.points > _FEW for f in facts))

    def _place(self, k: int, facts: Facts) -> None:
        """Finds the group of an operation; those before it have theirs."""
        clusters = self.clusters
        self._rows[k] = [facts]
        self._absorb_initial_values(k, facts)
        shared: dict[int, int] = {}  # rows; an operation may read a buffer in many ways
        for producer, access in self._links(k, facts):
            host = clusters.of(producer)
            if host == clusters.of(k):
                continue
            if host not in shared:
                shared[host] = shared_points([*self._rows[host], facts])
            rows = shared[host]
            if self._joins(host, producer, access, facts, rows) and clusters.merge(host, clusters.of(k)):
                self._rows[host].append(facts)
                break
        self._absorb_small_producers(k, facts)

    def _links(self, k: int, facts: Facts) -> Iterator[tuple[int, OperandAccess]]:
        """Who wrote what an operation reads, by operations with facts; the largest buffers first."""
        first = len(facts.view.inputs)
        updated = [w for n, w in enumerate(facts.writes) if facts.view.reads(first + n)]
        for access in sorted((*facts.reads, *updated), key=lambda a: -a.bytes):
            for producer in self.clusters.producers[k]:
                made = self._facts[producer]
                if made is not None and any(w.root == access.root for w in made.writes):
                    yield producer, access

    def _joins(self, host: int, producer: int, access: OperandAccess, facts: Facts, rows: int) -> bool:
        """Whether an operation should join a group, which then shares so many rows."""
        if self._facts[producer] is None:
            return False
        members = [f for f in (self._facts[m] for m in self.clusters.members(host)) if f is not None]
        if facts.initialises and all(f.initialises for f in members):
            return False  # zeros that several operations start from belong to none of them
        cost = sum(f.cost for f in members)
        if facts.form is None and (_is_pointwise(facts, access) or _stays_near(facts, access, cost)):
            return True
        is_small = facts.cost <= _SMALL and (facts.form is None or facts.points <= _TINY)
        if is_small and cost <= _CHEAP:
            return True
        return rows >= 4 and _tiles_by_rows(members, facts)

    def _absorb_initial_values(self, k: int, facts: Facts) -> None:
        """Takes in what gives the operation's accumulators their first values, if it does nothing else."""
        for root in facts.accumulates:
            writer = self._last_writer(k, root)
            if writer is None:
                continue
            cluster = self.clusters.of(writer)
            makers = [self._facts[m] for m in self.clusters.members(cluster)]
            if all(f is not None and f.initialises for f in makers):
                self.clusters.merge(self.clusters.of(k), cluster)

    def _absorb_small_producers(self, k: int, facts: Facts) -> None:
        """Takes in small operations before it that nothing else needs so far: vectors made for this operation."""
        for producer in self.clusters.producers[k]:
            cluster = self.clusters.of(producer)
            makers = [self._facts[m] for m in self.clusters.members(cluster)]
            known = [f for f in makers if f is not None]
            if len(known) < len(makers) or any(f.form is not None for f in known):
                continue
            if sum(f.cost for f in known) <= _TINY < facts.cost:
                self.clusters.merge(self.clusters.of(k), cluster)

    def _last_writer(self, k: int, root: Root) -> int | None:
        for producer in self.clusters.producers[k]:
            made = self._facts[producer]
            if made is not None and any(w.root == root for w in made.writes):
                return producer
        return None

    def _gather_tiny(self) -> None:
        """Makes one group of tiny ones that follow each other."""
        current: int | None = None
        for cluster in self.clusters.in_order():
            facts = [self._facts[m] for m in self.clusters.members(cluster)]
            known = [f for f in facts if f is not None]
            if not known:
                continue  # constants and views stand between any two
            if len(known) < len(facts) or sum(f.cost for f in known) > _TINY:
                current = None
                continue
            fits = current is not None and len(self.clusters.members(current)) + len(known) <= _FEW
            if current is None or not fits or not self.clusters.merge(current, cluster):
                current = cluster


def _is_pointwise(facts: Facts, access: OperandAccess) -> bool:
    """Whether an operation computes one element of each result for every element that it reads."""
    along = facts.parallel_points(access)
    plain = all(d in along or access.kind.shape[d] == 1 for d in range(access.kind.rank))
    return facts.is_parallel and plain and facts.points == access.elements


def _stays_near(facts: Facts, access: OperandAccess, cost: int) -> bool:
    """Whether an operation takes parts of a small buffer, as the gates of a recurrent cell do, at little cost."""
    return facts.is_parallel and access.bytes <= _SMALL_BUFFER and facts.cost <= max(_SMALL, cost)


def _tiles_by_rows(members: list[Facts], facts: Facts) -> bool:
    """Whether a group with this operation is to be computed row by row: products in it must be attention's."""
    products = [f.form for f in (*members, facts) if f.form is not None]
    return all(len(form.batch) > 0 for form in products)
