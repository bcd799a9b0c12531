"""How columns of several products lie side by side in one: what they have in common, and what is stacked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

ColumnSizes = tuple[int, ...]


@dataclass(frozen=True)
class StackedColumns:
    """The dimensions of columns that are stacked: `outer`, one of all members' parts, `inner`.

    Attributes:
        outer / inner: sizes that all members have before and behind what is stacked.
        parts: of each member, along the dimension that is stacked.
    """

    outer: ColumnSizes
    parts: ColumnSizes
    inner: ColumnSizes

    @property
    def sizes(self) -> ColumnSizes:
        """Of the stacked columns."""
        return (*self.outer, sum(self.parts), *self.inner)

    def member(self, index: int) -> ColumnSizes:
        """Of one member's share of them."""
        return (*self.outer, self.parts[index], *self.inner)

    def start(self, index: int) -> int:
        """Where it begins along the stacked dimension."""
        return sum(self.parts[:index])


def stack(members: Sequence[ColumnSizes]) -> StackedColumns | None:
    """Columns of these sizes side by side; None where they have no dimensions in common.

    As many of the last elements as can be are common, in the dimensions of the member that has most of them there, and
    then as many of the first: what lies together stays together.
    """
    inner = max(
        (_common_end(members, finest) for finest in members), key=lambda sizes: (prod(sizes), len(sizes))
    )
    rests = [_without(sizes, prod(inner)) or () for sizes in members]
    outer: ColumnSizes = ()
    for sizes in zip(*rests, strict=False):
        if len(set(sizes)) > 1:
            break
        outer = (*outer, sizes[0])
    if prod(inner) * prod(outer) == 1:
        return None
    return StackedColumns(outer, tuple(prod(rest[len(outer) :]) for rest in rests), inner)


def _common_end(members: Sequence[ColumnSizes], finest: ColumnSizes) -> ColumnSizes:
    """The longest end of one member's sizes that all others end with as well, in these or in fewer dimensions."""
    ends = (finest[first:] for first in range(len(finest)))
    return next((end for end in ends if all(_without(sizes, prod(end)) is not None for sizes in members)), ())


def _without(sizes: ColumnSizes, elements: int) -> ColumnSizes | None:
    """ColumnSizes without the last ones that hold so many elements; None where none do."""
    rest = list(sizes)
    while elements > 1 and rest and elements % rest[-1] == 0:
        elements //= rest.pop()
    return tuple(rest) if elements == 1 else None
