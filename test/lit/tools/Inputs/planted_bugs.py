"""Passes with a defect each, for the tests of `wse-reduce`: they end the process, fail, or never end."""

import ctypes
import os
import sys
from typing import Literal

from wse_mlir import Pass, PassFailure, option
from wse_mlir.dialects.host import ir


class PlantedBug(Pass, name="planted-bug", anchor="func.func"):
    """Goes wrong at the first operation of a kind, if one of its operands was computed by a `math` operation.

    Before and after are the same.
    """

    operation: str = option("arith.maximumf", "the operation that it cannot stand")
    how: Literal["segfault", "abort", "fail", "raise", "hang"] = option("segfault", "what happens")

    def run(self, op, run):
        found = []
        op.walk(lambda inner: (found.append(inner), ir.WalkResult.ADVANCE)[1])
        for inner in found:
            if inner.name == self.operation and any(map(_is_of_math, inner.operands)):
                self._go_wrong(inner)

    def _go_wrong(self, op):
        if self.how == "fail":
            raise PassFailure(op, f"cannot handle operands of type '{op.operands[0].type}'")
        if self.how == "raise":
            raise IndexError("list index out of range")
        if self.how == "hang":
            while True:
                pass
        print("planted: something is wrong inside", file=sys.stderr, flush=True)
        if self.how == "abort":
            os.abort()
        ctypes.string_at(0)


def _is_of_math(value):
    return isinstance(value.owner, ir.Operation | ir.OpView) and value.owner.name.startswith("math.")
