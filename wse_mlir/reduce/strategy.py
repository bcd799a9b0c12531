"""What a reduction tries."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from ..dialects.host import ir
from .draft import Base, Draft

Reduced = TypeVar("Reduced")


class Strategy(ABC, Generic[Reduced]):
    """One way of making IR smaller.

    It lists its targets, each of which could be simplified on its own; the reduction then tries large groups of
    neighbouring targets first and single ones in the end. What comes out need not be valid: the reduction verifies
    it. A strategy that has several ways with one target lists it once for each.

    Attributes:
        name: says what is removed, for the progress display.
        grouped: whether several targets can be simplified at once; single ones are tried otherwise.
    """

    name: str
    grouped: bool = True

    @abstractmethod
    def targets(self, base: Base) -> Sequence[Reduced]:
        """What could be simplified, neighbours next to each other; the same list for the same text."""

    @abstractmethod
    def candidate(self, base: Base, chosen: Sequence[Reduced]) -> ir.Operation | str | None:
        """A copy of the module with these targets simplified, or its text; None when nothing would change."""


class Edits(Strategy[Reduced]):
    """A strategy whose targets are changed one after the other, the last one first, in one copy."""

    def candidate(self, base: Base, chosen: Sequence[Reduced]) -> ir.Operation | None:
        draft = base.draft()
        for target in reversed(chosen):
            self.edit(draft, target)
        return draft.module

    @abstractmethod
    def edit(self, draft: Draft, target: Reduced) -> None:
        """Simplifies one target; operations are found by number and may not be touched once erased."""
