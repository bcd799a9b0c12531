"""What a kernel does in each trip of a loop on many PEs: where its operands lie, and what else touches those bytes.

See `replay` for how trips are made of steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ...instructions import DTYPE_BYTES, Access
from ..kernels import KernelKey, KernelOperand
from ..memory import Memory

_KEPT = 4  # trips whose places are remembered, for those that repeat them


class Unfit(Exception):
    """The trips must be run operation by operation."""


@dataclass(eq=False)
class KernelStep:
    """What one kernel does in each trip.

    Attributes:
        pieces: its operands on some PEs each, the destination first; numbers are operands that all PEs share.
        position: where in the log its messages were sent first, and where it wrote first.
        index: its place among the steps of a trip.
    """

    signature: KernelKey
    pieces: list[list[OperandPiece | KernelOperand]] = field(default_factory=list)
    position: tuple[float, float] = (np.inf, np.inf)
    index: int = -1

    def add(self, pieces: list[OperandPiece | KernelOperand], sent: np.ndarray, written: np.ndarray) -> None:
        """Some more PEs."""
        self.pieces.append(pieces)
        first = self.position
        self.position = min(first[0], int(sent.min())), min(first[1], int(written.min()))


@dataclass(frozen=True)
class AccessTrips:
    """An access of a class in all trips.

    Attributes:
        base: its first element, [trips, rows, columns] of the class, with 1 where it does not depend on one of them.
        low / high: first and one past the last byte that it touches, likewise.
    """

    access: Access
    bounds: tuple[int, ...]
    base: np.ndarray
    low: np.ndarray
    high: np.ndarray

    def meets(self, other: AccessTrips) -> bool:
        """Whether both touch a byte of the same PE in the same trip."""
        return bool(((self.low < other.high) & (other.low < self.high)).any())


@dataclass(frozen=True)
class Touch:
    """An operation's use of memory on a class.

    Attributes:
        when: position in the log at which each PE came to it.
        steps: those that do it; a message is read by each step that delivers it.
    """

    operation: object
    place: AccessTrips
    writes: bool
    when: np.ndarray
    steps: list[KernelStep]

    def must_follow(self, other: Touch) -> None:
        """Raises unless the steps keep the order in which PEs came to two operations."""
        if self.operation is other.operation or not self.place.meets(other.place):
            return
        first, second = (other, self) if (other.when < self.when).all() else (self, other)
        ordered = (first.when < second.when).all()
        if not ordered or max(s.index for s in first.steps) >= min(s.index for s in second.steps):
            raise Unfit


@dataclass(frozen=True)
class OperandPiece:
    """An operand on some PEs of a class.

    Attributes:
        pes / chosen: the PEs, as they are numbered in all and in the class.
        shape: rows and columns of the class.
    """

    place: AccessTrips
    pes: np.ndarray
    shape: tuple[int, int]
    chosen: np.ndarray | slice

    def by_trip(self, trips: int) -> np.ndarray:
        """A number for each trip; trips of one number have the same places."""
        base = self.place.base
        if len(base) == 1:
            return np.zeros(trips, np.int64)
        return np.unique(base.reshape(trips, -1), axis=0, return_inverse=True)[1].reshape(-1)

    def elements(self, trip: int) -> np.ndarray:
        """The first element on each PE."""
        base = self.place.base[trip if len(self.place.base) > 1 else 0]
        return np.broadcast_to(base, self.shape).reshape(-1)[self.chosen]


class Places:
    """Where an operand lies on all PEs of a step, trip by trip."""

    def __init__(self, memory: Memory, pieces: Sequence[OperandPiece], trips: int) -> None:
        self._pieces = pieces
        buffer = memory.buffers[pieces[0].place.access.buffer]
        self._constant, self._size = buffer.offset, DTYPE_BYTES[buffer.dtype]
        self._data = memory.bytes.reshape(-1)
        self._rows = np.concatenate([piece.pes for piece in pieces]) * memory.bytes.shape[1]
        numbers = np.stack([piece.by_trip(trips) for piece in pieces], axis=1)
        self._pattern = np.unique(numbers, axis=0, return_inverse=True)[1].reshape(-1).tolist()
        self._known: dict[int, KernelOperand] = {}

    def at(self, trip: int) -> KernelOperand:
        """The operand in a trip."""
        pattern = self._pattern[trip]
        if pattern not in self._known:
            if len(self._known) == _KEPT:
                del self._known[next(iter(self._known))]
            self._known[pattern] = self._operand(trip)
        return self._known[pattern]

    def _operand(self, trip: int) -> KernelOperand:
        offsets, first = self._rows.copy(), 0
        for piece in self._pieces:
            offsets[first : first + len(piece.pes)] += piece.elements(trip) * self._size
            first += len(piece.pes)
        return KernelOperand(self._data, offsets, self._constant)
