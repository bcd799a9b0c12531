"""PE arithmetic by native code: kernels for the simulator, compiled by the project's own passes for the CPU."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from math import prod

import numpy as np

from ...dialects.context import create_context
from ...dialects.host import ir
from ...passes.infra.pass_manager import Instrumentation, run_pipeline
from ...wse_target.image import DTYPE_BYTES
from ...wse_target.sim.kernels import Kernel, Operand, Signature
from ..named import named_pipeline
from .jit import NativeModule
from .pe_kernels_emit import NAME, emit_kernel
from .pe_kernels_nest import reach

THREADS = 2
_BIG = 1 << 16  # elementary operations above which a call is worth more than one thread
_PIECES = 4  # ranges of PEs for each thread
_DESCRIPTOR = 5  # words of a one-dimensional memref


class NativeKernels:
    """Native kernels, compiled when they are first asked for and kept for the life of the process."""

    def kernel(self, signature: Signature) -> Kernel:
        """See `KernelProvider.kernel`.

        Raises:
            TargetError: the operation is not defined on its types.
            CompilerError: the kernel could not be compiled.
        """
        return _kernel(signature)


@cache
def _kernel(signature: Signature) -> Kernel:
    signature.operand_dtypes  # noqa: B018 (refuses what is not defined)
    native = NativeModule(lower(signature), f"a PE kernel '{signature.kind}'")
    entry = native.entry(NAME)
    walks = (signature.dst, *signature.srcs)
    before = [reach(w.strides, signature.bounds)[0] * DTYPE_BYTES[w.dtype] for w in walks]
    work = max(1, prod(signature.bounds))

    def run(pes: int, operands: Sequence[Operand]) -> None:
        def part(first: int, last: int) -> None:
            block = _argument_block(first, last, operands, before)
            entry(ctypes.addressof(block) + 8 * (len(block) - _pointers(len(operands))))

        if pes * work < _BIG:
            part(0, pes)
            return
        cuts = np.linspace(0, pes, THREADS * _PIECES + 1).astype(int).tolist()
        list(_pool().map(part, cuts[:-1], cuts[1:]))

    run.native = native  # type: ignore[attr-defined]
    return run


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(THREADS, "pe-kernels")


def _pointers(operands: int) -> int:
    """Number of a kernel's arguments: the numbers, and two for each operand."""
    return 1 + 2 * operands


def _argument_block(
    first: int, last: int, operands: Sequence[Operand], before: Sequence[int]
) -> ctypes.Array:
    """Numbers, memref descriptors, pointers to them, and pointers to those, which is what a packed call takes."""
    numbers = [first, last]
    buffers = []
    for operand, back in zip(operands, before, strict=True):
        numbers += [int(len(operand.offsets) > 1), operand.constant - back]
        buffers += [operand.data, operand.offsets]
    count = _pointers(len(operands))
    block = (ctypes.c_int64 * (len(numbers) + _DESCRIPTOR * count + 2 * count))(*numbers)
    base = ctypes.addressof(block)
    sizes = [(base, len(numbers)), *((b.__array_interface__["data"][0], b.size) for b in buffers)]
    at = len(numbers)
    for index, (address, size) in enumerate(sizes):
        block[at : at + _DESCRIPTOR] = [address, address, 0, size, 1]
        block[len(block) - 2 * count + index] = base + 8 * at
        block[len(block) - count + index] = base + 8 * (len(block) - 2 * count + index)
        at += _DESCRIPTOR
    return block


def lower(signature: Signature) -> ir.Module:
    """A module in the llvm dialect with the kernel of a signature, through the pipeline `cpu`'s last stages."""
    with _context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            emit_kernel(signature)
        stages = {stage.name: stage.text for stage in named_pipeline("cpu").stages}
        late = f"canonicalize,cse,{stages['expand-math']},{stages['lower-to-llvm']}"
        run_pipeline(module, f"builtin.module({late})", instrumentation=Instrumentation(verify_each=False))
        return module


@cache
def _context() -> ir.Context:
    return create_context()
