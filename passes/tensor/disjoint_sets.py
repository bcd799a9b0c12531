"""Sets that become one."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Generic, TypeVar

_T = TypeVar("_T", bound=Hashable)


class DisjointSets(Generic[_T]):
    """A set for each element that was asked for, until sets are joined; each is known by one of its elements."""

    def __init__(self) -> None:
        self._parents: dict[_T, _T] = {}

    def find(self, element: _T) -> _T:
        """The element that the set of `element` is known by."""
        while (up := self._parents.setdefault(element, element)) != element:
            element = up
        return element

    def join(self, one: _T, other: _T) -> None:
        """Makes one set of two."""
        self._parents[self.find(one)] = self.find(other)

    def sets(self) -> list[list[_T]]:
        """All sets; they and their elements in the order in which elements were first asked for."""
        found: dict[_T, list[_T]] = {}
        for element in self._parents:
            found.setdefault(self.find(element), []).append(element)
        return list(found.values())
