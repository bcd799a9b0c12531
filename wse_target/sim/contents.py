"""Contents of messages under way, until every receiver has taken them.

A *batch* is what a group of PEs sent with one instruction, one row of equally many elements a sender. Its elements are
not copied: they stay where they were sent from, and are read there by the receivers. They are copied only when somebody
is about to write to that place before; hence tiles that are sent from one buffer and received into another move once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .arithmetic import NUMPY_DTYPE
from .kernels import KernelProvider, Operand, Walk
from .memory import Located, Memory, Message, run
from .walks import common_nest, dense_strides

_SPARE = 4  # arrays kept for reuse: fresh ones cost more than the copy that fills them


@dataclass
class Batch:
    """Rows of elements, and how many deliveries of rows are still to come.

    Attributes:
        operand: where each row begins; walk / bounds: how its elements follow each other.
        pes: the PEs in whose SRAM the rows are; None when the batch has an array of its own, maybe with others.
        low / high: first and one past the last byte of these PEs' SRAM that holds elements.
    """

    operand: Operand
    walk: Walk
    bounds: tuple[int, ...]
    readers: int
    pes: np.ndarray | None = None
    low: int = 0
    high: int = 0


class Contents:
    """The contents of all messages under way, by number of batch."""

    def __init__(self, memory: Memory, kernels: KernelProvider) -> None:
        self.memory = memory
        self.kernels = kernels
        self._batches: dict[int, Batch] = {}
        self._next = 0
        self._users: dict[int, int] = {}  # batches that an array of its own serves, by the array's id
        self._spare: list[np.ndarray] = []
        memory.before_write = self._before_write

    def clear(self) -> None:
        """Forgets all messages."""
        for number in list(self._batches):
            self._forget(number)

    def hold(self, src: Located, bounds: tuple[int, ...], pes: np.ndarray, readers: int) -> int:
        """Keeps what `src` holds on `pes` now, whose rows `readers` deliveries will take in all; returns a number."""
        self.memory.check(src, bounds, pes)
        low, high = self.memory.span(src, bounds) if len(pes) else (0, 0)
        operand, walk = self.memory.operand(src, pes), self.memory.walk(src.access)
        return self._keep(Batch(operand, walk, bounds, readers, pes, low, high))

    def combine(
        self,
        batch: int,
        rows: np.ndarray,
        kind: str,
        own: Located | None,
        bounds: tuple[int, ...],
        pes: np.ndarray,
        readers: int,
    ) -> int:
        """A relay's output: `rows` of a batch combined with what each PE has of its own, as a new batch.

        Args:
            kind: "copy" passes the rows on as they are, as no `own` does.
        """
        held = self._batches[batch]
        if own is None or kind == "copy":
            holders = None if held.pes is None else held.pes[rows]
            return self._keep(replace(held, operand=_rows(held, rows), readers=readers, pes=holders))
        self.memory.check(own, bounds, pes)
        bounds, message, mine = self._nest(held, bounds, own.access.strides)
        dense = self._dense(held.walk.dtype, len(pes), bounds)
        places = [
            (dense.operand, Walk(held.walk.dtype, dense_strides(bounds))),
            (_rows(held, rows), Walk(held.walk.dtype, message)),
            (self.memory.operand(own, pes), Walk(self.memory.dtype(own.access), mine)),
        ]
        if len(pes):
            run(self.kernels, kind, len(pes), bounds, places, (False, False))
        return self._keep(replace(dense, readers=readers))

    def store(
        self,
        batch: int,
        rows: np.ndarray,
        kind: str,
        dst: Located,
        bounds: tuple[int, ...],
        pes: np.ndarray,
    ) -> None:
        """Writes `rows` of a batch to `dst` on `pes`, combining with what is there unless `kind` is "copy"."""
        if not len(pes):
            return
        self.memory.check(dst, bounds, pes)
        self._before_write(pes, *self.memory.span(dst, bounds))  # this very batch may have to be copied
        held = self._batches[batch]
        bounds, strides, mine = self._nest(held, bounds, dst.access.strides)
        message = Message(_rows(held, rows), Walk(held.walk.dtype, strides))
        dst = Located(replace(dst.access, strides=mine), dst.base)
        self.memory.apply(
            self.kernels, kind, pes, bounds, dst, [message] if kind == "copy" else [dst, message]
        )

    def release(self, batch: int, count: int) -> None:
        """`count` deliveries of a batch are done; it is forgotten after the last one."""
        held = self._batches[batch]
        held.readers -= count
        if held.readers == 0:
            self._forget(batch)

    def _keep(self, batch: Batch) -> int:
        number, self._next = self._next, self._next + 1
        self._batches[number] = batch
        if batch.pes is None:
            self._use(batch)
        return number

    def _use(self, batch: Batch) -> None:
        key = id(batch.operand.data)
        self._users[key] = self._users.get(key, 0) + 1

    def _forget(self, number: int) -> None:
        """Removes a batch; an array that no batch needs any more serves others."""
        batch = self._batches.pop(number)
        if batch.pes is not None:
            return
        key = id(batch.operand.data)
        self._users[key] -= 1
        if not self._users[key]:
            del self._users[key]
            self._spare = [batch.operand.data, *self._spare][:_SPARE]

    def _nest(
        self, batch: Batch, bounds: tuple[int, ...], strides: tuple[int, ...]
    ) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Loops, with strides of a batch and of an access, that walk over both; may give the batch an array first."""
        nest = common_nest(batch.bounds, batch.walk.strides, bounds, strides)
        if nest is None:
            self._copy(batch)
            nest = common_nest(batch.bounds, batch.walk.strides, bounds, strides)
            assert nest is not None, "rows without gaps are one loop, which every loop divides"
        return nest

    def _before_write(self, pes: np.ndarray, low: int, high: int) -> None:
        """Gives an array of their own to batches whose elements are about to be overwritten."""
        for batch in self._batches.values():
            if batch.pes is None or batch.low >= high or low >= batch.high:
                continue
            if np.isin(pes, batch.pes).any():
                self._copy(batch)

    def _copy(self, batch: Batch) -> None:
        count = len(batch.operand.offsets)
        dense = self._dense(batch.walk.dtype, count, batch.bounds)
        walk = Walk(batch.walk.dtype, dense_strides(batch.bounds))
        places = [(dense.operand, walk), (batch.operand, batch.walk)]
        run(self.kernels, "copy", count, batch.bounds, places, (False,))
        batch.operand, batch.walk, batch.bounds, batch.pes = dense.operand, dense.walk, dense.bounds, None
        self._use(batch)

    def _dense(self, dtype: str, rows: int, bounds: tuple[int, ...]) -> Batch:
        """Rows without gaps, in an array that nobody else uses."""
        elements = int(np.prod(bounds, dtype=np.int64))
        size = elements * NUMPY_DTYPE[dtype].itemsize
        fitting = [i for i, array in enumerate(self._spare) if rows * size <= array.size <= 2 * rows * size]
        data = self._spare.pop(fitting[0]) if fitting else np.empty(rows * size, np.uint8)
        return Batch(Operand(data, size * np.arange(rows)), Walk(dtype, (1,)), (elements,), 0)


def _rows(batch: Batch, rows: np.ndarray) -> Operand:
    """Some of a batch's rows."""
    return replace(batch.operand, offsets=batch.operand.offsets[rows])
