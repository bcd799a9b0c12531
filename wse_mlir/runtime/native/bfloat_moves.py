"""bf16 numbers that are only moved, as integers.

Arithmetic on bf16 is expanded into that of integers and f32 before LLVM sees it, so what remains of the type are
loads and stores, masked ones among them, phis, shuffles, and scalars that are handed to kernels. For processors without
bf16 registers LLVM's code generator nevertheless widens such values to f32 and back, by calling a library
(`__truncsfbf2`) that is not there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator

_TOKEN = re.compile(
    r"(?P<intrinsic>@llvm\.[-\w.$]+)"
    r'|"[^"]*"|;.*|[%@!#$^][-\w.$]+'  # strings, comments and names stay
    r"|\b(?P<type>bfloat)\b|\b0xR(?P<bits>[0-9A-F]{4})\b"
)
_MOVES = frozenset(
    (
        *("alloca", "bitcast", "extractelement", "extractvalue", "freeze", "getelementptr", "insertelement"),
        *("insertvalue", "load", "phi", "ret", "select", "shufflevector", "store"),
    )
)
_MOVING_INTRINSIC = re.compile(
    r"llvm\.(?:masked\.(?:load|store|gather|scatter|expandload|compressstore)"
    r"|vector\.(?:insert|extract|reverse|interleave2|deinterleave2))\."
)
_OPCODE = re.compile(r"^\s+(?:%[-\w.$]+ = )?(?:(?:tail|musttail|notail) )?(\w+)")
_GLOBAL = re.compile(r"^@[-\w.$]+ = (?:[\w ]+ )?(?:constant|global) ")
_DECLARED = re.compile(r"^declare\b[^@]*@([-\w.$]+)\(", re.M)
_DEFINED = re.compile(r"^define\b[^@]*@([-\w.$]+)\(", re.M)
_CALLEE = re.compile(r"@([-\w.$]+)\(")


def move_bfloat_as_integers(text: str) -> str:
    """LLVM IR (in the older spelling of constants) in which `bfloat` is `i16`, if nothing computes with it.

    Functions of the module that take or give such numbers change along with their calls.
    """
    if "bfloat" not in text:
        return text
    own = frozenset(_DEFINED.findall(text))
    lines = text.split("\n")
    if not all(_is_move(line, own) for line in lines if "bfloat" in line and _mentions_type(line)):
        return text
    return "\n".join(_moved(lines, frozenset(_DECLARED.findall(text))))


def _mentions_type(line: str) -> bool:
    return any(found["type"] for found in _TOKEN.finditer(line))


def _is_move(line: str, own: Collection[str]) -> bool:
    """Whether a line only moves such numbers; `own` are the functions that the module defines."""
    opcode = _OPCODE.match(line)
    if opcode is None:
        declared = _DECLARED.match(line)
        return bool(
            _MOVING_INTRINSIC.match(declared[1]) if declared else _DEFINED.match(line) or _GLOBAL.match(line)
        )
    if opcode[1] != "call":
        return opcode[1] in _MOVES
    callee = _CALLEE.search(line)
    return callee is not None and (callee[1] in own or _MOVING_INTRINSIC.match(callee[1]) is not None)


def _moved(lines: list[str], declared: Collection[str]) -> Iterator[str]:
    """The lines with the other type; an intrinsic that is then the same as one of integers is declared once."""
    for line in lines:
        if "bfloat" not in line:
            yield line
            continue
        moved = _TOKEN.sub(_as_integer, line)
        name = _DECLARED.match(moved)
        if not (name and moved != line and name[1] in declared):
            yield moved


def _as_integer(found: re.Match[str]) -> str:
    if found["intrinsic"]:
        return re.sub(r"(?<=\d)bf16\b", "i16", found[0])  # @llvm.masked.load.v8bf16.p0
    if found["type"]:
        return "i16"
    return str(int(found["bits"], 16)) if found["bits"] else found[0]
