"""bf16 numbers that are only moved, as integers.

Arithmetic on bf16 is expanded into that of integers and f32 before LLVM sees it, so what remains of the type are
loads, stores, phis and shuffles. For processors without bf16 registers LLVM's code generator nevertheless widens such
values to f32 and back, by calling a library (`__truncsfbf2`) that is not there.
"""

from __future__ import annotations

import re

_TOKEN = re.compile(
    r'"[^"]*"|;.*|[%@!#$^][-\w.$]+'  # strings, comments and names stay
    r"|\b(?P<type>bfloat)\b|\b0xR(?P<bits>[0-9A-F]{4})\b"
)
_MOVES = frozenset(
    (
        *("alloca", "bitcast", "extractelement", "freeze", "getelementptr", "insertelement"),
        *("load", "phi", "select", "shufflevector", "store"),
    )
)
_OPCODE = re.compile(r"^\s+(?:%[-\w.$]+ = )?(\w+)")
_GLOBAL = re.compile(r"^@[-\w.$]+ = (?:[\w ]+ )?(?:constant|global) ")


def move_bfloat_as_integers(text: str) -> str:
    """LLVM IR (in the older spelling of constants) in which `bfloat` is `i16`, if nothing computes with it."""
    if not all(_is_move(line) for line in text.split("\n") if "bfloat" in line and _mentions_type(line)):
        return text
    return "\n".join(_TOKEN.sub(_as_integer, line) if "bfloat" in line else line for line in text.split("\n"))


def _mentions_type(line: str) -> bool:
    return any(found["type"] for found in _TOKEN.finditer(line))


def _is_move(line: str) -> bool:
    opcode = _OPCODE.match(line)
    return opcode[1] in _MOVES if opcode else _GLOBAL.match(line) is not None


def _as_integer(found: re.Match[str]) -> str:
    if found["type"]:
        return "i16"
    return str(int(found["bits"], 16)) if found["bits"] else found[0]
