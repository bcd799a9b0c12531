"""`wse-fork-threads`: the threads of a pool share the chunks of functions that `wse-parallelize` made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ....dialects import host
from ....dialects.host import ir
from ...infra.pass_base import Pass, PassRun
from .outline import CHUNKS, FORK, THREADS

POOL_RUN = "wse_pool_run"
llvm: Any = host.llvm  # the stubs lack its types


class ForkThreads(Pass, name="wse-fork-threads", anchor="builtin.module"):
    """Lets functions that go through chunks hand them to the thread pool.

    The arguments are written into a block on the stack, for a thread gets one pointer. The pool's function is
    `void wse_pool_run(void (*body)(void *, int64_t), void *environment, int64_t chunks, int64_t threads)`; it calls the
    body for every chunk and returns when all are done.

    Before:
        llvm.func @nest(%x: !llvm.ptr, %n: i64) attributes {wse.fork = @nest_chunk, wse.chunks = 2, wse.threads = 2} {
          a loop that calls @nest_chunk(%k, %x, %n)
        }
    After:
        llvm.func internal @nest_body(%block: !llvm.ptr, %k: i64) { loads %x and %n, calls @nest_chunk(%k, %x, %n) }
        llvm.func internal @nest(%x: !llvm.ptr, %n: i64) {
          %block = llvm.alloca %c1 x !llvm.struct<(ptr, i64)>
          stores %x and %n
          llvm.call @wse_pool_run(@nest_body, %block, 2, 2)
        }
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        functions = [f.operation for f in op.regions[0].blocks[0].operations]
        forks = [
            f for f in functions if f.name == "llvm.func" and FORK in f.attributes and not _is_wrapper(f)
        ]
        if not forks:
            return
        if not any(_symbol(f) == POOL_RUN for f in functions if f.name == "llvm.func"):
            with op.location, ir.InsertionPoint.at_block_begin(op.regions[0].blocks[0]):
                pointer, i64 = llvm.PointerType.get(), ir.IntegerType.get_signless(64)
                _function(POOL_RUN, [pointer, pointer, i64, i64])
        for fork in forks:
            with fork.location, ir.InsertionPoint(fork):
                _rewrite(fork)
            fork.erase()
            run.count("functions whose chunks are shared")


def _symbol(function: ir.Operation) -> str:
    return ir.StringAttr(function.attributes["sym_name"]).value


def _is_wrapper(function: ir.Operation) -> bool:
    """Whether it is the C interface of another function, which has the same attributes."""
    return _symbol(function).startswith("_mlir_ciface_")


def _rewrite(fork: ir.Operation) -> None:
    """Makes a function of the same name that forks; the old one is about to go."""
    name, types = _symbol(fork), [argument.type for argument in fork.regions[0].blocks[0].arguments]
    block_type = llvm.StructType.get_literal(types)
    pointer, i64 = llvm.PointerType.get(), ir.IntegerType.get_signless(64)
    body = f"{name}_body"
    entry = _internal_function(body, [pointer, i64])
    with ir.InsertionPoint(entry):
        block, chunk = entry.arguments
        values = [
            llvm.LoadOp(kind, _field(block, block_type, index)).result for index, kind in enumerate(types)
        ]
        callee = ir.FlatSymbolRefAttr(fork.attributes[FORK])
        llvm.CallOp(None, [chunk, *values], [], [], callee=callee)
        llvm.ReturnOp()
    entry = _internal_function(name, types)
    with ir.InsertionPoint(entry):
        block = llvm.AllocaOp(pointer, _constant(1), ir.TypeAttr.get(block_type)).result
        for index, value in enumerate(entry.arguments):
            llvm.StoreOp(value, _field(block, block_type, index))
        counts = [_constant(ir.IntegerAttr(fork.attributes[key]).value) for key in (CHUNKS, THREADS)]
        address = llvm.AddressOfOp(pointer, ir.FlatSymbolRefAttr.get(body)).result
        llvm.CallOp(None, [address, block, *counts], [], [], callee=ir.FlatSymbolRefAttr.get(POOL_RUN))
        llvm.ReturnOp()


def _internal_function(name: str, types: Sequence[ir.Type]) -> ir.Block:
    """The entry block of a function that only this module sees."""
    function = _function(name, types)
    function.attributes["linkage"] = ir.Attribute.parse("#llvm.linkage<internal>")
    return ir.Block.create_at_start(function.regions[0], list(types), [function.location] * len(types))


def _function(name: str, types: Sequence[ir.Type]) -> ir.Operation:
    kind = llvm.FunctionType.get(ir.Type.parse("!llvm.void"), list(types))
    function: Any = llvm.LLVMFuncOp(name, ir.TypeAttr.get(kind))
    return function.operation


def _field(block: ir.Value, kind: ir.Type, index: int) -> ir.Value:
    return llvm.GEPOp(llvm.PointerType.get(), block, [], [0, index], ir.TypeAttr.get(kind), 0).result


def _constant(value: int) -> ir.Value:
    i64 = ir.IntegerType.get_signless(64)
    return llvm.ConstantOp(i64, ir.IntegerAttr.get(i64, value)).result
