"""Diagnostics as `wse-opt` shows them: `file:line:column: error: message`, the source line, a caret."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import cast

from ...dialects.host import ir
from ...passes.infra.diagnostics import Remark
from .source import Chunk

UNKNOWN = "<unknown>"
OPERATION_LINES = 3
_SHORT = 10  # lines of an operation that nobody minds
_CALLERS = 10
_COLOURS = {"error": "31", "warning": "35", "remark": "34", "note": "30"}
_LEVELS = {"errors": ("error",), "warnings": ("error", "warning"), "remarks": ("error", "warning", "remark")}


@dataclass(frozen=True)
class LocatedMessage:
    """One diagnostic, taken out of MLIR; `line` is 0 when the location is unknown.

    Attributes:
        stack: from where the place was called, if the location tells.
    """

    severity: str
    text: str
    file: str = UNKNOWN
    line: int = 0
    column: int = 0
    width: int = 1
    notes: tuple[LocatedMessage, ...] = ()
    stack: tuple[LocatedMessage, ...] = ()

    @property
    def place(self) -> tuple[str, int, int]:
        return self.file, self.line, self.column


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


def _message(diagnostic: ir.Diagnostic, chunk: Chunk) -> LocatedMessage:
    notes = tuple(_message(note, chunk) for note in diagnostic.notes)
    message = message_at(diagnostic.location, chunk, diagnostic.severity.name.lower(), diagnostic.message)
    return replace(message, notes=notes, stack=_call_stack(diagnostic.location, chunk))


def message_at(location: ir.Location, chunk: Chunk, severity: str, text: str) -> LocatedMessage:
    """A message at the first place in a file that a location mentions."""
    place = file_location(location)
    if place is None:
        return LocatedMessage(severity, text)
    file = chunk.name if place.filename == "-" else place.filename
    return LocatedMessage(severity, text, file, place.start_line, place.start_col)


def _call_stack(location: ir.Location, chunk: Chunk) -> tuple[LocatedMessage, ...]:
    """The callers that a location tells of, from the inside out, as far as anybody reads."""
    callers: list[LocatedMessage] = []
    call = _call_site(location)
    while call is not None and len(callers) < _CALLERS:
        caller = message_at(call.caller, chunk, "note", "called from")
        callers += [caller] if caller.line else []
        call = _call_site(call.caller)
    return tuple(callers)


def _call_site(location: ir.Location) -> ir.CallSiteLoc | None:
    if isinstance(location, ir.CallSiteLoc):
        return location
    if isinstance(location, ir.NameLoc):
        return _call_site(location.child_loc)
    if isinstance(location, ir.FusedLoc):
        calls = (_call_site(child) for child in cast("list[ir.Location]", location.locations))
        return next((call for call in calls if call is not None), None)
    return None


@dataclass
class DiagnosticPrinter:
    """Receives a context's diagnostics; prints them, or keeps them for `--verify-diagnostics`.

    Attributes:
        silent: keep only.
        operation_lines: how much of the operation at fault is shown; None for all of it.
        colour: whether the error stream understands colours.
        level: what is shown ("errors", "warnings", "remarks"); everything when empty.
        notes: whether notes that stand by themselves are shown.
    """

    chunk: Chunk
    silent: bool = False
    operation_lines: int | None = OPERATION_LINES
    colour: bool = False
    level: str = ""
    notes: bool = True
    messages: list[LocatedMessage] = field(default_factory=list)

    def attach(self, context: ir.Context) -> ir.DiagnosticHandler:
        context.emit_error_diagnostics = True
        return context.attach_diagnostic_handler(self._receive)

    def report(self, location: ir.Location, message: str) -> None:
        """Emits an error at a location through MLIR, so that every handler sees it."""
        location.emit_error(message)

    def _receive(self, diagnostic: ir.Diagnostic) -> bool:
        self.add(_message(diagnostic, self.chunk))
        return True

    def add(self, message: LocatedMessage) -> None:
        """Keeps a message, and prints it unless told to be silent."""
        self.messages.append(message)
        if not self.silent and self._shows(message.severity):
            self.print(message)

    def _shows(self, severity: str) -> bool:
        if severity == "note":
            return self.notes and not self.level
        return not self.level or severity in _LEVELS[self.level]

    def print(self, message: LocatedMessage) -> None:
        self._write(message)
        for caller in message.stack:
            self._write(caller)
        previous = message.place
        for note in message.notes:
            if not is_operation_note(note):
                self._write(note, source=note.place != previous)
            elif self.operation_lines != 0:
                self._write(_shortened(note, self.operation_lines), source=False)
            previous = note.place
        sys.stderr.flush()

    def _write(self, message: LocatedMessage, *, source: bool = True) -> None:
        sys.stderr.write(render(message, self.chunk, source=source, colour=self.colour))


def _shortened(note: LocatedMessage, limit: int | None) -> LocatedMessage:
    """The note with at most `limit` lines of the operation: nobody wants a page of IR."""
    lines = note.text.split("\n")
    if limit is None or len(lines) <= _SHORT:
        return note
    more = f"... ({len(lines) - limit} more lines, all with --mlir-print-op-on-diagnostic)"
    return replace(note, text="\n".join([*lines[:limit], more]))


def remark_message(remark: Remark, context: ir.Context, chunk: Chunk) -> LocatedMessage:
    """A pass's remark as a diagnostic, so that it is shown at its place and can be expected."""
    text = f"[{remark.pass_name}] {remark.message}"
    if not remark.location:
        return LocatedMessage("remark", text)
    # The bindings cannot parse a location by itself, only one that belongs to an operation.
    located = ir.Module.parse(f"module {{}} {remark.location}", context)
    place = file_location(located.operation.location)
    if place is None:
        return LocatedMessage("remark", text)
    return LocatedMessage("remark", text, place.filename, place.start_line, place.start_col)


def is_operation_note(note: LocatedMessage) -> bool:
    """Whether this is MLIR's own note with the text of the operation at fault."""
    return note.text.startswith("see current operation")


def render(message: LocatedMessage, chunk: Chunk, *, source: bool = True, colour: bool = False) -> str:
    """The message with its source line and a caret below the column."""
    place = f"{UNKNOWN}:0" if message.file == UNKNOWN else f"{message.file}:{message.line}:{message.column}"
    head = f"{place}: {message.severity}: {message.text}\n"
    if colour:
        kind = f"\033[1;{_COLOURS[message.severity]}m{message.severity}: \033[0m"
        head = f"\033[1m{place}: {kind}\033[1m{message.text}\033[0m\n"
    line = _source_line(message, chunk) if source and message.file != UNKNOWN else None
    if line is None:
        return head
    column = max(message.column, 1)
    indent = "".join("\t" if char == "\t" else " " for char in line[: column - 1])
    caret = f"^{'~' * (message.width - 1)}"
    return f"{head}{line}\n{indent}{f'{chr(27)}[1;32m{caret}{chr(27)}[0m' if colour else caret}\n"


def _source_line(message: LocatedMessage, chunk: Chunk) -> str | None:
    if message.file == chunk.name:
        return chunk.line(message.line)
    try:
        lines = Path(message.file).read_text().split("\n")
    except (OSError, UnicodeDecodeError):
        return None
    return lines[message.line - 1] if 0 < message.line <= len(lines) else None
