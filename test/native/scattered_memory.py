"""Address spaces as gigabytes of libraries leave them: what is free lies in small holes, far from each other."""

import ctypes
from collections.abc import Iterable

PAGE = 4096
DISTANCE = 4 << 30  # bytes from one hole to the next: more than code can reach
_PRIVATE, _ANONYMOUS, _NORESERVE = 0x2, 0x20, 0x4000
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.mmap.restype = ctypes.c_void_p
_LIBC.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
_LIBC.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def scatter_free_memory(sections: Iterable[int], holes: int = 8) -> None:
    """Takes all addresses but those below what is mapped, and leaves holes for sections of these sizes.

    Linux takes the highest hole that is large enough: a section fills one of its size, and the next is elsewhere.
    """
    blocks = [(_take(DISTANCE), -(-size // PAGE) * PAGE) for size in sorted(sections) for _ in range(holes)]
    lowest = min(block for block, _ in blocks)
    for bits in range(36, PAGE.bit_length() - 2, -1):
        while (taken := _take(1 << bits)) > lowest:
            pass
        _LIBC.munmap(taken, 1 << bits)
    for block, size in blocks:
        _LIBC.munmap(block + DISTANCE // 2, size)


def _take(size: int) -> int:
    """Addresses without memory, the highest free ones."""
    taken = _LIBC.mmap(None, size, 0, _PRIVATE | _ANONYMOUS | _NORESERVE, -1, 0)
    assert taken not in (None, ctypes.c_void_p(-1).value), "address space is not to be had"
    return taken
