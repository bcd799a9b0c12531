"""Errors of the target layer: one readable message with its place and a remedy."""

from __future__ import annotations


class TargetError(Exception):
    """A failure that a user can cause with a machine file or a program.

    Args:
        message: what is wrong, one sentence without a trailing full stop.
        where: the place, as text ("my.toml:12", a PE, a source line of the model); empty when there is none.
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
