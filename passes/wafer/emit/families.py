"""Buffers of a stretch of fragments that repeats: which are one in all trips, which follow each other, which pile up.

In each trip the same *slots* are filled with buffers: trip t has buffer v[t]. Slots of which one has in trip t + d what
the other has in trip t are of one *family*: its member k is what a slot of shift d has in trip k - d.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

FamilyUse = Literal["before", "after", "sent", "kept", "taken"]
"""Who needs a buffer outside of the loop: text before or after it; the host, which sends, keeps or takes it."""


class NotAlikeError(Exception):
    """The stretches do not fill their slots in a way that a loop could follow."""


@dataclass
class Family:
    """Buffers that a loop goes through.

    Attributes:
        members: name by number.
        shifts: of its slots.
        first / last: first and last fragment of a trip that touches a slot, by shift.
    """

    members: dict[int, str] = field(default_factory=dict)
    shifts: set[int] = field(default_factory=set)
    first: dict[int, int] = field(default_factory=dict)
    last: dict[int, int] = field(default_factory=dict)

    @property
    def width(self) -> int:
        """Over how many trips a member lives, in the loop."""
        return max(self.shifts) - min(self.shifts) + 1

    def touch(self, shift: int, position: int) -> None:
        """A slot of that shift is in the fragment at that position of a trip."""
        self.shifts.add(shift)
        self.first.setdefault(shift, position)
        self.last[shift] = position

    def places(self, trips: int, uses: Mapping[str, set[FamilyUse]]) -> tuple[int, bool]:
        """How many places the members need, and whether these take turns.

        A member that only the loop knows, or that comes in before or goes out behind it, gives its place to the next
        one that is not there yet; where others need several of them, each has a place of its own.
        """
        low, high = min(self.shifts), max(self.shifts)
        lasting = False
        for number, name in self.members.items():
            outside = uses.get(name, set())
            enters = number < high and outside <= {"before", "sent"}
            leaves = number - low > trips - 1 and outside <= {"after", "taken"}
            lasting |= bool(outside) and not enters and not leaves
        if lasting or (self.width == 1 and any(uses.get(name) for name in self.members.values())):
            return len(self.members), False
        if self.width == 2 and self.last[low] < self.first[high]:
            return 1, True
        return self.width, True

    @property
    def start(self) -> int:
        """The least member's number."""
        return min(self.members)


@dataclass
class Families:
    """All families of a loop.

    Attributes:
        of: family and number by name.
        constant: names that are in the same slots in all trips.
    """

    of: dict[str, tuple[Family, int]] = field(default_factory=dict)
    constant: set[str] = field(default_factory=set)

    def fill(self, names: Sequence[str], position: int) -> None:
        """A slot has these buffers, trip by trip; it is in the fragment at `position` of each trip.

        Raises:
            NotAlikeError
        """
        if len(set(names)) == 1:
            if names[0] in self.of:
                raise NotAlikeError
            self.constant.add(names[0])
            return
        if len(set(names)) < len(names) or self.constant & set(names):
            raise NotAlikeError
        known = next(((t, *self.of[n]) for t, n in enumerate(names) if n in self.of), None)
        trip, family, number = known or (0, Family(), 0)
        shift = number - trip
        for t, name in enumerate(names):
            found = self.of.setdefault(name, (family, t + shift))
            if (
                found[0] is not family
                or found[1] != t + shift
                or family.members.setdefault(t + shift, name) != name
            ):
                raise NotAlikeError
        family.touch(shift, position)

    @property
    def all(self) -> list[Family]:
        """Every family once, in order of first use."""
        return list({id(family): family for family, _ in self.of.values()}.values())
