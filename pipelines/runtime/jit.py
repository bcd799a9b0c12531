"""Native code in this process from a module in the llvm dialect."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable, Sequence
from math import prod
from typing import Any

import numpy as np

from ...dialects.host import execution_engine, ir
from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.native_errors import captured_stderr
from .descriptors import Descriptors, ReturnedBuffer

_ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_LIBC = ctypes.CDLL(None)
_LIBC.free.argtypes = [ctypes.c_void_p]
_LIBC.free.restype = None

ReturnedType = tuple[int, np.dtype]


class NativeModule:
    """The machine code of a module in the llvm dialect; lives as long as this object.

    Args:
        what: names the module in messages.

    Raises:
        CompilerError: LLVM refuses the module or a symbol is missing; carries what LLVM said.
    """

    def __init__(self, module: ir.Module, what: str) -> None:
        self._what = what
        self._engine = self._asked(lambda: execution_engine.ExecutionEngine(module, opt_level=3))

    def entry(self, name: str) -> Callable[[int], None]:
        """Calls function `name`, which has `llvm.emit_c_interface`, with the address of its packed arguments.

        Calls release the interpreter's lock.
        """
        return _ENTRY(self._asked(lambda: self._engine.raw_lookup("_mlir_ciface_" + name)))

    def _asked(self, question: Callable[[], Any]) -> Any:
        with captured_stderr() as errors:
            failure, answer = "", None
            try:
                answer = question()
            except RuntimeError as error:
                failure = str(error)
        if failure or not answer:
            raise CompilerError(
                f"LLVM could not make native code of {self._what}",
                notes=tuple(filter(None, (failure, errors.text))),
                hint="this is a fault of the compiler: every stage before had accepted the model",
            )
        return answer


class JitFunction:
    """One function of a module, compiled; takes arrays and writes its results into some of them.

    Calls release the interpreter's lock and are serialised, because the argument block is reused.
    """

    def __init__(
        self, module: ir.Module, name: str, ranks: Sequence[int], returned: Sequence[ReturnedType] = ()
    ) -> None:
        """Compiles `module`, whose function `name` has `llvm.emit_c_interface`.

        Args:
            ranks: of the function's arguments, which are memrefs.
            returned: rank and element type of the memrefs that it returns, which the caller owns.

        Raises:
            CompilerError: LLVM refuses the module or a symbol is missing; carries what LLVM said.
        """
        self._descriptors = Descriptors(ranks, [rank for rank, _ in returned])
        self._returned = [dtype for _, dtype in returned]
        self._lock = threading.Lock()
        self._native = NativeModule(module, f"'{name}'")
        self._call = self._native.entry(name)

    def bind(self, index: int, array: np.ndarray) -> None:
        """Binds an argument for all calls from now on; the array is kept alive."""
        with self._lock:
            self._descriptors.set(index, array, keep=True)

    def __call__(self, arguments: Sequence[tuple[int, np.ndarray]]) -> list[np.ndarray]:
        """Runs once with these arguments, by position, and the bound ones; returns the buffers it returns."""
        with self._lock:
            for index, array in arguments:
                self._descriptors.set(index, array)
            self._call(self._descriptors.address)
            if not self._returned:
                return []
            buffers = self._descriptors.returned()
        return [_take(buffer, dtype) for buffer, dtype in zip(buffers, self._returned, strict=True)]


def _take(buffer: ReturnedBuffer, dtype: np.dtype) -> np.ndarray:
    """Copies a returned buffer into an array and frees it."""
    size = prod(buffer.shape) * dtype.itemsize
    array = np.empty(buffer.shape, dtype)
    if size:
        ctypes.memmove(array.ctypes.data, buffer.data, size)
    _LIBC.free(buffer.allocated)
    return array
