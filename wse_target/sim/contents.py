"""Contents of messages under way: what was read at the sender until every receiver has taken it.

A *batch* is what a group of PEs sent with one instruction, one row of equally many elements a sender.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .arithmetic import ELEMENTARY
from .kernels import KernelProvider
from .memory import Located, Memory


@dataclass
class Batch:
    """Rows of elements, and how many deliveries of rows are still to come."""

    data: np.ndarray  # [rows, elements]
    readers: int


class Contents:
    """The contents of all messages under way, by number of batch."""

    def __init__(self, memory: Memory, kernels: KernelProvider) -> None:
        self.memory = memory
        self.kernels = kernels
        self._batches: dict[int, Batch] = {}
        self._next = 0

    def clear(self) -> None:
        """Forgets all messages."""
        self._batches.clear()

    def hold(self, src: Located, bounds: tuple[int, ...], pes: np.ndarray, readers: int) -> int:
        """Reads `src` on `pes`, whose rows `readers` deliveries will take in all; returns the batch's number."""
        data = self.memory.read(src, bounds, pes).reshape(len(pes), -1).copy()
        return self._keep(data, readers)

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
        data = self._batches[batch].data[rows]
        if own is not None and kind != "copy":
            mine = self.memory.read(own, bounds, pes).reshape(len(pes), -1)
            with np.errstate(all="ignore"):
                data = ELEMENTARY[kind](data, mine.astype(data.dtype, copy=False))
        return self._keep(data, readers)

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
        message = self._batches[batch].data[rows].reshape(-1, *bounds)
        srcs = [message] if kind == "copy" else [dst, message]
        self.memory.apply(self.kernels, kind, pes, bounds, dst, srcs)

    def release(self, batch: int, count: int) -> None:
        """`count` deliveries of a batch are done; it is forgotten after the last one."""
        held = self._batches[batch]
        held.readers -= count
        if held.readers == 0:
            del self._batches[batch]

    def _keep(self, data: np.ndarray, readers: int) -> int:
        number, self._next = self._next, self._next + 1
        self._batches[number] = Batch(data, readers)
        return number
