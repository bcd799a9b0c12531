"""Cycles of vector operations and transfers, from a machine's numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..footprint import indices_of
from ..instructions import DTYPE_BYTES, Access, Index, Vector
from ..machine import Machine

_NO_FLOPS = frozenset({"fill", "copy", "convert", "select", "iota"})
WAVELET_BYTES = 4


def words(elements: np.ndarray | int, dtype: str, packed: bool = True) -> np.ndarray | int:
    """32-bit wavelets of a message: narrower elements share one when `packed`, wider ones take two."""
    size = DTYPE_BYTES[dtype] if packed else max(DTYPE_BYTES[dtype], WAVELET_BYTES)
    return -(-elements * size // WAVELET_BYTES)


def flops_per_element(kind: str) -> int:
    """Arithmetic operations of one element of a vector operation."""
    return 0 if kind in _NO_FLOPS else 2 if kind == "fma" else 1


def collapse(
    bounds: np.ndarray, accesses: Sequence[tuple[int, ...]]
) -> tuple[np.ndarray, list[tuple[int, ...]]]:
    """Merges neighbouring loops that all accesses walk through as one, as a memory descriptor would.

    `bounds` is [PEs, loops]. Loops are merged only where the inner bound is the same on all PEs.
    """
    keep = [tuple(strides) for strides in accesses]
    loop = bounds.shape[1] - 2
    while loop >= 0:
        inner = int(bounds[0, loop + 1])
        same = bool((bounds[:, loop + 1] == inner).all())
        if same and all(s[loop] == s[loop + 1] * inner for s in keep):
            bounds = np.delete(bounds, loop + 1, axis=1)
            bounds[:, loop] *= inner
            keep = [s[:loop] + s[loop + 1 :] for s in keep]
        loop -= 1
    return bounds, keep


def _combines_in_one_place(op: Vector) -> bool:
    """Whether the innermost loop adds to what the iteration before left."""
    return op.dst.strides[-1] == 0 and (op.kind == "fma" or op.dst in op.srcs)


def _row(access: Access, inner: int) -> Access:
    """An access in the inner loops alone, where nothing moves it."""
    return Access(access.buffer, access.offset, access.strides[inner:])


class TimingModel:
    """Cycles of single operations on one machine."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine

    def vector(self, op: Vector, bounds: np.ndarray, dtype: str, dtypes: dict[str, str]) -> np.ndarray:
        """Cycles of a vector operation per PE, for `bounds` [PEs, loops].

        setup + elements / rate, plus a cost for each further trip of the outer loops. An innermost stride
        that hits the same banks again divides the rate; where the innermost loop combines everything in one place, the
        rate is that of sums or dot products. It is that of the widest element type involved.
        Scalar code has a cost of its own for every element. So has reading an index, each time that its number changes:
        loops in which numbers change are scalar code around what the hardware runs. What an iteration does that is
        left out costs as much as if it were not: time does not depend on data.
        """
        costs = self.machine.vector
        total = bounds.prod(axis=1)
        indices = indices_of(op)
        if indices:
            return self._indirect(op, indices, bounds, dtype, dtypes)
        if op.schedule == "scalar":
            return total * costs.scalar_element
        if bounds.shape[1] == 0:
            return np.full(len(bounds), costs.setup + 1 / self.machine.rate(op.kind, dtype))
        accesses = [op.dst, *(s for s in op.srcs if isinstance(s, Access))]
        widest = max((dtypes[a.buffer] for a in accesses), key=lambda d: (DTYPE_BYTES[d], d == dtype))
        into_one = _combines_in_one_place(op) and bool((bounds[:, -1] > 1).any())
        rate_of = self.machine.rate_into_one if into_one else self.machine.rate
        rate = rate_of(op.kind, widest) / self._bank_penalty(accesses, dtypes)
        merged, _ = collapse(bounds.copy(), [a.strides for a in accesses])
        rows = merged[:, :-1].prod(axis=1)
        maps = merged[:, :-2].prod(axis=1) if merged.shape[1] > 1 else np.ones_like(rows)
        outer = (rows - 1) * costs.looped_row if op.schedule == "looped" else costs.mapped(rows, maps)
        return np.where(total > 0, costs.setup + total / rate + outer, 0.0)

    def _indirect(
        self, op: Vector, indices: Sequence[Index], bounds: np.ndarray, dtype: str, dtypes: dict[str, str]
    ) -> np.ndarray:
        """Cycles of an operation whose accesses are moved: scalar code around operations on rows.

        Scalar code reads each number, compares it with both ends and adds up the address; then it runs an element, or
        sets a descriptor and issues the operation on a row.
        """
        costs = self.machine.vector
        moving = [i for i in range(bounds.shape[1]) if any(index.numbers.strides[i] for index in indices)]
        inner = moving[-1] + 1 if moving else 0  # the loops from here on are a row
        read = costs.index * len(indices)
        trips = bounds[:, :inner].prod(axis=1)
        if op.schedule == "scalar" or inner == bounds.shape[1]:
            return bounds.prod(axis=1) * costs.scalar_element + trips * read
        row = replace(op, bounds=op.bounds[inner:], dst=_row(op.dst, inner),
                      srcs=tuple(_row(s, inner) if isinstance(s, Access) else s for s in op.srcs))  # fmt: skip
        each = self.vector(row, bounds[:, inner:], dtype, dtypes) - costs.setup
        whole = costs.setup + trips * (each + read) + (trips - 1) * costs.looped_row
        return np.where(bounds.prod(axis=1) > 0, whole, 0.0)

    def _bank_penalty(self, accesses: Sequence[Access], dtypes: dict[str, str]) -> float:
        sram = self.machine.sram
        for access in accesses:
            stride = abs(access.strides[-1]) * DTYPE_BYTES[dtypes[access.buffer]]
            if math.ceil(stride / sram.bank_bytes) % sram.banks not in sram.full_rate_strides:
                return sram.conflict_penalty
        return 1.0

    def word_cycles(self, kind: str, dtype: str, packed: bool = True) -> float:
        """Cycles a word takes to pass a core that applies `kind` to its elements."""
        per_word = WAVELET_BYTES / DTYPE_BYTES[dtype]
        if not packed:
            per_word = min(per_word, 1.0)
        return max(self.machine.fabric.cycles_per_wavelet, per_word / self.machine.rate(kind, dtype))

    def host(self, count: int, rows: int, inwards: bool) -> float:
        """Cycles to move `count` words between host and wafer, the edge being `rows` PEs high."""
        if count == 0:
            return 0.0
        host = self.machine.host
        channels = min(host.channels, math.ceil(rows / host.rows_per_channel))
        rate = host.words_per_cycle_in if inwards else host.words_per_cycle_out
        return (host.fixed_in if inwards else host.fixed_out) + count / (rate * channels)
