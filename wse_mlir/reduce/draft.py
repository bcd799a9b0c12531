"""A module that a reduction looks at, and copies of it to be edited.

An operation is named by its number in the walk over the module, which is the same in every copy: handles never
outlive the copy that they belong to.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from ..dialects.host import ir

_SYMBOL = re.compile(r'@(?:[\w$.-]+|"[^"]*")')


@dataclass(frozen=True)
class Draft:
    """A copy that may be edited.

    Attributes:
        module: the copy.
        operations: what was there at first, by number; those that were erased must not be touched again.
        shared: names of symbols that are mentioned more than once: somebody relies on their signatures.
        replaced: numbers of operations that edits with several ways have erased.
    """

    module: ir.Operation
    operations: list[ir.Operation]
    shared: frozenset[str]
    replaced: set[int] = field(default_factory=set)


@dataclass(frozen=True)
class Base:
    """A module that is not edited any more, with its text."""

    module: ir.Operation
    text: str

    @cached_property
    def operations(self) -> Sequence[ir.Operation]:
        """All operations by number; the module itself has number 0."""
        return walk(self.module)

    @cached_property
    def ends(self) -> Sequence[int]:
        """For each operation, the number that follows those of everything inside it."""
        ends: list[int] = []

        def visit(op: ir.Operation) -> None:
            number = len(ends)
            ends.append(0)
            for inner in children(op):
                visit(inner)
            ends[number] = len(ends)

        visit(self.module)
        return ends

    @cached_property
    def shared(self) -> frozenset[str]:
        """See `Draft.shared`."""
        mentions = Counter(_SYMBOL.findall(self.text))
        return frozenset(name[1:].strip('"') for name, count in mentions.items() if count > 1)

    def draft(self) -> Draft:
        """A copy to edit."""
        copy = self.module.clone().operation
        return Draft(copy, walk(copy), self.shared)

    def outermost(self, numbers: Iterable[int]) -> list[int]:
        """Those of `numbers` that are not inside another one of them, ascending."""
        kept: list[int] = []
        for number in sorted(numbers):
            if not kept or number >= self.ends[kept[-1]]:
                kept.append(number)
        return kept


def walk(module: ir.Operation) -> list[ir.Operation]:
    """The operations in pre-order."""
    found: list[ir.Operation] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        found.append(op)
        return ir.WalkResult.ADVANCE

    module.walk(visit, ir.WalkOrder.PRE_ORDER)
    return found


def children(op: ir.Operation) -> Iterator[ir.Operation]:
    """The operations directly inside `op`."""
    return (inner.operation for region in op.regions for block in region for inner in block)


def around(op: ir.Operation) -> ir.Operation:
    """The operation that `op` is directly inside of."""
    assert op.parent is not None
    return op.parent.operation


def ends_its_block(op: ir.Operation) -> bool:
    """Whether this is a terminator; of a dialect that is not registered, whatever comes last is taken for one."""
    if op.has_trait(ir.IsTerminatorTrait):
        return True
    block = op.block
    if op.context.is_registered_operation(op.name) or block is None:
        return False
    return len(op.successors) > 0 or (around(op).name != "builtin.module" and block.operations[-1] == op)


def erase_blocks(blocks: Sequence[ir.Block]) -> None:
    """Erases blocks whose values are used in none but them; handles of what is inside are invalid thereafter."""
    if not blocks:
        return
    # The bindings cannot erase a block, hence it moves into an operation that is then forgotten.
    with blocks[0].owner.context, ir.Location.unknown():
        grave = ir.Operation.create("builtin.module", regions=1)
    for block in blocks:
        block.append_to(grave.regions[0])
