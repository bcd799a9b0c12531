"""A set of `linalg.generic` operations planned as one, and the one operation it becomes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ....dialects.affine.expressions import dim_position, emit_affine, is_plain
from ....dialects.affine.maps import compose_map, loops_inferable
from ....dialects.host import affine, ir, linalg
from ....dialects.structured import (
    Structured,
    build_generic,
    clone_into,
    hand_on_attributes,
)

MappedRead = tuple[ir.Value, ir.AffineMap]


@dataclass(frozen=True, eq=False)
class Member:
    """One operation of the cluster as evaluated inside the root's loop nest.

    Attributes:
        view: the operation.
        loops: its iterators as functions of the root's; results of one map.
        order: its position in the block; producers come before consumers.
    """

    view: Structured
    loops: ir.AffineMap
    order: int

    def access(self, operand: int) -> ir.AffineMap:
        """The map of an operand from the root's iterators."""
        return compose_map(self.view.maps[operand], self.loops)

    def reads(self) -> list[MappedRead]:
        """Tensors and scalars that the body uses: inputs, and inits where the body reads them."""
        return [(v, self.access(k)) for k, v in enumerate(self.view.operands) if self.view.reads(k)]


def producer_loops(view: Structured, result: int, access: ir.AffineMap) -> ir.AffineMap | None:
    """A producer's iterators in terms of a consumer's that reads `result` by `access`.

    None when the producer does not write that result by a permutation of its iterators: then an element
    of the result does not say which iteration made it.
    """
    written = view.init_maps[result]
    if not written.is_permutation or written.n_dims != len(view.iterators):
        return None
    exprs: list[ir.AffineExpr] = [access.results[0]] * written.n_dims if written.n_dims else []
    for position, expr in enumerate(written.results):
        loop = dim_position(expr)
        assert loop is not None
        exprs[loop] = access.results[position]
    return ir.AffineMap.get(access.n_dims, 0, exprs)


