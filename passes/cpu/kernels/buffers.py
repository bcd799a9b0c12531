"""Which buffer a memref is a view of, and which buffers an operation reads and writes.

Buffers are known by their roots: an allocation, an argument of the function or a global. Different roots do not
overlap. A memref whose root is not known (carried by a loop, returned by a call) may be any of them.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from ....dialects.host import ir
from ....dialects.structured import structured
from ...tensor.bufferization.lifetimes import VIEW_OPS, operations_below
from ...tensor.effects import has_no_effect
from ...tensor.traversal import made_by

Root = ir.Value | str
_ALLOCATIONS = frozenset({"memref.alloc", "memref.alloca"})
_INERT = frozenset({"memref.dim", "memref.get_global", *_ALLOCATIONS, *VIEW_OPS})
_TERMINATORS = frozenset({"scf.yield", "scf.condition", "linalg.yield"})


@dataclass
class Effects:
    """The buffers that an operation reads and writes, in the order of its operands.

    Attributes:
        fence: it may touch any memory, or must keep its place for another reason.
    """

    reads: dict[Root, None] = field(default_factory=dict)
    writes: dict[Root, None] = field(default_factory=dict)
    fence: bool = False

    def __bool__(self) -> bool:
        return self.fence or bool(self.reads) or bool(self.writes)


def is_memref(value: ir.Value) -> bool:
    return isinstance(value.type, ir.MemRefType | ir.UnrankedMemRefType)


def view_source(value: ir.Value) -> ir.Value | None:
    """What a memref is a view of; None when it is no view."""
    op = made_by(value)
    return op.operands[0] if op is not None and op.name in VIEW_OPS else None


def view_chain(value: ir.Value) -> list[ir.Value]:
    """The root of a memref, the view of it, the view of that, ... and the memref itself."""
    chain = [value]
    while (source := view_source(chain[-1])) is not None:
        chain.append(source)
    return chain[::-1]


def root_of(value: ir.Value) -> Root | None:
    """The root of a memref; None when it is not known."""
    origin = view_chain(value)[0]
    op = made_by(origin)
    if op is None:
        return origin if ir.BlockArgument(origin).owner.owner.operation.name == "func.func" else None
    if op.name == "memref.get_global":
        return str(op.attributes["name"])
    return origin if op.name in _ALLOCATIONS else None


def effects_of(op: ir.Operation) -> Effects:
    """What an operation and those inside it do to memory."""
    found = Effects()
    _collect(op, found)
    for inner in operations_below(op):
        _collect(inner, found)
    return found


def _collect(op: ir.Operation, found: Effects) -> None:
    """What an operation does apart from those inside it: bodies of generics may load from other buffers."""
    view = structured(op) if op.name == "linalg.generic" else None
    if view is not None:
        for number, operand in enumerate(view.operands):
            is_init = number >= len(view.inputs)
            if is_memref(operand):
                _note(operand, found, reads=not is_init or view.reads(number), writes=is_init)
        return
    if op.name in _INERT or op.name in _TERMINATORS:
        return
    memrefs = [v for v in op.operands if is_memref(v)]
    for number, operand in enumerate(memrefs):
        reads, writes = _accesses(op.name, number)
        _note(operand, found, reads=reads, writes=writes)
    if not memrefs and not len(op.regions) and not has_no_effect(op):
        found.fence = True


def _accesses(name: str, number: int) -> tuple[bool, bool]:
    """Whether an operation reads and writes its memref operand of that number."""
    if name == "memref.load":
        return True, False
    if name == "memref.store":
        return False, True
    if name in ("memref.copy", "linalg.copy"):
        return number == 0, number == 1
    return True, True


def _note(operand: ir.Value, found: Effects, *, reads: bool, writes: bool) -> None:
    root = root_of(operand)
    if root is None:
        found.fence = True
        return
    if reads:
        found.reads[root] = None
    if writes:
        found.writes[root] = None
