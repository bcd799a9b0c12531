"""Errors that reach a user: one readable message with its place in the user's own source."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...dialects.host import ir


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


class PassFailure(CompilerError):
    """Raised by a pass to fail with a message located at an operation.

    The pass manager turns it into an MLIR diagnostic at `location`, so that `--verify-diagnostics`
    sees it, and into a `CompilerError` that names the pass and the model's source line.
    """

    def __init__(self, at: ir.Operation | ir.OpView | ir.Location, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.location: ir.Location = at if not hasattr(at, "location") else at.location  # type: ignore[assignment]


@dataclass(frozen=True)
class Remark:
    """One thing a pass did or declined to do, for people who ask why."""

    pass_name: str
    message: str
    location: str = ""


@dataclass
class Remarks:
    """Collects remarks over a pipeline's run."""

    items: list[Remark] = field(default_factory=list)
