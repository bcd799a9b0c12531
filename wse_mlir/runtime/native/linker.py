"""Objects linked into this process, by LLVM's JITLink.

All sections of an object lie in one piece of memory, so that references between them fit in the 31 bits that code
has for them. LLVM's older linker, RuntimeDyld, takes memory for each kind of section by itself: where gigabytes of
libraries are mapped, the pieces land too far apart, and it ends the process.
"""

from __future__ import annotations

import ctypes
import itertools
from collections.abc import Iterable, Mapping

import llvmlite.binding as llvm

from ...dialects.fork_lock import ForkLock, LockOrder
from ...passes.cpu.instruction_sets import initialise
from ...passes.infra.diagnostics import CompilerError
from .object_file import undefined_symbols

_PROCESS = ctypes.CDLL(None)
_NUMBERS = itertools.count()  # every library needs a name of its own
# LLVM never forgets that there was a library, which costs some 9 KiB, and a linker of its own costs 160 KiB.
_LIBRARIES_OF_A_LINKER = 64


class _Linkers:
    """LLVM's linkers; each lives as long as one of its libraries."""

    def __init__(self) -> None:
        self._lock = ForkLock(LockOrder.LINK, "linking")
        self._present: llvm.LLJIT | None = None
        self._left = 0

    def take(self) -> llvm.LLJIT:
        """The linker for one more library."""
        with self._lock:
            if self._present is None or self._left == 0:
                initialise()
                self._present = llvm.create_lljit_compiler(use_jit_link=True, suppress_errors=True)
                self._left = _LIBRARIES_OF_A_LINKER
            self._left -= 1
            return self._present


_LINKERS = _Linkers()


def link(
    code: bytes, exports: Iterable[str], what: str, imports: Mapping[str, int] | None = None
) -> llvm.ResourceTracker:
    """Links an object; it is unloaded when nothing refers to what is returned, which has the exports' addresses.

    Args:
        code: the object file's bytes; it may use what this process has, and `imports`, symbols with their addresses.
        what: names the object in messages.

    Raises:
        CompilerError: it cannot be linked or a symbol is missing; says which.
    """
    builder = llvm.JITLibraryBuilder().add_object_img(code).add_current_process()
    for name, address in (imports or {}).items():
        builder.import_symbol(name, address)
    for name in exports:
        builder.export_symbol(name)
    try:
        return builder.link(_LINKERS.take(), f"wse{next(_NUMBERS)}")
    except RuntimeError as error:
        missing = ", ".join(f"'{name}'" for name in _missing(code, imports or {}))
        raise CompilerError(
            f"the native code of {what} could not be linked",
            notes=(str(error), *([f"nothing here has {missing}"] if missing else [])),
            hint="this is a fault of the compiler: every stage before had accepted the model",
        ) from None


def _missing(code: bytes, imports: Mapping[str, int]) -> list[str]:
    """Symbols that an object uses and that nothing in this process has."""
    try:
        used = undefined_symbols(code)
    except CompilerError:
        return []
    return [name for name in used if name not in imports and not hasattr(_PROCESS, name)]
