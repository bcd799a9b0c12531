"""`wse-bare-pointers`: functions on buffers of known layout take pointers, and not sizes and strides as well."""

from __future__ import annotations

from typing import Any

from ....dialects.host import ir
from ...infra.pass_base import Pass, PassRun

BARE = "llvm.bareptr"  # upstream's convert-func-to-llvm reads it, of functions and of those that are called


class BarePointers(Pass, name="wse-bare-pointers", anchor="builtin.module"):
    """Marks functions whose arguments are buffers of static sizes, strides and offsets, and that return nothing.

    A buffer is otherwise handed over as two pointers, its offset, sizes and strides: 2,600 arguments of the function of
    a MobileNet, for which LLVM took half of the time to compile it. A function with one open size or stride stays
    as it is.

    Before:
        func.func private @kernel(%a: memref<4x8xf32>, %n: index)
        func.func private @open(%a: memref<?xf32>)
    After:
        func.func private @kernel(%a: memref<4x8xf32>, %n: index) attributes {llvm.bareptr}   // (ptr, i64) in LLVM
        func.func private @open(%a: memref<?xf32>)                             // (ptr, ptr, i64, i64, i64)
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        functions = [f for f in op.regions[0].blocks[0].operations if f.operation.name == "func.func"]
        for function in functions:
            kind: Any = ir.FunctionType(ir.TypeAttr(function.operation.attributes["function_type"]).value)
            if not kind.results and function.regions[0].blocks and all(map(_has_known_layout, kind.inputs)):
                function.operation.attributes[BARE] = ir.UnitAttr.get(op.context)
                run.count("functions that take pointers")


def _has_known_layout(kind: ir.Type) -> bool:
    """Whether a pointer says all about an argument that its type does not; every scalar does."""
    if isinstance(kind, ir.UnrankedMemRefType):
        return False
    if not isinstance(kind, ir.MemRefType):
        return True
    if not kind.has_static_shape:
        return False
    try:
        strides, offset = kind.get_strides_and_offset()
    except (RuntimeError, ValueError):  # the layout is no strided one
        return False
    open_stride = ir.ShapedType.get_dynamic_stride_or_offset()
    return open_stride not in (*strides, offset)
