"""Accesses whose expressions have values: where walks begin on each PE of a group, and how far they reach."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from ..instructions import Access, Index
from ..quasi_affine import Expr
from .kernels import KernelOperand

SomePEs = np.ndarray | slice  # some PEs of a group


@dataclass(frozen=True)
class Located:
    """An access whose first element is known on each PE of a group.

    Attributes:
        base: elements from the buffer's start to the first one, before indices move it, [PEs of the group].
        ends: the least and the greatest base; equal when all are.
    """

    access: Access
    base: np.ndarray
    indices: tuple[LocatedIndex, ...] = ()
    ends: tuple[int, int] = field(init=False)

    def __post_init__(self) -> None:
        ends = (int(self.base.min()), int(self.base.max())) if len(self.base) else (0, 0)
        object.__setattr__(self, "ends", ends)

    def on(self, rows: SomePEs) -> Located:
        """The same on some of the PEs."""
        return Located(self.access, self.base[rows], tuple(index.on(rows) for index in self.indices))

    def reach(self, bounds: tuple[int, ...]) -> tuple[int, int]:
        """Lowest and highest element that the walk can reach from its first one, on any PE."""
        low, high = reach_of(self.access.strides, bounds)
        return low, high + sum(index.most for index in self.indices)


@dataclass(frozen=True)
class LocatedIndex:
    """An index whose numbers' place, origin and size are known on each PE of a group.

    Attributes:
        origin / size: [PEs of the group].
    """

    index: Index
    numbers: Located
    origin: np.ndarray
    size: np.ndarray

    def on(self, rows: SomePEs) -> LocatedIndex:
        """The same on some of the PEs."""
        return LocatedIndex(self.index, self.numbers.on(rows), self.origin[rows], self.size[rows])

    @property
    def moves(self) -> np.ndarray:
        """Elements from the first position to the last, [PEs]."""
        return self.index.stride * np.maximum(self.size - 1, 0)

    @property
    def most(self) -> int:
        """The same on the PE that holds most positions."""
        return int(self.moves.max(initial=0))

    def limits(self) -> tuple[KernelOperand, KernelOperand]:
        """Origin and size as operands of a kernel."""
        return _numbers(self.origin), _numbers(np.maximum(self.size, 0))


def expressions(access: Access) -> tuple[Expr, ...]:
    """What has to be known of an access: its offset, and of each index the numbers' offset, origin and size."""
    found = [access.offset]
    for index in access.indices:
        found += (index.numbers.offset, index.origin, index.size)
    return tuple(found)


def locate(access: Access, values: Iterator[np.ndarray]) -> Located:
    """An access located by the values of its `expressions`, in their order, [PEs] each."""
    base = next(values)
    indices = []
    for index in access.indices:
        numbers = Located(index.numbers, next(values))
        indices.append(LocatedIndex(index, numbers, next(values), next(values)))
    return Located(access, base, tuple(indices))


def locate_on(access: Access, pes: int, evaluate: Callable[[Expr], Any]) -> Located:
    """An access located on a group of so many PEs; `evaluate` gives one value for all of them, or an array."""
    values = (np.broadcast_to(np.asarray(evaluate(e), np.int64), (pes,)) for e in expressions(access))
    return locate(access, values)


@lru_cache(maxsize=4096)
def reach_of(strides: tuple[int, ...], bounds: tuple[int, ...]) -> tuple[int, int]:
    """Lowest and highest element that a walk reaches, from its first one."""
    reach = [s * (b - 1) for s, b in zip(strides, bounds, strict=True)]
    return sum(r for r in reach if r < 0), sum(r for r in reach if r > 0)


def _numbers(values: np.ndarray) -> KernelOperand:
    """An i64 for each PE."""
    if len(values) and (values == values[0]).all():
        values = values[:1]
    dense = np.ascontiguousarray(values, np.int64)
    return KernelOperand(dense.view(np.uint8), dense.itemsize * np.arange(len(dense)))
