"""What PEs do to their memories: put off until somebody looks at it, then done for many PEs at once.

Nothing but the PE itself sees its memory, so results are those of doing each operation at its time; calls of kernels
are what costs, not PEs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ...errors import TargetError
from ...instructions import Access, Receive, Relay, Vector
from ..code import Code
from ..kernels import KernelProvider
from ..located import Located, locate
from ..memory import Memory


@dataclass(frozen=True)
class Pending:
    """A vector operation of one PE, or what one transfer has taken.

    Attributes:
        rank: place of the operation in the program's text; equal for all PEs that share it.
        bases: values of the `expressions` of the destination, then of each source that is an access.
        data: elements that were taken, in loop order.
    """

    rank: int
    op: Vector | Receive | Relay
    bounds: tuple[int, ...]
    bases: tuple[int, ...]
    data: np.ndarray | None = None


class Pendings:
    """What all PEs have done and nobody has looked at, in order by PE."""

    def __init__(self, code: Code, memory: Memory, kernels: KernelProvider) -> None:
        self._memory = memory
        self._kernels = kernels
        self._ranks: dict[int, int] = {}
        for rank, op in enumerate(code.operations):
            self._ranks.setdefault(id(op), rank)
        self._queues: dict[int, deque[Pending]] = {}

    def add(
        self,
        pe: int,
        op: Vector | Receive | Relay,
        bounds: tuple[int, ...],
        bases: tuple[int, ...],
        data: np.ndarray | None = None,
    ) -> None:
        """`pe` executes an operation after all that it executed before."""
        self._queues.setdefault(pe, deque()).append(Pending(self._ranks[id(op)], op, bounds, bases, data))

    def waits(self, pe: int) -> bool:
        """Whether a PE's memory is not up to date."""
        return pe in self._queues

    def read(self, pes: np.ndarray, located: Located, bounds: tuple[int, ...]) -> np.ndarray:
        """Elements of one PE's memory in loop order, a copy."""
        if self.waits(int(pes[0])):
            self.settle(int(pes[0]))
        return self._memory.read(located, bounds, pes).reshape(-1).copy()

    def settle(self, pe: int) -> None:
        """Brings a PE's memory up to date, and others' as far as their next operations are the same ones.

        Raises:
            TargetError: an access outside of its buffer.
        """
        while pe in self._queues:
            first = self._queues[pe][0]
            alike = [
                other
                for other, queue in self._queues.items()
                if queue[0].rank == first.rank and queue[0].bounds == first.bounds
            ]
            alike.sort()
            self._apply(alike, [self._queues[other].popleft() for other in alike])
            for other in alike:
                if not self._queues[other]:
                    del self._queues[other]

    def settle_all(self) -> None:
        """Brings all memories up to date."""
        while self._queues:
            self.settle(min(self._queues, key=lambda pe: self._queues[pe][0].rank))

    def _apply(self, pes: Sequence[int], group: Sequence[Pending]) -> None:
        """Executes one operation of equal bounds on some PEs."""
        op, bounds = group[0].op, group[0].bounds
        assert op.dst is not None
        bases = iter(np.array([one.bases for one in group]).T)
        dst = locate(op.dst, bases)
        if isinstance(op, Vector):
            kind = op.kind
            srcs = [locate(s, bases) if isinstance(s, Access) else s for s in op.srcs]
        else:
            data = np.stack([one.data for one in group if one.data is not None]).reshape(-1, *bounds)
            stores = isinstance(op, Relay) or op.combine == "store"
            kind, srcs = ("copy", [data]) if stores else (op.combine, [dst, data])
        try:
            self._memory.apply(self._kernels, kind, np.array(pes), bounds, dst, srcs)
        except TargetError as error:
            error.where = f"{op.source.place}, {error.where}" if op.source.place else error.where
            raise
