"""Memref descriptors of a compiled function's arguments, laid out once and patched for each call.

The function's C interface takes a pointer to a descriptor per argument, and MLIR's packed convention an
array of pointers to those pointers. A descriptor is {allocated, aligned, offset, sizes..., strides...}, all
of 64 bits, so that every argument is a slice of one array of words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_HEADER = 3  # allocated pointer, aligned pointer, offset


class Descriptors:
    """Descriptors of arguments of the given ranks."""

    def __init__(self, ranks: Sequence[int]) -> None:
        words = [_HEADER + 2 * rank for rank in ranks]
        self._starts = [sum(words[:i]) for i in range(len(words))]
        self._ranks = list(ranks)
        self._words = np.zeros(sum(words), dtype=np.int64)
        self._held: list[np.ndarray | None] = [None] * len(ranks)
        first = self._words.ctypes.data
        self._pointers = np.array([first + 8 * start for start in self._starts], dtype=np.int64)
        table = self._pointers.ctypes.data
        self._packed = np.array([table + 8 * i for i in range(len(ranks))], dtype=np.int64)

    @property
    def address(self) -> int:
        """Address of the packed arguments."""
        return self._packed.ctypes.data

    def set(self, index: int, array: np.ndarray, *, keep: bool = False) -> None:
        """Points argument `index` at a C-contiguous array.

        Args:
            keep: hold on to the array until the argument is set again, for arguments that are bound once.
        """
        start, rank = self._starts[index], self._ranks[index]
        words = self._words
        address = array.ctypes.data
        words[start] = address
        words[start + 1] = address
        shape = array.shape
        stride = 1
        for dim in range(rank - 1, -1, -1):
            words[start + _HEADER + dim] = shape[dim]
            words[start + _HEADER + rank + dim] = stride
            stride *= shape[dim]
        self._held[index] = array if keep else None
