"""How large IR is: the order in which a reduction descends."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..dialects.host import ir

# What stands for a removed operation's results: it costs nothing to have one more of these.
STAND_IN_OPERATIONS = frozenset(
    {"arith.constant", "llvm.mlir.zero", "tensor.empty", "builtin.unrealized_conversion_cast"}
)

_NUMBER = re.compile(r"(?<![\w%^#@.])\d{1,18}(?=x|\b)|(?<=x)\d{1,18}(?=x)")


class Size(NamedTuple):
    """Compared from left to right, so that every step of a reduction makes progress and none is undone.

    Attributes:
        computing: operations beside constants, empty tensors and casts from nothing, modules included.
        operations: all operations.
        characters: length of the text.
        numbers: sum of the integers in the text: of two equally long texts, the one with smaller shapes is smaller.
    """

    computing: int
    operations: int
    characters: int
    numbers: int


def size_of(module: ir.Operation, text: str) -> Size:
    """The size of a module whose text is known already."""
    names: list[str] = []

    def visit(op: ir.Operation) -> ir.WalkResult:
        names.append(op.name)
        return ir.WalkResult.ADVANCE

    module.walk(visit)
    leaves = sum(name in STAND_IN_OPERATIONS for name in names)
    numbers = sum(map(int, _NUMBER.findall(text)))
    return Size(len(names) - leaves, len(names), len(text), numbers)
