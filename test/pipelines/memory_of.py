"""What a process holds: for tests that do a thing many times and see that it leaves nothing behind."""

import ctypes
import gc
from collections import Counter
from collections.abc import Callable

_LIBC = ctypes.CDLL(None)


class _MallInfo(ctypes.Structure):
    """struct mallinfo2 of the C library."""

    _fields_ = tuple((f"word{k}", ctypes.c_size_t) for k in range(10))


def allocated_bytes() -> int:
    """Bytes that malloc has given out and that were not freed."""
    _LIBC.mallinfo2.restype = _MallInfo
    info = _LIBC.mallinfo2()
    return info.word7 + info.word4  # uordblks, hblkhd: small ones, and those mapped by themselves


def mapped_regions() -> int:
    """How many pieces of memory the process has mapped."""
    with open("/proc/self/maps") as maps:
        return sum(1 for _ in maps)


def live_objects() -> Counter[str]:
    """How many objects there are of each type that the collector knows."""
    gc.collect()
    return Counter(f"{type(o).__module__}.{type(o).__qualname__}" for o in gc.get_objects())


def growth(repeat: Callable[[], object], times: int, *, before: int = 3) -> tuple[float, float, Counter[str]]:
    """Of one repetition: bytes of malloc and regions that stay; and all objects that stay of all of them.

    Args:
        before: repetitions until caches are as full as they get.
    """
    gc.collect()
    gc.freeze()  # what there was before is looked at no more: modules of PyTorch are millions of objects
    try:
        for _ in range(before):
            repeat()
        live_objects()  # looking makes some objects, once
        objects, regions, start = live_objects(), mapped_regions(), allocated_bytes()
        for _ in range(times):
            repeat()
        gc.collect()
        grown, mapped = allocated_bytes() - start, mapped_regions() - regions
        return grown / times, mapped / times, live_objects() - objects
    finally:
        gc.unfreeze()
