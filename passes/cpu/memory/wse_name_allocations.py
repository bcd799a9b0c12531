"""`wse-name-allocations`: compiled code asks its caller's process for memory, and says who asks."""

from __future__ import annotations

from typing import Any

from ....dialects import host
from ....dialects.host import ir
from ....dialects.provenance import describe_location
from ....dialects.structured import replace_op
from ...infra.pass_base import Pass, PassRun
from ...tensor.traversal import collect

ALLOCATE = "wse_allocate"  # void *(int64_t bytes, int64_t site): never null; see native/allocations.ll
RELEASE = "wse_release"  # void (void *)
ALLOCATIONS = "wse.allocations"
llvm: Any = host.llvm  # the stubs lack its types


class NameAllocations(Pass, name="wse-name-allocations", anchor="builtin.module"):
    """Replaces `malloc` and `free` by functions that end a run for which there is not enough memory.

    Each place that allocates has a number, counted from 0; the module's attribute `wse.allocations` tells where in the
    model it is. For code that runs in this process: objects for others call the C library.

    Before:
        %0 = llvm.call @malloc(%bytes) : (i64) -> !llvm.ptr
        llvm.call @free(%0) : (!llvm.ptr) -> ()
    After:
        module attributes {wse.allocations = ["operator 'aten.mul' (model.py:7)"]}
        %0 = llvm.call @wse_allocate(%bytes, %site_0) : (i64, i64) -> !llvm.ptr
        llvm.call @wse_release(%0) : (!llvm.ptr) -> ()
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        calls = {"malloc": list[ir.Operation](), "free": list[ir.Operation]()}
        for call in collect(op, lambda o: o.name == "llvm.call" and "callee" in o.attributes):
            callee = ir.FlatSymbolRefAttr(call.attributes["callee"]).value
            if callee in calls:
                calls[callee].append(call)
        if not calls["malloc"]:
            return
        places = [describe_location(call.location) for call in calls["malloc"]]
        op.attributes[ALLOCATIONS] = ir.ArrayAttr.get([ir.StringAttr.get(place) for place in places])
        for site, call in enumerate(calls["malloc"]):
            _name(call, site)
        for call in calls["free"]:
            call.attributes["callee"] = ir.FlatSymbolRefAttr.get(RELEASE)
        _declare(op)
        run.count("allocations named", len(places))


def _name(call: ir.Operation, site: int) -> None:
    i64 = ir.IntegerType.get_signless(64)
    with ir.InsertionPoint(call), call.location:
        number = llvm.ConstantOp(i64, ir.IntegerAttr.get(i64, site)).result
        operands = [call.operands[0], number]
        named = llvm.CallOp(call.results[0].type, operands, [], [], callee=ir.FlatSymbolRefAttr.get(ALLOCATE))
    replace_op(call, [named.result])


def _declare(module: ir.Operation) -> None:
    """Declares the functions that take the place of the C library's."""
    i64, pointer = ir.IntegerType.get_signless(64), llvm.PointerType.get()
    with module.location, ir.InsertionPoint.at_block_begin(module.regions[0].blocks[0]):
        made = llvm.LLVMFuncOp(ALLOCATE, ir.TypeAttr.get(llvm.FunctionType.get(pointer, [i64, i64])))
        made.operation.attributes["res_attrs"] = ir.ArrayAttr.get(
            [ir.DictAttr.get({"llvm.noalias": ir.UnitAttr.get()})]
        )
        llvm.LLVMFuncOp(
            RELEASE, ir.TypeAttr.get(llvm.FunctionType.get(ir.Type.parse("!llvm.void"), [pointer]))
        )
