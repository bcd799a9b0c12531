"""Contents of messages under way, until every receiver has taken them.

A *batch* is what a group of PEs sent with one instruction, one row of equally many elements a sender. Its elements are
not copied: they stay where they were sent from, and are read there by the receivers. They are copied only when somebody
is about to write to that place before; hence tiles that are sent from one buffer and received into another move once.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from .arithmetic import NUMPY_DTYPE
from .kernels import KernelOperand, KernelProvider, Walk
from .located import Located
from .memory import Memory, MessageSource, run
from .walks import common_nest, dense_strides

_SPARE = 4  # arrays kept for reuse: fresh ones cost more than the copy that fills them


@dataclass
class Batch:
    """Rows of elements, and how many deliveries of rows are still to come.

    Attributes:
        operand: where each row begins; walk / bounds: how its elements follow each other.
        pes: PEs in whose SRAM all rows are, each once; None when the batch has an array of its own, maybe with others.
        low / high: first and one past the last byte of these PEs' SRAM that holds elements.
    """

    operand: KernelOperand
    walk: Walk
    bounds: tuple[int, ...]
    readers: int
    pes: np.ndarray | None = None
    low: int = 0
    high: int = 0


@dataclass
class _Held:
    """The batches that are in one range of bytes of PEs' SRAM.

    Attributes:
        count: how many of them each PE has rows of.
        batches: each with its PEs, every one once, by identity.
    """

    count: np.ndarray
    batches: dict[int, tuple[Batch, np.ndarray]] = field(default_factory=dict)

    def add(self, batch: Batch, pes: np.ndarray) -> None:
        """One batch more."""
        self.batches[id(batch)] = batch, pes
        self.count[pes] += 1

    def remove(self, batch: Batch) -> None:
        """One batch less."""
        _, pes = self.batches.pop(id(batch))
        self.count[pes] -= 1

    def on(self, pes: np.ndarray) -> list[Batch]:
        """Batches of which some rows are on these PEs."""
        chosen = np.zeros(len(self.count), bool)
        chosen[pes] = True
        return [batch for batch, holders in self.batches.values() if chosen[holders].any()]


class MessageContents:
    """The contents of all messages under way, by number of batch."""

    def __init__(self, memory: Memory, kernels: KernelProvider) -> None:
        self.memory = memory
        self.kernels = kernels
        self._batches: dict[int, Batch] = {}
        self._next = 0
        self._held: dict[tuple[int, int], _Held] = {}  # by range of bytes
        self._users: dict[int, int] = {}  # batches that an array of its own serves, by the array's id
        self._spare: list[np.ndarray] = []
        memory.before_write = self._before_write

    def clear(self) -> None:
        """Forgets all messages."""
        for batch in self._batches.values():
            self._leave(batch)
        self._batches.clear()

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
            operand = _rows(held, rows)
            return self._keep(Batch(operand, held.walk, held.bounds, readers, held.pes, held.low, held.high))
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
        dense.readers = readers
        return self._keep(dense)

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
        message = MessageSource(_rows(held, rows), Walk(held.walk.dtype, strides))
        if mine != dst.access.strides:
            dst = Located(replace(dst.access, strides=mine), dst.base)
        self.memory.apply(
            self.kernels, kind, pes, bounds, dst, [message] if kind == "copy" else [dst, message]
        )

    def release(self, batch: int, count: int) -> None:
        """`count` deliveries of a batch are done; it is forgotten after the last one."""
        held = self._batches[batch]
        held.readers -= count
        if held.readers == 0:
            self._leave(self._batches.pop(batch))

    def _keep(self, batch: Batch) -> int:
        number, self._next = self._next, self._next + 1
        self._batches[number] = batch
        self._use(batch)
        return number

    def _use(self, batch: Batch) -> None:
        """Notes that a batch needs its bytes."""
        if batch.pes is None:
            key = id(batch.operand.data)
            self._users[key] = self._users.get(key, 0) + 1
            return
        span = batch.low, batch.high
        if span not in self._held:
            self._held[span] = _Held(np.zeros(self.memory.placement.count, np.int32))
        self._held[span].add(batch, batch.pes)

    def _leave(self, batch: Batch) -> None:
        """Notes that it no longer does; an array that no batch needs any more serves others."""
        if batch.pes is not None:
            span = batch.low, batch.high
            self._held[span].remove(batch)
            if not self._held[span].batches:
                del self._held[span]
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
        for (first, last), held in list(self._held.items()):
            if first < high and low < last and held.count[pes].any():
                for batch in held.on(pes):
                    self._copy(batch)

    def _copy(self, batch: Batch) -> None:
        count = len(batch.operand.offsets)
        dense = self._dense(batch.walk.dtype, count, batch.bounds)
        walk = Walk(batch.walk.dtype, dense_strides(batch.bounds))
        places = [(dense.operand, walk), (batch.operand, batch.walk)]
        run(self.kernels, "copy", count, batch.bounds, places, (False,))
        self._leave(batch)
        batch.operand, batch.walk, batch.bounds, batch.pes = dense.operand, dense.walk, dense.bounds, None
        self._use(batch)

    def _dense(self, dtype: str, rows: int, bounds: tuple[int, ...]) -> Batch:
        """Rows without gaps, in an array that nobody else uses."""
        elements = int(np.prod(bounds, dtype=np.int64))
        size = elements * NUMPY_DTYPE[dtype].itemsize
        fitting = [i for i, array in enumerate(self._spare) if rows * size <= array.size <= 2 * rows * size]
        data = self._spare.pop(fitting[0]) if fitting else np.empty(rows * size, np.uint8)
        return Batch(KernelOperand(data, size * np.arange(rows)), Walk(dtype, (1,)), (elements,), 0)


def _rows(batch: Batch, rows: np.ndarray) -> KernelOperand:
    """Some of a batch's rows."""
    return KernelOperand(batch.operand.data, batch.operand.offsets[rows], batch.operand.constant)
