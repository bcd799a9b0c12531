"""Failures of programs that take more memory than a PE has."""

from __future__ import annotations

from typing import Any

from ..infra.diagnostics import PassFailure

_TURNS = "; programs=N makes N programs of the model, which take turns, programs='auto' as many as it takes"


class TooLarge(PassFailure):
    """A program takes more than a PE has.

    Attributes:
        needed / available: bytes of SRAM.
        helped_by_turns: whether most of it is text or parameters, which several programs share among them.
    """

    def __init__(
        self, at: Any, message: str, hint: str, *, needed: int, available: int, helped_by_turns: bool
    ) -> None:
        super().__init__(at, message, hint=hint + _TURNS * helped_by_turns)
        self.needed, self.available, self.helped_by_turns = needed, available, helped_by_turns
