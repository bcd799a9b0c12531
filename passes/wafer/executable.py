"""Reading the executable stage: its symbols by kind, and what a program text touches."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...dialects.host import ir
from ...dialects.provenance import read_location
from ...dialects.wse.indexed_checks import indexed_chain, unmoved
from ...wse_target.instructions import Source
from ..infra.diagnostics import PassFailure

TRANSFERS = ("wse.send", "wse.receive", "wse.relay")
CALL = "func.call"
CHOICE = "scf.index_switch"
ENTERS, LEAVES = (
    "wse.enters",
    "wse.leaves",
)  # on controls: the routine of the class whose text begins, or ends
RECORD = "wse.record"  # bytes of the descriptors that a call of a routine brings along
WORDS = "wse.words"  # the same of words, code of those for the first call; and how many a call sets
OF_TRIPS = "wse.of_trips"  # on buffers whose contents live in one trip of a loop over phases


def symbols(module: ir.Operation, name: str) -> list[Any]:
    """Module-level operations called `name`, in order."""
    return [op for op in module.regions[0].blocks[0].operations if op.operation.name == name]


def program_of(module: ir.Operation) -> Any:
    """The module's `wse.program`; raises `PassFailure` when it has none."""
    found = symbols(module, "wse.program")
    if not found:
        raise PassFailure(module, "the module holds no fabric program", hint="run wse-emit-programs first")
    return found[0]


def bodies(module: ir.Operation) -> list[tuple[Any, Any]]:
    """(class, function) of every class of PEs, in order."""
    functions = {op.name.value: op for op in symbols(module, "func.func")}
    return [(pes, functions[pes.body.value]) for pes in symbols(module, "wse.pe_class")]


def operations(block: ir.Block) -> Iterator[Any]:
    """The operations of a block, those of a routine in the place of its call."""
    for op in block.operations:
        if op.operation.name == CALL:
            yield from operations(routine(op).body.blocks[0])
        else:
            yield op


def routine(call: Any) -> Any:
    """The function that a call names."""
    root = call.operation
    while root.parent is not None:
        root = root.parent.operation
    return ir.SymbolTable(root)[ir.FlatSymbolRefAttr(call.operation.attributes["callee"]).value]


def instructions(block: ir.Block) -> Iterator[Any]:
    """All operations of a program text, loops before their bodies, those of routines in the places of calls."""
    for op in operations(block):
        yield from within(op)


@dataclass(frozen=True)
class TextOperation:
    """An operation of a program text, with a position in its order.

    Attributes:
        loop: first and last position of the loop around it whose steps have positions of their own.
    """

    op: Any
    loop: tuple[int, int] | None = None

    @property
    def inside(self) -> list[Any]:
        """The operation, and what is inside of it but has no position of its own."""
        return [self.op] if is_stretch(self.op) else list(within(self.op))


def is_stretch(op: Any) -> bool:
    """Whether an operation is a loop over a stretch of the program: phases begin in it, and nothing stays under way."""
    return op.operation.name == "scf.for" and any(
        inner.operation.name == "wse.phase" for inner in op.operation.regions[0].blocks[0].operations
    )


def steps(text: ir.Block) -> list[TextOperation]:
    """The operations of a program text in order, those of loops over phases behind these."""
    found: list[TextOperation] = []
    for op in operations(text):
        inner = steps(op.operation.regions[0].blocks[0]) if is_stretch(op) else []
        loop = (len(found), len(found) + len(inner)) if inner else None
        found += [TextOperation(op, loop), *(TextOperation(step.op, loop) for step in inner)]
    return found


def within(op: Any) -> Iterator[Any]:
    """An operation and all that is inside of it, loops before their bodies."""
    yield op
    for region in op.operation.regions:
        for block in region.blocks:
            yield from instructions(block)


def mark_of(op: Any) -> tuple[str, bool]:
    """The routine that begins or ends at an operation, "" for none, and whether it begins."""
    attributes = op.operation.attributes
    for name in (ENTERS, LEAVES):
        if name in attributes:
            return ir.StringAttr(attributes[name]).value, name == ENTERS
    return "", False


def buffer_of(value: ir.Value) -> str | None:
    """The buffer that a memref is, None for other values."""
    if isinstance(value.owner, ir.Block) or value.owner.name != "wse.get_buffer":
        return None
    return ir.FlatSymbolRefAttr(value.owner.attributes["buffer"]).value


def buffers_of(value: ir.Value) -> tuple[str, ...]:
    """The buffers that an operation touches through a memref: what is accessed, and numbers that say where."""
    moved = list(indexed_chain(value))
    names = (buffer_of(v) for v in (unmoved(value), *(op.numbers for op in moved)))
    return tuple(name for name in names if name is not None)


def source_of(op: Any) -> Source:
    """Where an operation comes from in the user's model."""
    found = read_location(op.location)
    location = f"{os.path.basename(found.file)}:{found.line}" if found.file else ""
    return Source(found.module_path, location, found.operator)
