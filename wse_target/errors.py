"""Errors that reach a user: one readable message with its place in the user's own source and a remedy."""

from __future__ import annotations


class CompilerError(Exception):
    """A failure that a user can cause, with what is wrong, where, and what to do.

    Args:
        message: what is wrong, one sentence without a trailing full stop.
        where: the place in the *user's* model, file or pipeline string, as text; empty when there is none.
        hint: what the user can do about it; empty when nothing sensible can be said.
        notes: further lines, printed below the message.
    """

    def __init__(self, message: str, *, where: str = "", hint: str = "", notes: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint
        self.notes = notes

    def __str__(self) -> str:
        head = f"{self.where}: {self.message}" if self.where else self.message
        lines = [head, *(f"  note: {note}" for note in self.notes)]
        if self.hint:
            lines.append(f"  hint: {self.hint}")
        return "\n".join(lines)


class TargetError(CompilerError):
    """A failure that a machine file or a program on a machine can cause; `where` may also be a PE."""


def shown(value: object) -> str:
    """A user's value in a message: as it is written where that is short and plain, else what it is."""
    if value is None or isinstance(value, (bool, int, float, str, bytes)):
        written = repr(value)
        return written if len(written) <= 60 else f"{written[:57]}..."
    return f"the class {value.__name__}" if isinstance(value, type) else f"a {type(value).__name__}"
