"""`wse-opt`'s input: reading it, cutting it into chunks, parsing each into a module."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

from ...dialects.host import ir
from ...dialects.nesting import check_nesting
from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.reproducer import without_reproducer

_BYTECODE_MAGIC = b"ML\xefR"


@dataclass(frozen=True)
class Chunk:
    """A part of the input that is processed on its own.

    Attributes:
        name: the input's name as it appears in locations.
        text: the chunk, preceded by as many empty lines as make its line numbers those of the whole input;
            bytes for bytecode.
    """

    name: str
    text: str | bytes

    def line(self, number: int) -> str | None:
        """A line of the source, from 1; None when there is none (bytecode)."""
        if isinstance(self.text, bytes):
            return None
        lines = self.text.split("\n")
        return lines[number - 1] if 0 < number <= len(lines) else None


def read_input(path: str) -> Chunk:
    """Reads a file, or standard input for "-".

    Raises:
        CompilerError: the file cannot be read, or holds neither text nor bytecode.
    """
    name = "<stdin>" if path == "-" else path
    if not path:
        raise CompilerError("the input file's name is empty")
    if path == "-" and sys.stdin is None:
        raise CompilerError("standard input is closed", hint="name an input file")
    try:
        data = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise CompilerError(f"cannot open input file '{path}': {error.strerror}") from None
    if data.startswith(_BYTECODE_MAGIC):
        return Chunk(name, data)
    try:
        return Chunk(name, data.decode())
    except UnicodeDecodeError as error:
        if data.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise CompilerError(
                f"'{name}' is UTF-16", hint="MLIR text is UTF-8: iconv -f utf-16 -t utf-8"
            ) from None
        raise CompilerError(
            f"'{name}' is neither MLIR text nor MLIR bytecode: byte {error.start} is not UTF-8"
        ) from None


def split_input(chunk: Chunk, marker: str) -> list[Chunk]:
    """Cuts text at the lines that hold only the marker; bytecode stays whole."""
    if isinstance(chunk.text, bytes):
        return [chunk]
    parts: list[Chunk] = []
    collected: list[str] = []
    before = 0
    for number, line in enumerate(chunk.text.split("\n")):
        if line.strip() == marker.strip():
            parts.append(Chunk(chunk.name, "\n" * before + "\n".join(collected) + "\n"))
            collected, before = [], number + 1
        else:
            collected.append(line)
    parts.append(Chunk(chunk.name, "\n" * before + "\n".join(collected)))
    return parts


def near_misses(chunk: Chunk, marker: str) -> list[tuple[int, int]]:
    """Lines and columns of what begins as the marker does and ends otherwise; the last is not looked at."""
    if isinstance(chunk.text, bytes):
        return []
    start, tail = marker[:-2], marker[-2:]
    found = [match.end() for match in re.finditer(re.escape(start), chunk.text)] if start else []
    near = [at for at in found[:-1] if not chunk.text.startswith(tail, at)]
    return [(chunk.text.count("\n", 0, at) + 1, at - chunk.text.rfind("\n", 0, at)) for at in near]


def parse_chunk(chunk: Chunk, context: ir.Context, *, implicit_module: bool = True) -> ir.Operation:
    """Parses a chunk; what stands outside of a module is put into one.

    Raises:
        ir.MLIRError: the text is not valid IR; the diagnostics go to the context's handlers.
        CompilerError: it is nested too deep to be parsed.
    """
    text = chunk.text
    if isinstance(text, bytes):
        return ir.Module.parse(text, context).operation
    text = without_reproducer(text)
    check_nesting(text, chunk.name)
    if not implicit_module:
        return ir.Operation.parse(text, source_name=chunk.name, context=context).operation
    module = ir.Module.parse(text, context).operation
    _rename_source(module, chunk.name)
    return module


def _rename_source(module: ir.Operation, name: str) -> None:
    """The bindings parse modules as from a file called "-". (To try first whether the text is a single operation, which
    can be parsed under a name, would read resources twice, and rename them.)"""

    def renamed(location: ir.Location) -> ir.Location | None:
        if isinstance(location, ir.FileLineColLoc) and location.filename == "-":
            return ir.Location.file(name, location.start_line, location.start_col, context=module.context)
        return None

    def visit(op: ir.Operation) -> ir.WalkResult:
        location = renamed(op.location)
        if location is not None:
            op.location = location
        for region in op.regions:
            for block in region:
                for argument in block.arguments:
                    at = renamed(argument.location)
                    if at is not None:
                        argument.set_location(at)
        return ir.WalkResult.ADVANCE

    module.walk(visit)
