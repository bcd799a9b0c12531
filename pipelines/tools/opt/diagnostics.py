"""Diagnostics as `wse-opt` shows them: `file:line:column: error: message`, the source line, a caret."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from ....dialects.host import ir
from ....passes.infra.diagnostics import Remark
from .source import Chunk

UNKNOWN = "<unknown>"
OPERATION_LINES = 3


@dataclass(frozen=True)
class Message:
    """One diagnostic, taken out of MLIR; `line` is 0 when the location is unknown."""

    severity: str
    text: str
    file: str = UNKNOWN
    line: int = 0
    column: int = 0
    width: int = 1
    notes: tuple[Message, ...] = ()


def file_location(location: ir.Location) -> ir.FileLineColLoc | None:
    """The first place in a file that a location mentions."""
    if isinstance(location, ir.FileLineColLoc):
        return location
    children: list[ir.Location] = []
    if isinstance(location, ir.NameLoc):
        children = [location.child_loc]
    elif isinstance(location, ir.CallSiteLoc):
        children = [location.callee]
    elif isinstance(location, ir.FusedLoc):
        children = cast("list[ir.Location]", location.locations)
    for child in children:
        found = file_location(child)
        if found is not None:
            return found
    return None


def _message(diagnostic: ir.Diagnostic, chunk: Chunk) -> Message:
    place = file_location(diagnostic.location)
    notes = tuple(_message(note, chunk) for note in diagnostic.notes)
    severity = diagnostic.severity.name.lower()
    if place is None:
        return Message(severity, diagnostic.message, notes=notes)
    file = chunk.name if place.filename == "-" else place.filename
    return Message(severity, diagnostic.message, file, place.start_line, place.start_col, notes=notes)


@dataclass
class DiagnosticPrinter:
    """Receives a context's diagnostics; prints them, or keeps them for `--verify-diagnostics`.

    Attributes:
        silent: keep only.
        operation_lines: how much of the operation at fault is shown; None for all of it.
    """

    chunk: Chunk
    silent: bool = False
    operation_lines: int | None = OPERATION_LINES
    messages: list[Message] = field(default_factory=list)

    def attach(self, context: ir.Context) -> ir.DiagnosticHandler:
        context.emit_error_diagnostics = True
        return context.attach_diagnostic_handler(self._receive)

    def report(self, location: ir.Location, message: str) -> None:
        """Emits an error at a location through MLIR, so that every handler sees it."""
        location.emit_error(message)

    def _receive(self, diagnostic: ir.Diagnostic) -> bool:
        self.add(_message(diagnostic, self.chunk))
        return True

    def add(self, message: Message) -> None:
        """Keeps a message, and prints it unless told to be silent."""
        self.messages.append(message)
        if not self.silent:
            self.print(message)

    def print(self, message: Message) -> None:
        sys.stderr.write(render(message, self.chunk))
        for note in message.notes:
            if not is_operation_note(note):
                sys.stderr.write(render(note, self.chunk))
            elif self.operation_lines != 0:
                sys.stderr.write(render(_shortened(note, self.operation_lines), self.chunk, source=False))
        sys.stderr.flush()


def _shortened(note: Message, limit: int | None) -> Message:
    """The note with at most `limit` lines of the operation: nobody wants a page of IR."""
    lines = note.text.split("\n")
    if limit is None or len(lines) <= limit:
        return note
    more = f"... ({len(lines) - limit} more lines, all with --mlir-print-op-on-diagnostic)"
    return replace(note, text="\n".join([*lines[:limit], more]))


def remark_message(remark: Remark, context: ir.Context, chunk: Chunk) -> Message:
    """A pass's remark as a diagnostic, so that it is shown at its place and can be expected."""
    text = f"[{remark.pass_name}] {remark.message}"
    if not remark.location:
        return Message("remark", text)
    # The bindings cannot parse a location by itself, only one that belongs to an operation.
    located = ir.Module.parse(f"module {{}} {remark.location}", context)
    place = file_location(located.operation.location)
    if place is None:
        return Message("remark", text)
    return Message("remark", text, place.filename, place.start_line, place.start_col)


def is_operation_note(note: Message) -> bool:
    """Whether this is MLIR's own note with the text of the operation at fault."""
    return note.text.startswith("see current operation")


def render(message: Message, chunk: Chunk, *, source: bool = True) -> str:
    """The message with its source line and a caret below the column."""
    if message.file == UNKNOWN:
        return f"{UNKNOWN}:0: {message.severity}: {message.text}\n"
    head = f"{message.file}:{message.line}:{message.column}: {message.severity}: {message.text}\n"
    line = _source_line(message, chunk) if source else None
    if line is None:
        return head
    column = max(message.column, 1)
    indent = "".join("\t" if char == "\t" else " " for char in line[: column - 1])
    return f"{head}{line}\n{indent}^{'~' * (message.width - 1)}\n"


def _source_line(message: Message, chunk: Chunk) -> str | None:
    if message.file == chunk.name:
        return chunk.line(message.line)
    try:
        lines = Path(message.file).read_text().split("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return lines[message.line - 1] if 0 < message.line <= len(lines) else None
