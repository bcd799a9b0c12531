"""The operations of a block as a group: the loops that they have in common, through the buffers between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .....dialects.affine.expressions import dim_position, used_dims
from .....dialects.affine.linear import linear
from .....dialects.host import ir
from .....dialects.structured import PARALLEL, Structured, structured
from ..buffers import Root, is_memref, root_of

# Operations that may stand between the members of a group: they touch no memory.
_PURE = (
    "arith.",
    "memref.subview",
    "memref.expand_shape",
    "memref.collapse_shape",
    "memref.cast",
    "memref.dim",
)
_ALLOCATION = "memref.alloc"


@dataclass(frozen=True)
class SharedLoop:
    """A loop that members of a group have in common.

    Attributes:
        iterators: member -> its iterator.
        size: trip count; None when it is open.
    """

    iterators: dict[int, int]
    size: int | None


@dataclass(frozen=True)
class Group:
    """All generics of a block.

    Attributes:
        members: in program order.
        loops: that members share, those of more members first, then by position.
        written: the buffer of each root that a member writes.
        local: of these, allocations that nothing else uses.
        frees: deallocations of local buffers.
    """

    members: tuple[Structured, ...]
    loops: tuple[SharedLoop, ...]
    written: dict[Root, ir.Value]
    local: tuple[ir.Value, ...]
    frees: tuple[ir.Operation, ...]


def group_of(block: ir.Block) -> Group | None:
    """The group of a block that holds nothing else that touches memory; None for any other block."""
    members: list[Structured] = []
    allocations: list[ir.Value] = []
    frees: list[ir.Operation] = []
    for op in list(block.operations)[:-1]:
        name = op.operation.name
        view = structured(op)
        if view is not None and not len(op.operation.results):
            members.append(view)
        elif name == _ALLOCATION:
            allocations.append(op.operation.results[0])
        elif name == "memref.dealloc":
            frees.append(op.operation)
        elif not name.startswith(_PURE):
            return None
    written = _written(members)
    if written is None or len(members) < 2:
        return None
    loops = _shared_loops(members, list(written.values()))
    ours = {m.op.operation for m in members} | set(frees)
    local = tuple(a for a in allocations if all(u.owner.operation in ours for u in a.uses))
    return Group(
        tuple(members), tuple(loops), written, local, tuple(f for f in frees if f.operands[0] in local)
    )


def _written(members: Sequence[Structured]) -> dict[Root, ir.Value] | None:
    """What members write; None if a buffer that is written is also reached by another view of it."""
    seen: dict[Root, list[ir.Value]] = {}
    written: dict[Root, ir.Value] = {}
    for view in members:
        if any(_touches_memory(op) for op in view.body_operations()):
            return None
        for k, operand in enumerate(view.operands):
            if not is_memref(operand):
                continue
            root = root_of(operand)
            if root is None:
                return None
            if operand not in seen.setdefault(root, []):
                seen[root].append(operand)
            if k >= len(view.inputs):
                written[root] = operand
    return written if all(len(seen[root]) == 1 for root in written) else None


def _touches_memory(op: Any) -> bool:
    return op.operation.name.startswith("memref.") or len(op.operation.regions) > 0


# -- loops ------------------------------------------------------------------------------------------------------

Node = tuple[str, int, int]  # ("member", number, iterator) or ("buffer", number, dimension)


class Classes:
    """Iterators of members and dimensions of buffers that run alongside each other."""

    def __init__(self) -> None:
        self._parent: dict[Node, Node] = {}

    def find(self, node: Node) -> Node:
        while (up := self._parent.setdefault(node, node)) != node:
            node = up
        return node

    def join(self, a: Node, b: Node) -> None:
        self._parent[self.find(a)] = self.find(b)

    def all(self) -> dict[Node, list[Node]]:
        found: dict[Node, list[Node]] = {}
        for node in self._parent:
            found.setdefault(self.find(node), []).append(node)
        return found


def _shared_loops(members: Sequence[Structured], buffers: Sequence[ir.Value]) -> list[SharedLoop]:
    classes = Classes()
    broken: list[Node] = []
    for m, view in enumerate(members):
        for iterator in range(len(view.iterators)):
            classes.find(("member", m, iterator))
        for operand, access in zip(view.operands, view.maps, strict=True):
            if operand not in buffers:
                continue
            number = list(buffers).index(operand)
            for d, expr in enumerate(access.results):
                position = dim_position(expr)
                if position is not None:
                    classes.join(("member", m, position), ("buffer", number, d))
                else:
                    broken.append(("buffer", number, d))
                    broken += [("member", m, i) for i in sorted(used_dims(expr))]
    bad = {classes.find(node) for node in broken}
    loops = [_loop(members, nodes) for root, nodes in classes.all().items() if root not in bad]
    found = [loop for loop in loops if loop is not None]
    return sorted(found, key=lambda s: (-len(s.iterators), min(s.iterators.items())))


def _loop(members: Sequence[Structured], nodes: Sequence[Node]) -> SharedLoop | None:
    """The loop of a class, if it has one parallel iterator a member by which its operands can be cut."""
    iterators: dict[int, int] = {}
    buffers: list[int] = []
    for kind, number, position in sorted(nodes):
        if kind == "buffer":
            if number in buffers:
                return None  # a diagonal
            buffers.append(number)
            continue
        view = members[number]
        if number in iterators or not _can_be_cut(view, position):
            return None
        iterators[number] = position
    if len(iterators) < 2:
        return None
    sizes = [members[m].loop_sizes()[i] for m, i in sorted(iterators.items())]
    return SharedLoop(iterators, next((s for s in sizes if s is not None), None))


def _can_be_cut(view: Structured, iterator: int) -> bool:
    if view.iterators[iterator] != PARALLEL:
        return False
    if not all(any(dim_position(e) == iterator for e in m.results) for m in view.init_maps):
        return False
    for access in view.input_maps:
        for expr in access.results:
            used = used_dims(expr)
            if iterator in used and used != {iterator} and linear(expr) is None:
                return False
    return True
