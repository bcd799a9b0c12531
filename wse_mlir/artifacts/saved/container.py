"""The file format of saved models and cache entries: a JSON document and named blocks of bytes.

    header      64 bytes: magic, format version, size and checksum of the table, size of the file
    table       JSON: the document, and name, offset, size and checksum of every block
    blocks      each at a multiple of 64 bytes, so that arrays can be used where the file is mapped into memory

Not a zip archive: that has a second directory which may contradict the first, and promises no alignment. Sizes and
offsets are checked before anything is read through them; everything read is covered by a CRC-32, which notices
damage but no malice.
"""

from __future__ import annotations

import mmap
import os
import stat
import struct
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError

from ...passes.infra.diagnostics import CompilerError
from ...tools.output import write_atomically

FORMAT = 1
ALIGNMENT = 64
_MAGIC = b"\x89wse\r\n\x1a\n"  # as PNG's: not text, and damaged when it was sent as text
_HEADER = struct.Struct(
    "<8sIIQQI28x"
)  # magic, format, CRC-32 of the table, its size, the file's, CRC-32 of these
_CHECKED = struct.Struct("<8sIIQQ")
_DAMAGED = "copy or write it again"


class _Block(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: str
    offset: int = Field(ge=0)
    size: int = Field(ge=0)
    crc32: int = Field(ge=0, lt=2**32)


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    document: dict[str, JsonValue]
    blocks: tuple[_Block, ...]


def write_container(
    path: Path, document: Mapping[str, Any], blocks: Mapping[str, bytes | np.ndarray]
) -> None:
    """Writes a file; arrays are neither copied nor joined, and those on the same memory are written once.

    Raises:
        CompilerError: it cannot be written; nothing is left behind.
    """
    try:
        write_atomically(path, _parts(document, {name: _flat(block) for name, block in blocks.items()}))
    except (OSError, ValueError) as error:  # ValueError: a path that no file can have
        reason = error.strerror if isinstance(error, OSError) else None
        raise CompilerError(f"cannot write {str(path)!r}: {reason or error}") from None


def _flat(block: bytes | np.ndarray) -> memoryview:
    return memoryview(block) if isinstance(block, bytes) else block.reshape(-1).view(np.uint8).data


def _parts(document: Mapping[str, Any], blocks: Mapping[str, memoryview]) -> Iterator[bytes | memoryview]:
    table: list[_Block] = []
    written: dict[tuple[int, int], _Block] = {}
    offset = 0
    for name, data in blocks.items():
        place = (np.frombuffer(data, np.uint8).__array_interface__["data"][0], data.nbytes)
        same = written.get(place)
        if same is None:
            written[place] = _Block(name=name, offset=offset, size=data.nbytes, crc32=zlib.crc32(data))
            offset = _aligned(offset + data.nbytes)
        table.append(same.model_copy(update={"name": name}) if same else written[place])
    head = _Table(document=dict(document), blocks=tuple(table)).model_dump_json().encode()
    start = _aligned(_HEADER.size + len(head))
    checked = (_MAGIC, FORMAT, zlib.crc32(head), len(head), start + offset)
    yield _HEADER.pack(*checked, zlib.crc32(_CHECKED.pack(*checked)))
    yield head
    yield bytes(start - _HEADER.size - len(head))
    for block in written.values():
        yield blocks[block.name]
        yield bytes(_aligned(block.size) - block.size)


def _aligned(size: int) -> int:
    return -(-size // ALIGNMENT) * ALIGNMENT


class Container:
    """A file that was opened: `document` is what was given to `write_container`, `status` what `fstat` says.

    The file is mapped into memory. Blocks are parts of the mapping and not copies; a write into one stays in this
    process. All checksums are verified by the constructor.

    Args:
        what: names this kind of file in messages.

    Raises:
        CompilerError: there is no such file, it is of another kind or version, or damaged.
    """

    def __init__(self, path: Path, what: str = "saved model") -> None:
        self.path = path
        self._what = what
        self._map, self.status = self._mapped()
        size, crc32 = self._read_header()
        head = self._map[_HEADER.size : _HEADER.size + size]
        if zlib.crc32(head) != crc32:
            raise self.damaged("the checksum of its table is wrong")
        try:
            table = _Table.model_validate_json(head)
        except (ValidationError, RecursionError) as error:
            raise self.damaged("its table cannot be read") from error
        start = _aligned(_HEADER.size + size)
        self.document: dict[str, Any] = table.document
        self._blocks = {block.name: self._checked(block, start) for block in table.blocks}

    def damaged(self, reason: str) -> CompilerError:
        """An error that says that the file is not as it was written."""
        return CompilerError(f"this {self._what} is damaged: {reason}", where=str(self.path), hint=_DAMAGED)

    def __contains__(self, name: str) -> bool:
        return name in self._blocks

    def bytes(self, name: str) -> bytes:
        """A copy of a block."""
        return self._block(name).tobytes()

    def array(self, name: str, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray:
        """A block as a C-contiguous array, without a copy."""
        block = self._block(name)
        size = dtype.itemsize
        for extent in shape:
            size *= extent
        if min(shape, default=0) < 0 or size != block.nbytes:
            raise self.damaged(f"'{name}' has {block.nbytes} bytes where {size} are needed")
        return block.view(dtype).reshape(shape)

    def _block(self, name: str) -> np.ndarray:
        if name not in self._blocks:
            raise self.damaged(f"'{name}' is missing")
        return self._blocks[name]

    def _mapped(self) -> tuple[mmap.mmap, os.stat_result]:
        try:
            # A pipe without a writer would block for ever.
            file = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (OSError, ValueError) as error:  # ValueError: a path that no file can have
            reason = error.strerror if isinstance(error, OSError) else error
            raise CompilerError(f"the file cannot be read: {reason}", where=str(self.path)) from None
        try:
            kind = os.fstat(file)
            if stat.S_ISDIR(kind.st_mode):
                raise CompilerError(f"this is a folder, expected a {self._what}", where=str(self.path))
            if not stat.S_ISREG(kind.st_mode) or kind.st_size < _HEADER.size:
                raise self._foreign("it is too short" if kind.st_size else "it is empty")
            return mmap.mmap(file, 0, access=mmap.ACCESS_COPY), kind
        finally:
            os.close(file)

    def _read_header(self) -> tuple[int, int]:
        """Size and checksum of the table."""
        magic, version, crc32, size, whole, own = _HEADER.unpack(self._map[: _HEADER.size])
        if magic != _MAGIC:
            raise self._foreign("it begins with other bytes")
        if zlib.crc32(self._map[: _CHECKED.size]) != own:
            raise self.damaged("the checksum of its header is wrong")
        if version != FORMAT:
            raise CompilerError(
                f"this {self._what} has format {version}, and this version of wse-mlir reads format {FORMAT}",
                where=str(self.path),
                hint="compile and save the model again",
            )
        if whole != len(self._map) or _aligned(_HEADER.size + size) > whole:
            raise self.damaged(f"it has {len(self._map)} bytes and had {whole} when it was written")
        return size, crc32

    def _foreign(self, reason: str) -> CompilerError:
        return CompilerError(
            f"this is not a {self._what}: {reason}",
            where=str(self.path),
            hint="give a file that compiled.save(path) wrote",
        )

    def _checked(self, block: _Block, start: int) -> np.ndarray:
        if block.offset % ALIGNMENT or start + block.offset + block.size > len(self._map):
            raise self.damaged(f"'{block.name}' lies outside of it")
        data = np.frombuffer(self._map, np.uint8, block.size, start + block.offset)
        if zlib.crc32(data.data) != block.crc32:
            raise self.damaged(f"the checksum of '{block.name}' is wrong")
        return data
