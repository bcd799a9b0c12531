"""Large outputs in pages of two megabytes.

The C library takes memory of 32 MiB and more from the system at each allocation and gives it back at once, so that
every page of a new output has to be made when it is first written. In pages of 4 KiB that took 42 ms for 64 MiB that
are written in 3 ms; in large ones, which have to be asked for on many systems, it takes 6.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from math import prod
from typing import Any

import torch

_LEAST_BYTES = 32 << 20  # smaller allocations are kept by the C library, pages and all
_PAGE = 4096
_HUGE_PAGES = 14  # MADV_HUGEPAGE, of <sys/mman.h> on Linux

Allocate = Callable[..., torch.Tensor]


def _find_madvise() -> Any:
    found = getattr(ctypes.CDLL(None), "madvise", None) if sys.platform == "linux" else None
    if found is not None:
        found.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    return found


_madvise = _find_madvise()


def allocator_for(shape: tuple[Any, ...], dtype: torch.dtype, allocate: Allocate) -> Allocate:
    """What makes tensors like `allocate`, and of large pages if they are large; `shape` may have open sizes."""
    known = all(isinstance(size, int) for size in shape)
    if _madvise is None or not known or prod(shape) * dtype.itemsize < _LEAST_BYTES:
        return allocate

    def allocate_large(*args: Any, **kwargs: Any) -> torch.Tensor:
        tensor = allocate(*args, **kwargs)
        advise(tensor)
        return tensor

    return allocate_large


def advise(tensor: torch.Tensor) -> bool:
    """Asks for large pages in the memory of a new contiguous tensor; whether the system has listened.

    It is advice: nothing depends on the answer.
    """
    start = -(-tensor.data_ptr() // _PAGE) * _PAGE
    stop = (tensor.data_ptr() + tensor.nbytes) // _PAGE * _PAGE
    return _madvise is not None and stop > start and _madvise(start, stop - start, _HUGE_PAGES) == 0