class Cluster:
    """The plan of one fused operation: a root, the producers it evaluates itself, what it still reads.

    Attributes:
        root: the last operation; it gives the loop nest.
        members: everything evaluated, the root first.
        leaves: what is read from outside, each tensor and access once.
        scalars: reads that became one scalar known before the loops (a fill's value).
        aliases: reads of a reshape's result that became reads of its source.
        size: number of scalar operations.
        exports: absorbed results that others use as well, and so are results of the fused operation.
        evaluated_again: number of scalar operations that others evaluate as well.
    """

    def __init__(self, root: Structured, order: int) -> None:
        self.root = root
        self.members = [Member(root, ir.AffineMap.get_identity(len(root.iterators)), order)]
        self.scalars: dict[MappedRead, ir.Value] = {}
        self.aliases: dict[MappedRead, MappedRead] = {}
        self.size = len(root.body_operations())
        self.exports: list[tuple[Member, int]] = []
        self.evaluated_again = 0
        self.leaves = dict.fromkeys(self._root_reads(range(len(root.inputs))))
        if not self._inferable(self.leaves):
            # Operands that are there for their shape (the window of a pooling) stay.
            shapes = [(v, m) for v, m in zip(root.inputs, root.input_maps, strict=True)]
            self.leaves = dict.fromkeys(shapes)

    def _root_reads(self, operands: Iterable[int]) -> list[MappedRead]:
        root = self.root
        return [(root.operands[k], root.maps[k]) for k in operands if root.reads(k)]

    def _inferable(self, leaves: Iterable[MappedRead]) -> bool:
        maps = [*(m for _, m in leaves), *self.root.init_maps]
        return loops_inferable(maps, len(self.root.iterators))

    def updated_inits(self) -> list[ir.Value]:
        """Destinations whose old elements the root reads; they stay operands."""
        count = len(self.root.inputs)
        return [v for k, v in enumerate(self.root.inits) if self.root.reads(count + k)]

    def without(self, reads: list[MappedRead], members: list[Member]) -> dict[MappedRead, None] | None:
        """The leaves after `reads` are computed by `members` instead, whose reads take the place of the first.

        None when a loop would lose its trip count.
        """
        return self._substituted(reads, [read for member in members for read in member.reads()])

    def _substituted(self, reads: list[MappedRead], added: list[MappedRead]) -> dict[MappedRead, None] | None:
        gone = set(reads)
        leaves: dict[MappedRead, None] = {}
        for read in self.leaves:
            if read in gone:
                leaves |= dict.fromkeys(added)
            else:
                leaves[read] = None
        return leaves if self._inferable(leaves) else None

    def absorb(self, members: list[Member], leaves: dict[MappedRead, None]) -> None:
        """Adds producers; `leaves` is what `without` returned for them."""
        self.members += members
        self.size += sum(len(m.view.body_operations()) for m in members)
        self.leaves = leaves

    def make_scalar(self, reads: list[MappedRead], scalar: ir.Value) -> bool:
        """Replaces reads of a uniform tensor by its value; False when they give a trip count."""
        leaves = self.without(reads, [])
        if leaves is None:
            return False
        self.leaves = leaves
        self.scalars |= dict.fromkeys(reads, scalar)
        return True

    def redirect(self, read: MappedRead, source: MappedRead) -> bool:
        """Reads a reshape's source in place of its result; False when a trip count would get lost."""
        leaves = self._substituted([read], [source])
        if leaves is None:
            return False
        self.leaves = leaves
        self.aliases[read] = source
        return True

    def emit(self, inits: list[ir.Value]) -> Any:
        """Builds the fused operation before the root; `inits` has the root's and then the exports'."""
        root = self.root
        leaves = list(self.leaves)
        maps = [m for _, m in leaves] + list(root.init_maps)
        maps += [member.access(len(member.view.inputs) + k) for member, k in self.exports]
        location = fused_location([m.view.op for m in self.members])
        op = build_generic(
            [v for v, _ in leaves],
            inits,
            maps,
            root.iterators,
            lambda *scalars: self._body(dict(zip(leaves, scalars, strict=False)), list(scalars)),
            location=location,
            ip=ir.InsertionPoint(root.op),
        )
        hand_on_attributes(root.op, op)
        return op

    def _resolved(self, read: MappedRead) -> MappedRead:
        while read in self.aliases:
            read = self.aliases[read]
        return read

    def _body(self, scalars: dict[MappedRead, ir.Value], arguments: list[ir.Value]) -> list[ir.Value]:
        """Evaluates the members in program order inside the new block; returns what it yields."""
        scalars |= self.scalars
        yields: dict[Member, list[ir.Value]] = {}
        for member in sorted(self.members, key=lambda m: m.order):
            view = member.view
            given: list[ir.Value | None] = [
                scalars.get(self._resolved((v, member.access(k)))) for k, v in enumerate(view.operands)
            ]
            if member is self.members[0]:
                first = len(self.leaves)
                given[len(view.inputs) :] = arguments[first : first + len(view.inits)]
            yields[member] = _inline(member, given)
            for k, value in enumerate(yields[member]):
                scalars[(view.op.results[k], member.access(len(view.inputs) + k))] = value
        return [*yields[self.members[0]], *(yields[m][k] for m, k in self.exports)]


def _inline(member: Member, given: list[ir.Value | None]) -> list[ir.Value]:
    """Clones a member's body with its scalars given; those that the body does not use may be missing."""
    arguments = member.view.body.arguments
    mapping: dict[ir.Value, ir.Value] = {a: g for a, g in zip(arguments, given, strict=True) if g is not None}
    for op in member.view.body_operations():
        if op.operation.name == "linalg.index":
            loop = member.loops.results[ir.IntegerAttr(op.attributes["dim"]).value]
            mapping[op.result] = _loop_index(loop, member.loops.n_dims)
        else:
            clone_into([op], mapping)
    return [mapping.get(v, v) for v in member.view.yielded]


def _loop_index(loop: ir.AffineExpr, count: int) -> ir.Value:
    """The value of an expression of the iterators, inside a body."""
    if is_plain(loop):
        return emit_affine(loop, lambda d: linalg.IndexOp(d).result)
    indices = [linalg.IndexOp(d).result for d in range(count)]
    return affine.apply(ir.AffineMap.get(count, 0, [loop]), indices)


def fused_location(ops: list[Any]) -> ir.Location:
    """The location of what several operations become: all of theirs, the first one's foremost."""
    locations = [op.location for op in ops]
    return locations[0] if all(x == locations[0] for x in locations) else ir.Location.fused(locations)
