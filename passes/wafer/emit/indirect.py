"""Reads and writes at indices that are data, as accesses of vector operations."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from ....wse_target.instructions import Access, Index
from ....wse_target.quasi_affine import const
from ..scalars.values import ScalarValue
from .tiles import LocalTile
from .value_places import ScalarSource
from .write.expressions import row_major_pitches


def gathered(
    table: LocalTile,
    base: Access,
    indices: Sequence[ScalarValue],
    source: Callable[[ScalarValue], ScalarSource],
) -> Access:
    """The walk over elements of a table that lie behind those of `base` by so many positions along each dimension.

    Args:
        base: the walk along the dimensions that are iterators; where indices count, at position 0.
        indices: of each dimension; 0 where it is an iterator.
        source: where a value is.
    """
    offset, found = base.offset, []
    places = zip(indices, row_major_pitches(table.shape), table.sizes, strict=True)
    for index, pitch, size in places:
        numbers = source(index)
        if isinstance(numbers, Access):
            found.append(Index(numbers, pitch, const(size), const(0)))
        else:
            offset = offset + int(numbers) * pitch
    return replace(base, offset=offset, indices=tuple(found))


def at_numbers(tile: LocalTile, base: Access, numbers: Mapping[int, Access]) -> Access:
    """The walk over those elements of a PE's tile whose indices along some dimensions are in memory.

    Indices count from the tensor's beginning; what another PE has is left out.

    Args:
        base: the walk along the other dimensions.
        numbers: by dimension.
    """
    pitches = row_major_pitches(tile.shape)
    found = []
    for dim, walk in numbers.items():
        start, count = tile.layout.span(dim)
        found.append(Index(walk, pitches[dim], count, start, partial=True))
    return replace(base, indices=tuple(found))
