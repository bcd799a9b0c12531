"""Native code in this process from a module in the llvm dialect."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Sequence

import numpy as np

from ...dialects.host import execution_engine, ir
from ...passes.infra.diagnostics import CompilerError
from .descriptors import Descriptors
from .native_errors import captured_stderr

_ENTRY = ctypes.CFUNCTYPE(None, ctypes.c_void_p)


class JitFunction:
    """One function of a module, compiled; takes arrays and writes its results into some of them.

    The engine that owns the machine code lives as long as this object. Calls release the interpreter's lock
    and are serialised, because the argument block is reused.
    """

    def __init__(self, module: ir.Module, name: str, ranks: Sequence[int]) -> None:
        """Compiles `module`, whose function `name` has `llvm.emit_c_interface` and memrefs of these ranks.

        Raises:
            CompilerError: LLVM refuses the module or a symbol is missing; carries what LLVM said.
        """
        self._descriptors = Descriptors(ranks)
        self._lock = threading.Lock()
        with captured_stderr() as errors:
            failure, address = "", 0
            try:
                self._engine = execution_engine.ExecutionEngine(module, opt_level=3)
                address = self._engine.raw_lookup("_mlir_ciface_" + name)
            except RuntimeError as error:
                failure = str(error)
        if failure or not address:
            raise CompilerError(
                f"LLVM could not make native code of '{name}'",
                notes=tuple(filter(None, (failure, errors.text))),
                hint="this is a fault of the compiler: every stage before had accepted the model",
            )
        self._call = _ENTRY(address)

    def bind(self, index: int, array: np.ndarray) -> None:
        """Binds an argument for all calls from now on; the array is kept alive."""
        with self._lock:
            self._descriptors.set(index, array, keep=True)

    def __call__(self, arguments: Sequence[tuple[int, np.ndarray]]) -> None:
        """Runs once with these arguments, by position, and the bound ones."""
        with self._lock:
            for index, array in arguments:
                self._descriptors.set(index, array)
            self._call(self._descriptors.address)
