"""`wse-debug-locations`: every instruction points to a line of the user's model, so that debuggers can show it."""

from __future__ import annotations

from collections.abc import Iterator

from ....dialects.host import ir
from ....dialects.provenance import all_provenances
from ...infra.pass_base import Pass, PassRun

_NOWHERE = "<model>"  # the file of code that no line of the user's is known for


class DebugLocations(Pass, name="wse-debug-locations", anchor="builtin.module"):
    """Replaces the locations of `llvm.func`s and what is in them by file, line and column 0.

    An operation takes the first place of its provenance that has a line. Where there is none, it takes line 0 of
    the function's file, which stands for code without a source; a function lies where its first operation with a
    line does. Upstream's `ensure-debug-info-scope-on-llvm-func` makes line tables of such locations, and fails
    where a call has none.

    Before:
        %1 = llvm.fadd %0, %0 : f32 loc(fused<"aten.add">["layer"("model.py":12:0)])
        llvm.return %1 : f32 loc(unknown)
    After:
        %1 = llvm.fadd %0, %0 : f32 loc("model.py":12:0)
        llvm.return %1 : f32 loc("model.py":0:0)
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        functions = [f.operation for f in op.regions[0].blocks[0].operations if f.name == "llvm.func"]
        places = {index: _first_place(function) for index, function in enumerate(functions)}
        anywhere = next(filter(None, places.values()), (_NOWHERE, 0))
        op.location = ir.Location.file(*anywhere, 0, context=op.context)
        for index, function in enumerate(functions):
            own = places[index] or anywhere
            function.location = ir.Location.file(*own, 0, context=op.context)
            for inner in _operations_in(function):
                file, line = _place(inner.location) or (own[0], 0)
                run.count("operations with a line" if line else "operations without a line")
                inner.location = ir.Location.file(file, line, 0, context=op.context)


def _operations_in(function: ir.Operation) -> Iterator[ir.Operation]:
    """All operations of a function in the llvm dialect, which has no nested regions."""
    for block in function.regions[0].blocks:
        for op in block.operations:
            yield op.operation


def _first_place(function: ir.Operation) -> tuple[str, int] | None:
    return next(filter(None, (_place(op.location) for op in _operations_in(function))), None)


def _place(location: ir.Location) -> tuple[str, int] | None:
    """The first file and line that a location names."""
    found = (p for p in all_provenances(location) if p.file and p.line)
    return next(((p.file, p.line) for p in found), None)
