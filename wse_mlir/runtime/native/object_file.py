"""What an object file says about itself: its sections, and the symbols that it needs from elsewhere.

Of the format ELF for 64-bit little-endian machines (System V ABI, chapter 4), which is all that is read here.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from ...passes.infra.diagnostics import CompilerError

_IDENTIFICATION = b"\x7fELF\x02\x01"  # 64 bits, little endian
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SYMBOL_TABLE, _NO_BITS, _UNDEFINED = 2, 8, 0


class _Section(NamedTuple):
    name: str
    kind: int
    data: bytes
    link: int


def section_names(code: bytes) -> tuple[str, ...]:
    """Names of an object file's sections, in its order.

    Raises:
        CompilerError: the bytes are not such a file, or they are cut off.
    """
    return tuple(section.name for section in _sections(code))


def undefined_symbols(code: bytes) -> tuple[str, ...]:
    """Symbols that an object file uses and does not define, sorted: what it must be linked with.

    Raises:
        CompilerError: the bytes are not such a file, or they are cut off.
    """
    sections = _sections(code)
    found: set[str] = set()
    for table in sections:
        if table.kind == _SYMBOL_TABLE:
            names = sections[table.link].data
            for name, _, _, section, _, _ in _SYMBOL.iter_unpack(table.data):
                if name and section == _UNDEFINED:
                    found.add(_text_at(names, name))
    return tuple(sorted(found - {"_GLOBAL_OFFSET_TABLE_"}))  # which the linker makes


def _sections(code: bytes) -> list[_Section]:
    if not code.startswith(_IDENTIFICATION):
        raise CompilerError("this is not a 64-bit ELF object file")
    try:
        header = _HEADER.unpack_from(code)
        offset, size, count, names_index = header[6], header[11], header[12], header[13]
        rows = [_SECTION.unpack_from(code, offset + index * size) for index in range(count)]
        names = _contents(code, rows[names_index])
        return [_Section(_text_at(names, row[0]), row[1], _contents(code, row), row[6]) for row in rows]
    except (struct.error, IndexError, ValueError):
        raise CompilerError("the object file is cut off") from None


def _contents(code: bytes, row: tuple[int, ...]) -> bytes:
    start, size = (0, 0) if row[1] == _NO_BITS else (row[4], row[5])
    if start + size > len(code):
        raise IndexError
    return code[start : start + size]


def _text_at(names: bytes, offset: int) -> str:
    return names[offset : names.index(b"\0", offset)].decode()
