"""From the llvm dialect to the text of LLVM IR.

The bindings' own function never frees the text, which for a ResNet-18 is megabytes: so their library is called
without it.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

from .host import ir


def translate_to_llvm_ir(op: ir.Operation) -> str:
    """The LLVM IR of a module in the llvm dialect; what is of other dialects ends the process."""
    translate, free, pointer = _native()
    text = translate(pointer(op._CAPIPtr, b"torch_mlir.ir.Operation._CAPIPtr"))
    try:
        return ctypes.string_at(text).decode()
    finally:
        free(text)


@cache
def _native() -> tuple[Any, Any, Any]:
    """MLIR's translation, what frees its result, and what finds the operation of the bindings' objects."""
    folder = Path(ir.__file__ or "").parent / "_mlir_libs"
    # As the bindings do, calls keep the interpreter's lock: Python may hear of diagnostics.
    translate = ctypes.PyDLL(str(next(folder.glob("lib*CAPI.so")))).mlirTranslateModuleToLLVMIRToString
    translate.argtypes, translate.restype = [ctypes.c_void_p], ctypes.c_void_p
    free = ctypes.CDLL(None).free
    free.argtypes, free.restype = [ctypes.c_void_p], None
    pointer = ctypes.pythonapi.PyCapsule_GetPointer
    pointer.argtypes, pointer.restype = [ctypes.py_object, ctypes.c_char_p], ctypes.c_void_p
    return translate, free, pointer
