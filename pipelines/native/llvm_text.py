"""LLVM IR as text, in the spelling that the code generator reads.

The MLIR bindings carry a newer LLVM than llvmlite does. Newer LLVM writes floating-point constants by the bits of
their own type (`float f0x3F800000`, `float +inf`); older LLVM reads them as bits of a double (`0x3FF0000000000000`)
for float and double, and with a letter for narrower types (`half 0xH3C00`, `bfloat 0xR3F80`). Newer LLVM also rounds
decimal constants to their type, where older LLVM takes exact ones alone.
"""

from __future__ import annotations

import re
import struct
from typing import Any, cast

import ml_dtypes
import numpy as np

from ...dialects.host import ir, llvm

_WORD = re.compile(
    r'"[^"]*"|\b(?P<type>float|double|half|bfloat)\b'
    r"|(?<![\w.%@$-])(?P<value>f0x[0-9A-F]+|-?\d+\.\d+(?:e[+-]?\d+)?(?![\w.])|[+-]?inf\b|[+-]?qnan\b|[+-]?s?nan\(0x[0-9A-Fa-f]+\))"
)
_QUIET_NAN = {"double": 0x7FF8 << 48, "float": 0x7FC00000, "half": 0x7E00, "bfloat": 0x7FC0}
_INFINITY = {"double": 0x7FF0 << 48, "float": 0x7F800000, "half": 0x7C00, "bfloat": 0x7F80}
_TYPE = re.compile(r"\b(?:float|double|half|bfloat)\b")
_NUMPY = {"double": np.float64, "float": np.float32, "half": np.float16, "bfloat": ml_dtypes.bfloat16}
_BITS = {"double": 64, "float": 32, "half": 16, "bfloat": 16}


def llvm_ir_text(module: ir.Module) -> str:
    """The LLVM IR of a module in the llvm dialect, as llvmlite's LLVM reads it."""
    return respell_constants(cast(Any, llvm).translate_module_to_llvmir(module.operation))


def respell_constants(text: str) -> str:
    """Rewrites floating-point constants from the newer spelling to the older one; all else stays as it is."""
    return "\n".join(_respell_line(line) if _TYPE.search(line) else line for line in text.split("\n"))


def _respell_line(line: str) -> str:
    kind = ""

    def respell(match: re.Match[str]) -> str:
        nonlocal kind
        if match["type"]:
            kind = match["type"]
        if not match["value"] or not kind:
            return match[0]
        return _old_spelling(kind, _bits(kind, match["value"]))

    return _WORD.sub(respell, line)


def _bits(kind: str, word: str) -> int:
    """The bit pattern of a constant of a type."""
    if word.startswith("f0x"):
        return int(word[3:], 16)
    if word[-1].isdigit():
        return int.from_bytes(np.array(float(word), _NUMPY[kind]).tobytes(), "little")
    sign = (1 << (_BITS[kind] - 1)) if word.startswith("-") else 0
    if word.endswith("inf"):
        return sign | _INFINITY[kind]
    payload = int(word[word.index("0x") : -1], 16) if "(" in word else 0
    quiet = _QUIET_NAN[kind] if "snan" not in word else _INFINITY[kind]
    return sign | quiet | payload


def _old_spelling(kind: str, bits: int) -> str:
    if kind == "half":
        return f"0xH{bits:04X}"
    if kind == "bfloat":
        return f"0xR{bits:04X}"
    if kind == "double":
        return f"0x{bits:016X}"
    return f"0x{_as_double(bits):016X}"


def _as_double(bits: int) -> int:
    """The bits of the double that has an f32's value; of a NaN, sign and payload are kept."""
    exponent, mantissa = bits >> 23 & 0xFF, bits & 0x7FFFFF
    if exponent == 0xFF:
        return (bits >> 31) << 63 | 0x7FF << 52 | mantissa << 29
    value = struct.unpack("<f", struct.pack("<I", bits))[0]
    return struct.unpack("<Q", struct.pack("<d", value))[0]
