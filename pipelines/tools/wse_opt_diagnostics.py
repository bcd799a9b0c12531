"""Diagnostics as `wse-opt` shows them: `file:line:column: error: message`, the source line, a caret."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from ...dialects.host import ir
from .wse_opt_source import Chunk

UNKNOWN = "<unknown>"


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
        show_operation: print the note that shows the operation.
    """

    chunk: Chunk
    silent: bool = False
    show_operation: bool = True
    messages: list[Message] = field(default_factory=list)

    def attach(self, context: ir.Context) -> ir.DiagnosticHandler:
        context.emit_error_diagnostics = True
        return context.attach_diagnostic_handler(self._receive)

    def report(self, location: ir.Location, message: str) -> None:
        """Emits an error at a location through MLIR, so that every handler sees it."""
        location.emit_error(message)

    def _receive(self, diagnostic: ir.Diagnostic) -> bool:
        message = _message(diagnostic, self.chunk)
        self.messages.append(message)
        if not self.silent:
            self.print(message)
        return True

    def print(self, message: Message) -> None:
        sys.stderr.write(render(message, self.chunk))
        for note in message.notes:
            if is_operation_note(note) and not self.show_operation:
                continue
            sys.stderr.write(render(note, self.chunk, source=not is_operation_note(note)))
        sys.stderr.flush()


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
