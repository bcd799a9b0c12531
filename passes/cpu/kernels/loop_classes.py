"""Which loops operations have in common: iterators that run alongside each other, through the buffers between them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from typing import Any

from ....dialects.affine.expressions import dim_position, used_dims
from ....dialects.host import ir
from ...tensor.disjoint_sets import DisjointSets

_Node = tuple[
    bool, Hashable, int
]  # whether an operation or a buffer, which one, and its iterator or dimension


@dataclass
class LoopClass:
    """A loop: iterators and dimensions of buffers that run alongside each other.

    Attributes:
        iterators: operation -> its iterator.
        dims: buffer -> its dimension.
        plain: whether no access goes along it by more than one iterator of an operation, as windows do.
        single: whether it has one iterator an operation and one dimension a buffer; a diagonal has more.
    """

    iterators: dict[int, int] = field(default_factory=dict)
    dims: dict[Hashable, int] = field(default_factory=dict)
    plain: bool = True
    single: bool = True


class LoopClasses:
    """The loops of operations, which are known by numbers, on buffers, which are known by anything that has a hash."""

    def __init__(self) -> None:
        self._sets: DisjointSets[_Node] = DisjointSets()
        self._mixed: list[_Node] = []

    def add(self, operation: int, iterators: int) -> None:
        """An operation with so many iterators."""
        for iterator in range(iterators):
            self._sets.find((True, operation, iterator))

    def access(self, operation: int, buffer: Hashable, places: Iterable[ir.AffineExpr]) -> None:
        """An operation reaches the elements of a buffer at these places, expressions of its iterators."""
        for dim, place in enumerate(places):
            position = dim_position(place)
            if position is not None:
                self._sets.join((True, operation, position), (False, buffer, dim))
            else:
                self._mixed.append((False, buffer, dim))
                self._mixed += [(True, operation, i) for i in sorted(used_dims(place))]

    def found(self) -> list[LoopClass]:
        """All loops, in the order in which their first iterators or dimensions were met."""
        mixed = {self._sets.find(node) for node in self._mixed}
        return [_loop(nodes, self._sets.find(nodes[0]) not in mixed) for nodes in self._sets.sets()]


def _loop(nodes: list[_Node], plain: bool) -> LoopClass:
    found = LoopClass(plain=plain)
    for is_operation, number, position in nodes:
        places: dict[Any, int] = found.iterators if is_operation else found.dims
        found.single &= number not in places
        places[number] = position
    return found
