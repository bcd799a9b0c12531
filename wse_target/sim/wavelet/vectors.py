"""Arithmetic of vector operations: put off until somebody looks at a PE's memory, then done for many PEs at once.

Nothing but the PE itself sees its memory, so results are those of doing each operation at its time; calls of kernels
are what costs, not PEs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import TargetError
from ...image import Access, Vector
from ..code import Code
from ..kernels import KernelProvider
from ..memory import Located, Memory


@dataclass(frozen=True)
class Pending:
    """A vector operation of one PE.

    Attributes:
        rank: place of the operation in the program's text; equal for all PEs that share it.
        bases: offset of the destination, then of each source that is an access.
    """

    rank: int
    op: Vector
    bounds: tuple[int, ...]
    bases: tuple[int, ...]


class Vectors:
    """The vector operations that all PEs have come to, in order by PE."""

    def __init__(self, code: Code, memory: Memory, kernels: KernelProvider) -> None:
        self._memory = memory
        self._kernels = kernels
        self._ranks: dict[int, int] = {}
        for rank, op in enumerate(code.operations):
            self._ranks.setdefault(id(op), rank)
        self._pending: dict[int, deque[Pending]] = {}

    def add(self, pe: int, op: Vector, bounds: tuple[int, ...], bases: tuple[int, ...]) -> None:
        """`pe` executes an operation after all that it executed before."""
        self._pending.setdefault(pe, deque()).append(Pending(self._ranks[id(op)], op, bounds, bases))

    def waits(self, pe: int) -> bool:
        """Whether a PE's memory is not up to date."""
        return pe in self._pending

    def settle(self) -> None:
        """Brings all memories up to date.

        Raises:
            TargetError: an access outside of its buffer.
        """
        while self._pending:
            heads = {pe: queue[0] for pe, queue in self._pending.items()}
            rank = min(head.rank for head in heads.values())
            groups: dict[tuple[int, ...], list[int]] = {}
            for pe in sorted(pe for pe, head in heads.items() if head.rank == rank):
                groups.setdefault(heads[pe].bounds, []).append(pe)
                queue = self._pending[pe]
                queue.popleft()
                if not queue:
                    del self._pending[pe]
            for pes in groups.values():
                self._apply(pes, [heads[pe] for pe in pes])

    def _apply(self, pes: Sequence[int], group: Sequence[Pending]) -> None:
        op, bases = group[0].op, np.array([one.bases for one in group]).T
        accesses = iter(bases)
        dst = Located(op.dst, next(accesses))
        srcs = [Located(s, next(accesses)) if isinstance(s, Access) else s for s in op.srcs]
        try:
            self._memory.apply(self._kernels, op.kind, np.array(pes), group[0].bounds, dst, srcs)
        except TargetError as error:
            error.where = f"{op.source.place}, {error.where}" if op.source.place else error.where
            raise
