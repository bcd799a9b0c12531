"""Plans and performs the fusion of the operations of one block, consumers first."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import Any

from ....dialects.constants import splat_attribute
from ....dialects.host import arith, ir, tensor
from ....dialects.structured import Structured, structured
from ...infra.pass_base import PassRun
from ..effects import is_dead, is_used
from ..uniform import empty_like, is_constant_scalar, uniform_scalar
from ..unit_reshape import read_through
from .cluster import Cluster, MappedRead, Member, producer_loops
from .fusion_cost import arithmetic_ops, is_cheap, is_movable, tensor_inputs, visits_once


@dataclass(frozen=True)
class FusionPolicy:
    """The options of `wse-fuse`, see there."""

    recompute_ops: int = 4
    recompute_inputs: int = 8
    max_uses: int = 3
    contraction_ops: int = 0
    multi_result: bool = True
    max_body: int = 256


class Refusal(Exception):
    """Why a producer stays outside; becomes a remark."""


class BlockFusion:
    """Fuses within one block.

    Consumers come before their producers, so that each producer is looked at when all of its readers in
    the cluster are known; every operation is thus considered once a cluster and built once.
    """

    def __init__(self, block: ir.Block, policy: FusionPolicy, run: PassRun) -> None:
        self.block = block
        self.policy = policy
        self.report = run
        self.ops: list[Any] = list(block.operations)
        self.order: dict[ir.Value, int] = {}
        self.views: dict[int, Structured] = {}
        for position, op in enumerate(self.ops):
            self._register(position, op)

    def run(self) -> None:
        """Makes every operation of the block a root once; dead ones go, as they would count as users."""
        self._erase_dead()
        for position in reversed(range(len(self.ops))):
            view = self.views.get(position)
            if view is not None and any(is_used(r) for r in view.op.results):
                self._fuse_into(view, position)
        self._erase_dead()

    def _erase_dead(self) -> None:
        for position in reversed(range(len(self.ops))):
            if self.ops[position] is not None and is_dead(self.ops[position].operation):
                self._erase(position)

    def _register(self, position: int, op: Any) -> None:
        self.ops[position] = op
        for result in op.operation.results:
            self.order[result] = position
        view = structured(op)
        if view is not None and len(view.op.results):
            self.views[position] = view

    def _erase(self, position: int) -> None:
        op = self.ops[position]
        for result in op.operation.results:
            del self.order[result]
        self.views.pop(position, None)
        self.ops[position] = None
        op.operation.erase()

    # -- one root -----------------------------------------------------------------------------------------

    def _fuse_into(self, root: Structured, position: int) -> None:
        cluster = Cluster(root, position)
        original = list(zip(root.inputs, root.input_maps, strict=True))
        dying = {position}
        if any(isinstance(v.type, ir.ShapedType) for v in root.inputs) or not root.is_copy():
            self._inline_scalars(cluster, list(cluster.leaves))  # a fill stays recognisable as one
        queue = [-self.order[v] for v, _ in cluster.leaves if v in self.order]
        heapq.heapify(queue)
        considered: set[int] = set()
        while queue:
            producer = -heapq.heappop(queue)
            if producer in considered:
                continue
            considered.add(producer)
            for value in self._absorb(cluster, producer, dying):
                if value in self.order:
                    heapq.heappush(queue, -self.order[value])
        inits = self._inits(cluster)
        unchanged = (
            list(cluster.leaves) == original and inits == list(root.inits) and len(cluster.members) == 1
        )
        if not unchanged:
            self._replace(cluster, inits, position, dying)

    def _inits(self, cluster: Cluster) -> list[ir.Value]:
        root = cluster.root
        with ir.InsertionPoint(root.op), root.op.location:
            inits = [
                v if root.reads(len(root.inputs) + k) else empty_like(v) for k, v in enumerate(root.inits)
            ]
            return inits + [empty_like(m.view.inits[k]) for m, k in cluster.exports]

    def _replace(self, cluster: Cluster, inits: list[ir.Value], position: int, dying: set[int]) -> None:
        fused = cluster.emit(inits)
        old = [*cluster.root.op.results, *(m.view.op.results[k] for m, k in cluster.exports)]
        for before, after in zip(old, fused.results, strict=True):
            before.replace_all_uses_with(after)
        absorbed = {m.order for m in cluster.members} - {position}
        self._erase(position)
        for order in sorted({*dying, *absorbed} - {position}, reverse=True):
            if not any(is_used(r) for r in self.ops[order].operation.results):
                self._erase(order)
        self._register(position, fused)
        self._refresh_users(fused)
        if absorbed:
            self.report.count("producers fused", len(absorbed))
        if cluster.exports:
            self.report.count("results kept as further results", len(cluster.exports))

    def _refresh_users(self, op: Any) -> None:
        """Takes the views of an operation's users anew: theirs still name the values that it replaced."""
        for result in op.results:
            for use in result.uses:
                position = self._position(use.owner.operation)
                view = structured(self.ops[position]) if position in self.views else None
                if view is not None:
                    self.views[position] = view

    # -- one producer -------------------------------------------------------------------------------------

    def _absorb(self, cluster: Cluster, position: int, dying: set[int]) -> list[ir.Value]:
        """Takes a producer into the cluster if it may; returns the values that the cluster newly reads."""
        producer = self.ops[position]
        reads = [r for r in cluster.leaves if self.order.get(r[0]) == position]
        if not reads:
            return []
        scalar = self._scalar_of(reads[0][0], cluster)
        if scalar is not None:
            if cluster.make_scalar(reads, scalar):
                self.report.count("uniform tensors made scalars")
            return []
        view = self.views.get(position)
        if view is None:
            return self._read_through(cluster, producer, position, reads, dying)
        try:
            members, leaves, exports = self._plan(cluster, view, position, reads, dying)
        except Refusal as refusal:
            self.report.remark(producer, f"not fused into its user: {refusal}")
            return []
        before = cluster.leaves
        cluster.absorb(members, leaves)
        cluster.exports += exports
        added = [r for r in leaves if r not in before]
        return self._inline_scalars(cluster, added)

    def _read_through(
        self, cluster: Cluster, producer: Any, position: int, reads: list[MappedRead], dying: set[int]
    ) -> list[ir.Value]:
        """Folds a reshape that adds or drops unit dimensions into the maps; returns its source if it could."""
        contracts = not cluster.root.is_parallel()
        if contracts and isinstance(producer, tensor.CollapseShapeOp):
            return []  # a constant in a contraction's map would hide what kind of contraction it is
        added: list[ir.Value] = []
        for read in reads:
            source = read_through(producer, read[1])
            if source is not None and cluster.redirect(read, source):
                self.report.count("unit reshapes folded into maps")
                added.append(source[0])
        if len(added) == len(reads) and not self._outside_users(producer, dying):
            dying.add(position)
        return added

    def _scalar_of(self, value: ir.Value, cluster: Cluster) -> ir.Value | None:
        """The one scalar that a tensor consists of, available before the root."""
        attribute = splat_attribute(value)
        if attribute is not None:
            root = cluster.root.op
            return arith.constant(
                ir.ShapedType(value.type).element_type,
                attribute,
                loc=root.location,
                ip=ir.InsertionPoint(root),
            )
        scalar = uniform_scalar(value)
        return scalar if scalar is not None and is_constant_scalar(scalar) else None

    def _inline_scalars(self, cluster: Cluster, reads: list[MappedRead]) -> list[ir.Value]:
        """Constant scalar operands are used from outside the body; returns the other values read."""
        rest: list[ir.Value] = []
        for value, access in reads:
            if is_constant_scalar(value):
                cluster.make_scalar([(value, access)], value)
            else:
                rest.append(value)
        return rest

    def _plan(
        self, cluster: Cluster, view: Structured, position: int, reads: list[MappedRead], dying: set[int]
    ) -> tuple[list[Member], dict[MappedRead, None], list[tuple[Member, int]]]:
        """What absorbing a producer would mean; raises `Refusal` when it is not legal or not worth it."""
        if not view.is_parallel():
            raise Refusal("it reduces, so its value is complete only after its loops")
        body = view.body_operations()
        if not is_movable(body):
            raise Refusal("its body has effects or control flow")
        if cluster.size + len(body) * len(reads) > self.policy.max_body:
            raise Refusal(f"the body would exceed {self.policy.max_body} operations")
        if any(v in list(view.op.results) for v in cluster.updated_inits()):
            raise Refusal("its user updates its result, which therefore has to exist")
        members = self._members(view, position, reads)
        leaves = cluster.without(reads, members)
        if leaves is None:
            raise Refusal("a loop would have no operand that gives its trip count")
        self._check_recompute(cluster, view, reads, body)
        survives = self._outside_users(view.op, dying)
        exports: list[tuple[Member, int]] = []
        if not survives:
            dying.add(position)
        elif self._may_recompute(cluster, view, body, survives):
            cluster.evaluated_again += arithmetic_ops(body) or 0
            self.report.count("producers evaluated again")
        else:
            exports = self._exports(cluster, view, members, survives, position)
            dying.add(position)
        return members, leaves, exports

    def _members(self, view: Structured, position: int, reads: list[MappedRead]) -> list[Member]:
        """One instance of the producer for each different way in which its iterations are mapped."""
        results = list(view.op.results)
        instances: dict[ir.AffineMap, Member] = {}
        for value, access in reads:
            loops = producer_loops(view, results.index(value), access)
            if loops is None:
                raise Refusal("its result is not written by a permutation of its loops")
            instances.setdefault(loops, Member(view, loops, position))
        return list(instances.values())

    def _check_recompute(
        self, cluster: Cluster, view: Structured, reads: list[MappedRead], body: list[Any]
    ) -> None:
        """Refuses what the consumer's loops would evaluate many times over."""
        if not body:
            return
        root = cluster.root
        sizes = root.loop_sizes()
        once = all(visits_once(access, sizes) for _, access in reads)
        if once and len({access for _, access in reads}) == 1:
            return
        limit = self.policy.recompute_ops if root.is_parallel() else self.policy.contraction_ops
        if not is_cheap(body, limit):
            cost = arithmetic_ops(body)
            what = "expensive operations" if cost is None else f"{cost} operations, more than {limit},"
            raise Refusal(f"{what} would be evaluated several times for each element")

    # -- several users ------------------------------------------------------------------------------------

    def _outside_users(self, producer: Any, dying: set[int]) -> list[tuple[int, Any]]:
        """Users that stay when the cluster is built: position in the block (or past it) and operation."""
        users: list[tuple[int, Any]] = []
        for result in producer.operation.results:
            for use in result.uses:
                owner = use.owner.operation
                position = self._position(owner)
                if position not in dying or owner.block != self.block:
                    users.append((position, owner))
        return users

    def _position(self, op: Any) -> int:
        """Position in this block of an operation or of what contains it; past the end for terminators."""
        while op.block != self.block:
            op = op.parent.operation
        return self.order[op.results[0]] if len(op.results) and op.results[0] in self.order else len(self.ops)

    def _may_recompute(
        self, cluster: Cluster, view: Structured, body: list[Any], users: list[tuple[int, Any]]
    ) -> bool:
        """Whether evaluating a surviving producer once more costs no memory traffic and little arithmetic.

        Little is meant of a whole cluster: in a chain of values that each have another user, as the states of a
        recurrent cell are, the last would compute all of them again.
        """
        if not body:
            return True
        if self._is_epilogue(view):
            return False
        limit = self.policy.recompute_ops - cluster.evaluated_again
        if not is_cheap(body, limit) or len(users) >= self.policy.max_uses:
            return False
        if tensor_inputs(view) > self.policy.recompute_inputs:
            return False
        return tensor_inputs(view) <= 1 or all(self._would_absorb(view, *user) for user in users)

    def _is_epilogue(self, view: Structured) -> bool:
        """Whether it alone reads a reduction's result, element by element.

        Tiling then fuses the two, which copies of it would prevent.
        """
        sizes = view.loop_sizes()
        for value, access in zip(view.inputs, view.input_maps, strict=True):
            if not visits_once(access, sizes):
                continue
            position = self.order.get(value)
            source = None if position is None else self.views.get(position)
            if source is not None and not source.is_parallel() and len(list(value.uses)) == 1:
                return True
        return False

    def _would_absorb(self, producer: Structured, position: int, user: Any) -> bool:
        view = self.views.get(position)
        if view is None or user.block != self.block:
            return False
        results = list(producer.op.results)
        accesses = [m for v, m in zip(view.operands, view.maps, strict=True) if v in results]
        sizes = view.loop_sizes()
        return all(visits_once(m, sizes) for m in accesses)

    def _exports(
        self,
        cluster: Cluster,
        view: Structured,
        members: list[Member],
        users: list[tuple[int, Any]],
        root_position: int,
    ) -> list[tuple[Member, int]]:
        """Results that the fused operation yields as well, so that the producer can go."""
        root = cluster.root
        if not self.policy.multi_result or not root.is_parallel() or len(members) > 1:
            raise Refusal(f"it has {len(users)} more users, and evaluating it again is not worth it")
        position = cluster.members[0].order
        if any(p <= position for p, _ in users):
            raise Refusal("another user comes before the operation that could yield it as well")
        member = members[0]
        used = [k for k, r in enumerate(view.op.results) if is_used(r)]
        maps = [member.access(len(view.inputs) + k) for k in used]
        if any(not m.is_permutation or m.n_dims != len(m.results) for m in maps):
            raise Refusal(f"it has {len(users)} more users, and its iteration space is not its user's")
        return [(member, k) for k in used]
