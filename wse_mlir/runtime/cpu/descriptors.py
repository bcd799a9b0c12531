"""Memref descriptors of a compiled function's arguments, laid out once and patched for each call.

The function's packed entry takes an array of pointers, one to each argument's descriptor. A descriptor is
{allocated, aligned, offset, sizes..., strides...}, all of 64 bits, so that every argument is a slice of one array of
words. Buffers that the function returns come back as descriptors too, one after the other behind the pointer that is
its first argument.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..checks import STATUS_WORDS

_HEADER = 3  # allocated pointer, aligned pointer, offset
_POINTER = 1


@dataclass(frozen=True)
class ReturnedBuffer:
    """A contiguous buffer that a call returned; `allocated` is what `free` takes."""

    allocated: int
    data: int
    shape: tuple[int, ...]


def _one_of_each(array: np.ndarray) -> np.ndarray:
    """Memory to read in place of an array without elements: an index of a dimension without any is read as 0."""
    return np.zeros([max(size, 1) for size in array.shape], array.dtype)


class Descriptors:
    """Descriptors of arguments of the given ranks, and of returned buffers.

    Attributes:
        words: all of them, and three words for the status of a run.
        address: of the pointers to them, for the packed entry.
        status: position of the status in `words`; it begins as zeros.
    """

    def __init__(self, ranks: Sequence[int], returned: Sequence[int] = ()) -> None:
        sizes = [_HEADER + 2 * rank for rank in (*ranks, *returned)]
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        self._starts, self._returned = (
            starts[: len(ranks)],
            list(zip(starts[len(ranks) :], returned, strict=True)),
        )
        self._shapes: list[tuple[int, ...] | None] = [None] * len(ranks)
        self._held: list[np.ndarray | None] = [None] * len(ranks)
        self.status = sum(sizes)
        memory = (ctypes.c_int64 * (self.status + STATUS_WORDS))()
        self.words = (
            memoryview(memory).cast("B").cast("q")
        )  # quicker to write than the array, which it keeps alive
        self._first = first = ctypes.addressof(memory)
        blocks = [start for start, _ in self._returned[:1]] + self._starts
        self._pointers = (ctypes.c_int64 * len(blocks))(*(first + 8 * start for start in blocks))
        self.address = ctypes.addressof(self._pointers)

    def set(self, index: int, array: np.ndarray, *, keep: bool = False) -> None:
        """Points argument `index` at a C-contiguous array.

        Args:
            keep: hold on to the array until the argument is set again, for arguments that are bound once.
        """
        start, words = self._starts[index], self.words
        memory = array if array.size else _one_of_each(array)
        words[start] = words[start + _POINTER] = memory.__array_interface__["data"][0]
        if array.shape != self._shapes[index]:
            self._set_shape(index, array.shape)
        if keep or memory is not array:
            self._held[index] = memory

    def fix_shape(self, index: int, shape: tuple[int, ...]) -> None:
        """Describes argument `index` but for where it is: see `pointer`."""
        self._set_shape(index, shape)

    def tell_status(self, index: int) -> None:
        """Points argument `index` at the words for the status."""
        self._set_shape(index, (STATUS_WORDS,))
        self.words[self.pointer(index)] = self.status_address

    @property
    def status_address(self) -> int:
        """Of the words for the status."""
        return self._first + 8 * self.status

    def pointer(self, index: int) -> int:
        """The position in `words` of the pointer to argument `index`.

        The other pointer, to the beginning of the memory that `free` would take, is read by nobody.
        """
        return self._starts[index] + _POINTER

    def returned(self) -> list[ReturnedBuffer]:
        """The buffers that the last call returned."""
        words = self.words
        return [
            ReturnedBuffer(words[at], words[at + 1], tuple(words[at + _HEADER : at + _HEADER + rank]))
            for at, rank in self._returned
        ]

    def _set_shape(self, index: int, shape: tuple[int, ...]) -> None:
        self._shapes[index] = shape
        sizes = self._starts[index] + _HEADER
        stride = 1
        for dim in range(len(shape) - 1, -1, -1):
            self.words[sizes + dim] = shape[dim]
            self.words[sizes + len(shape) + dim] = stride
            stride *= shape[dim]
