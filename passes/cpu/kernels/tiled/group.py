"""The operations of a block as a group: the loops that they have in common, through the buffers between them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .....dialects.affine.expressions import dim_position, used_dims
from .....dialects.affine.linear import linear
from .....dialects.host import ir
from .....dialects.structured import PARALLEL, Structured, structured
from ..buffers import Root, is_memref, root_of
from ..loop_classes import LoopClass, LoopClasses

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
    loops = _shared_loops(members, written.values())
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


def _shared_loops(members: Sequence[Structured], buffers: Iterable[ir.Value]) -> list[SharedLoop]:
    classes, written = LoopClasses(), set(buffers)
    for m, view in enumerate(members):
        classes.add(m, len(view.iterators))
        for operand, access in zip(view.operands, view.maps, strict=True):
            if operand in written:
                classes.access(m, operand, access.results)
    loops = [loop for loop in classes.found() if _can_be_tiled(members, loop)]
    found = [SharedLoop(loop.iterators, _size(members, loop)) for loop in loops]
    return sorted(found, key=lambda s: (-len(s.iterators), min(s.iterators.items())))


def _can_be_tiled(members: Sequence[Structured], loop: LoopClass) -> bool:
    """Whether several members share a loop by which their operands can be cut."""
    cut = all(_can_be_cut(members[m], iterator) for m, iterator in loop.iterators.items())
    return loop.plain and loop.single and len(loop.iterators) > 1 and cut


def _size(members: Sequence[Structured], loop: LoopClass) -> int | None:
    sizes = [members[m].loop_sizes()[i] for m, i in sorted(loop.iterators.items())]
    return next((s for s in sizes if s is not None), None)


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
