"""What the tool asks of a predicate beside its answer."""

from __future__ import annotations

from typing import Protocol

from ..passes.infra.diagnostics import CompilerError


class Predicate(Protocol):
    """Decides whether a module's text is interesting, and explains its last answer.

    Attributes:
        timeouts: how many texts were not interesting because the time was up.
    """

    timeouts: int

    def __call__(self, text: str) -> bool:
        """Whether the text has the property to be kept."""
        ...

    def explain(self) -> CompilerError:
        """Why the last answer was no."""
        ...
