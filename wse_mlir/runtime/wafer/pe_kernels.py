"""PE arithmetic by native code: kernels for the simulator, compiled by the project's own passes for the CPU."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from math import prod

import numpy as np

from ...dialects.context import COMPILING, create_context
from ...dialects.host import ir
from ...passes.cpu.processor import processor
from ...passes.infra.pass_manager import Instrumentation, run_pipeline
from ...pipelines.named import named_pipeline
from ...wse_target.instructions import DTYPE_BYTES
from ...wse_target.sim.kernels import Kernel, KernelKey, KernelOperand
from ..cpu.jit import NativeModule
from ..native.codegen import NativeCode
from .pe_kernels_emit import NAME, emit_kernel
from .pe_kernels_general import General, emit_general, index_walks
from .pe_kernels_nest import reach

THREADS = max(1, min(8, os.cpu_count() or 1))
_BIG = 1 << 20  # elementary operations above which a call is worth more than one thread
_PIECES = 2  # ranges of PEs for each thread
BREAK_EVEN = 1 << 24  # elementary operations that a general kernel does in the time of a compilation
_DESCRIPTOR = 5  # words of a one-dimensional memref


@dataclass(frozen=True)
class CompiledKernel:
    """A compiled kernel: the module that owns it, and its entry."""

    module: NativeModule
    entry: Callable[[int], None]


class NativeKernels:
    """Native kernels, kept for the life of the process.

    A nest runs by the general kernel of its kind until compiling one for it alone has paid off, as far as one can tell:
    when the general one has cost about as much as the compilation would. Where numbers in memory move its operands, it
    always does: there are no vectors in it to be found.
    """

    def __init__(self, break_even: int = BREAK_EVEN) -> None:
        """
        Args:
            break_even: elementary operations by general kernels before a nest gets code of its own.
        """
        self._break_even = break_even
        self._kernels: dict[KernelKey, Kernel] = {}

    def kernel(self, signature: KernelKey) -> Kernel:
        """See `KernelProvider.kernel`.

        Raises:
            TargetError: the operation is not defined on its types.
            CompilerError: the kernel could not be compiled.
        """
        if signature not in self._kernels:
            signature.operand_dtypes  # noqa: B018 (refuses what is not defined)
            self._kernels[signature] = _Tiered(signature, self._break_even)
        return self._kernels[signature]


class _Tiered:
    """The kernel of one signature, general at first."""

    def __init__(self, signature: KernelKey, break_even: int) -> None:
        self._signature = signature
        self._left = break_even
        self._work = max(1, prod(signature.bounds))
        walks = (signature.dst, *signature.srcs, *index_walks(signature))
        self._before = [reach(w.strides, signature.bounds)[0] * DTYPE_BYTES[w.dtype] for w in walks]
        general = General.of(signature)
        self._general, self._numbers = general, general.numbers(signature)
        self._code: CompiledKernel | None = None

    def __call__(self, pes: int, operands: Sequence[KernelOperand]) -> None:
        self._left -= pes * self._work
        if self._left < 0 and self._code is None and not self._signature.indices:
            self._code = special_code(self._signature)
        special = self._code  # once: another thread may set it
        code = special or general_code(self._general)
        numbers = [] if special else self._numbers

        def part(first: int, last: int) -> None:
            call(code, first, last, operands, self._before, numbers)

        if pes * self._work < _BIG:
            part(0, pes)
            return
        cuts = np.linspace(0, pes, THREADS * _PIECES + 1).astype(int).tolist()
        _share_out(part, list(pairwise(cuts)))


def _share_out(part: Callable[[int, int], None], pieces: list[tuple[int, int]]) -> None:
    """Runs all pieces, here and on the other threads, whoever is free; who comes too late is not waited for."""

    left = iter(pieces)

    def drain() -> None:
        for first, last in left:
            part(first, last)

    others = [_pool().submit(drain) for _ in range(THREADS - 1)]
    drain()
    for other in others:
        if not other.cancel():
            other.result()


@lru_cache(maxsize=1024)
def special_code(signature: KernelKey) -> CompiledKernel:
    """Code for one signature alone."""
    return _compile(lambda: emit_kernel(signature), signature.kind)


@lru_cache(maxsize=1024)
def general_code(kernel: General) -> CompiledKernel:
    """Code for all nests of a kind, types and number of loops."""
    return _compile(lambda: emit_general(kernel), kernel.kind)


def _compile(emit: Callable[[], None], kind: str) -> CompiledKernel:
    what = f"a PE kernel '{kind}'"
    with COMPILING:
        code = NativeCode(lower(emit), processor(), what, (NAME,)).object()
    native = NativeModule(code, (NAME,), what)
    return CompiledKernel(native, native.entry(NAME))


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(max(1, THREADS - 1), "pe-kernels")


os.register_at_fork(after_in_child=_pool.cache_clear)  # its threads are not in the child


def call(
    code: CompiledKernel,
    first: int,
    last: int,
    operands: Sequence[KernelOperand],
    before: Sequence[int],
    more: Sequence[int],
) -> None:
    """Runs a kernel on PEs from `first` up to `last`, which is not included.

    Args:
        before: bytes between each operand's lowest element and its first one.
        more: numbers behind those that every kernel takes.

    What a packed entry takes is the address of pointers to memref descriptors. All of it lies in one block: the
    numbers, the descriptors, and the pointers to those.
    """
    words, arrays = [first, last], []
    for operand, back in zip(operands, before, strict=True):
        words += (int(len(operand.offsets) > 1), operand.constant - back)
        arrays += (operand.data, operand.offsets)
    words += more
    count, numbers = 1 + len(arrays), len(words)
    pointers = numbers + _DESCRIPTOR * count
    block = (ctypes.c_int64 * (pointers + count))()
    base = ctypes.addressof(block)
    words += (base, base, 0, numbers, 1)
    for array in arrays:
        address = array.__array_interface__["data"][0]
        words += (address, address, 0, array.size, 1)
    words += range(base + 8 * numbers, base + 8 * pointers, 8 * _DESCRIPTOR)
    block[:] = words
    code.entry(base + 8 * pointers)


def lower(emit: Callable[[], None]) -> ir.Module:
    """A module in the llvm dialect with what `emit` emits, through the pipeline `cpu`'s last stages."""
    with _context(), ir.Location.unknown():
        module = ir.Module.create()
        with ir.InsertionPoint(module.body):
            emit()
        module.operation.verify()
        stages = {stage.name: stage.text for stage in named_pipeline("cpu").stages}
        late = f"canonicalize,cse,{stages['expand-math']},{stages['lower-to-llvm']}"
        run_pipeline(module, f"builtin.module({late})", instrumentation=Instrumentation(verify_each=False))
        for function in module.body:
            if str(function.attributes["sym_name"]) == f'"{NAME}"':
                function.attributes["no_inline"] = (
                    ir.UnitAttr.get()
                )  # or each of its wrappers is compiled with it
        return module


@cache
def _context() -> ir.Context:
    return create_context()
