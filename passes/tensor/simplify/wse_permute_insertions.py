"""`wse-permute-insertions`: what is inserted into a transposed tensor is inserted into the tensor itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dialects.host import ir
from ...infra.pass_base import Pass, PassRun
from ..effects import is_dead
from ..traversal import collect
from .reshapes.insertions import can_move, move_write, transposed, written_by
from .reshapes.writes import transposition


class PermuteInsertions(Pass, name="wse-permute-insertions", anchor="func.func"):
    """Turns transposing, inserting and transposing back into an insertion at permuted offsets.

    A decoder's caches of keys and values are updated so: PyTorch's indexing operators want the dimension that is
    indexed to come first. What stays is a write of the new rows, which `wse-bufferize` makes where the cache lies.

        %t = linalg.generic {maps = [(l, h, d) -> (h, l, d), (l, h, d) -> (l, h, d)]} ins(%cache) outs(%e) { yield }
        %i = tensor.insert_slice %row into %t[%p, 0, 0] [1, 4, 64] [1, 1, 1]
        %r = linalg.generic {maps = [(h, l, d) -> (l, h, d), (h, l, d) -> (h, l, d)]} ins(%i) outs(%f) { yield }
    becomes
        %s = tensor.collapse_shape %row [[0, 1], [2]] : tensor<1x4x64xf32> into tensor<4x64xf32>
        %r = tensor.insert_slice %s into %cache[0, %p, 0] [4, 1, 64] [1, 1, 1]

    Insertions may stand in loops, one for each row. Other readers of `%i` read a transposed copy of `%r`, which
    `wse-absorb-reshapes` makes part of how they read. A tensor that is never transposed back stays as it is: it
    would be copied all the same.
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for copy in collect(op, lambda o: o.name == "linalg.generic"):
            order = transposition(copy)
            if order is None or order == sorted(order):
                continue
            for use in list(copy.results[0].uses):
                result = written_by(use)
                if result is None or not can_move(use) or not _returns(result, order):
                    continue
                _move(use, result, copy.operands[0], order)
                run.count("insertions permuted")
            if is_dead(copy):
                copy.erase()


def _returns(value: ir.Value, order: Sequence[int]) -> bool:
    """Whether a tensor is transposed back, perhaps after further insertions."""
    for use in value.uses:
        user = use.owner.operation
        back = transposition(user) if user.name == "linalg.generic" else None
        if back is not None and [order[d] for d in back] == sorted(order):
            return True
        result = written_by(use)
        if result is not None and _returns(result, order):
            return True
    return False


def _move(use: Any, result: ir.Value, source: ir.Value, order: Sequence[int]) -> None:
    """Inserts into `source` what was to be inserted into its transposition; the result is transposed for its users."""
    user = use.owner.operation
    readers = [(reader.owner.operation, reader.operand_number) for reader in result.uses]
    moved = move_write(use, source, order)
    with ir.InsertionPoint.after(user), user.location:
        again = transposed(moved, order)
    for reader, number in readers:
        reader.operands[number] = again
    if moved != result:
        user.erase()
