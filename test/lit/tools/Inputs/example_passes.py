"""Passes for the tests of the tool itself: they count, remark, change, fail and crash on request."""

from typing import Literal

from wse_mlir import Pass, PassFailure, option
from wse_mlir.dialects.host import ir


class Misbehave(Pass, name="example-misbehave", anchor="func.func"):
    """Does what it is told to, on each function.

    Before: `func.func @f()`, after `how=rename`: `func.func @renamed()`.
    """

    how: Literal["nothing", "rename", "fail", "crash", "invalidate"] = option("nothing", "what to do")
    message: str = option("as asked", "what a failure says")

    def run(self, op, run):
        run.count("functions seen")
        run.remark(op, "seen")
        if self.how == "rename":
            op.attributes["sym_name"] = ir.StringAttr.get("renamed")
        elif self.how == "fail":
            raise PassFailure(op.regions[0].blocks[0].operations[0], self.message, hint="do not ask for it")
        elif self.how == "crash":
            raise KeyError("unexpected")
        elif self.how == "invalidate":
            del op.attributes["function_type"]


class Anywhere(Pass, name="example-anywhere"):
    """Counts the operations directly inside, whatever it runs on."""

    def run(self, op, run):
        run.count(f"in {op.name}", sum(len(list(block)) for region in op.regions for block in region))
