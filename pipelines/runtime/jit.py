"""Native code in this process: objects are linked into it and their functions called on arrays."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from functools import cache, partial
from math import prod
from typing import TYPE_CHECKING

import llvmlite.binding as llvm
import numpy as np

from ...passes.cpu.processor import processor
from ..native.linker import link
from ..native.packed import POOL_RUN, packed_entry
from .descriptors import Descriptors, ReturnedBuffer

if TYPE_CHECKING:
    from ...dialects.host import ir

_ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_LIBC = ctypes.CDLL(None)
_LIBC.free.argtypes = [ctypes.c_void_p]
_LIBC.free.restype = None
_POOL_LOCK = threading.Lock()

ReturnedType = tuple[int, np.dtype]


class NativeModule:
    """An object file, linked into this process; it is unloaded when nothing refers to this object or its entries.

    Args:
        code: the object file's bytes, see `NativeCode.object`.
        entries: functions that have a packed entry.
        what: names the module in messages.

    Raises:
        CompilerError: it cannot be linked or a symbol is missing; says which.
    """

    def __init__(self, code: bytes, entries: Sequence[str], what: str) -> None:
        imports = {}
        if POOL_RUN.encode() in code:
            with _POOL_LOCK:
                imports = {POOL_RUN: _pool()[POOL_RUN]}
        self._library = link(code, map(packed_entry, entries), what, imports)

    def entry(self, name: str) -> Callable[[int], None]:
        """Calls function `name` with the address of its packed arguments, see `packed_entry`.

        Calls release the interpreter's lock; the module lives at least as long as what is returned here.

        Raises:
            KeyError: the function is not among the module's entries.
        """
        function = _ENTRY(self._library[packed_entry(name)])
        function.module = self  # type: ignore[attr-defined]
        return function


@cache
def _pool() -> llvm.ResourceTracker:
    """The thread pool of this process; it stays, since its workers run its code until the process ends."""
    from ..native.pool import pool_object

    return link(pool_object(), [POOL_RUN], "the thread pool")


class JitFunction:
    """One function of a linked module; takes arrays and writes its results into some of them.

    Calls release the interpreter's lock and are serialised, because the argument block is reused.

    Attributes:
        lock: to be held from writing descriptors to the end of the call.
        words: the arguments' descriptors.
        run: runs the function on what the descriptors describe.
    """

    def __init__(
        self,
        native: NativeModule,
        name: str,
        ranks: Sequence[int],
        returned: Sequence[ReturnedType] = (),
    ) -> None:
        """
        Args:
            name: of a function that is among the entries of `native`.
            ranks: of the function's arguments, which are memrefs.
            returned: rank and element type of the memrefs that it returns, which the caller owns.
        """
        self._descriptors = Descriptors(ranks, [rank for rank, _ in returned])
        self._returned = [dtype for _, dtype in returned]
        self.lock = threading.Lock()
        self.words = self._descriptors.words
        self.run = partial(native.entry(name), self._descriptors.address)

    def bind(self, index: int, array: np.ndarray) -> None:
        """Binds an argument for all calls from now on; the array is kept alive."""
        with self.lock:
            self._descriptors.set(index, array, keep=True)

    def fix_shape(self, index: int, shape: tuple[int, ...]) -> int:
        """Describes an argument whose shape no call changes; returns the position in `words` of the pointer to it."""
        with self.lock:
            return self._descriptors.fix_shape(index, shape)

    def __call__(self, arguments: Sequence[tuple[int, np.ndarray]]) -> list[np.ndarray]:
        """Runs once with these arguments, by position, and the bound ones; returns the buffers it returns."""
        with self.lock:
            for index, array in arguments:
                self._descriptors.set(index, array)
            self.run()
            if not self._returned:
                return []
            buffers = self._descriptors.returned()
        return [_take(buffer, dtype) for buffer, dtype in zip(buffers, self._returned, strict=True)]


def compile_function(
    module: ir.Module, name: str, ranks: Sequence[int], returned: Sequence[ReturnedType] = ()
) -> JitFunction:
    """Compiles `module`, in the llvm dialect, for this machine; its function `name` has `llvm.emit_c_interface`.

    Raises:
        CompilerError: LLVM refuses the module or a symbol is missing.
    """
    from ..native.codegen import NativeCode  # a program that was loaded needs none of it

    code = NativeCode(module, processor(), f"'{name}'", (name,)).object()
    return JitFunction(NativeModule(code, (name,), f"'{name}'"), name, ranks, returned)


def _take(buffer: ReturnedBuffer, dtype: np.dtype) -> np.ndarray:
    """Copies a returned buffer into an array and frees it."""
    size = prod(buffer.shape) * dtype.itemsize
    array = np.empty(buffer.shape, dtype)
    if size:
        ctypes.memmove(array.ctypes.data, buffer.data, size)
    _LIBC.free(buffer.allocated)
    return array
