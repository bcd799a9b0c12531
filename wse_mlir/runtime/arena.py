"""Memory for prepared tensors and for what calls keep while they run."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from ..passes.infra.diagnostics import CompilerError


class OutOfMemory(CompilerError, MemoryError):
    """There is not so much memory; the call has no results, and what it had allocated is free again."""


def out_of_memory(size: int, what: str, where: str = "") -> OutOfMemory:
    """The exception for `size` bytes."""
    amount = (
        f"{size} bytes ({size / 2**30:.1f} GiB)" if size < 2**62 else "more bytes than there are addresses"
    )
    return OutOfMemory(
        f"{amount} for {what} cannot be allocated",
        where=where,
        hint="give the model smaller inputs, or this process more memory",
    )


_ALIGNMENT = 64  # bytes: a cache line, and the widest vector


def aligned_array(shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """An array without values whose data begins on a cache line."""
    size = prod(shape) * dtype.itemsize
    memory = arena_array(size)
    return memory[:size].view(dtype).reshape(shape)


def arena_array(size: int) -> np.ndarray:
    """Bytes without values that begin on a cache line; at least one, so that they have an address."""
    memory = empty_array((max(size, 1) + _ALIGNMENT,), np.dtype(np.uint8))
    start = -memory.__array_interface__["data"][0] % _ALIGNMENT
    return memory[start : start + max(size, 1)]


def empty_array(shape: Sequence[int], dtype: np.dtype) -> np.ndarray:
    """`np.empty`.

    Raises:
        OutOfMemory: there is not so much memory.
    """
    try:
        return np.empty(shape, dtype)
    except (MemoryError, ValueError) as error:  # the latter beyond all addresses
        raise out_of_memory(prod(shape) * dtype.itemsize, "one array of the model") from error
