"""The calling convention of compiled functions in this process; it is known without what compiles them."""

from __future__ import annotations

# Threads, see pool.c: void (void (*body)(void *, int64_t), void *environment, int64_t chunks, int64_t threads)
POOL_RUN = "wse_pool_run"
# Memory, see allocations.ll and `wse-name-allocations`.
ALLOCATE, RELEASE = "wse_allocate", "wse_release"
ALLOCATIONS_BEGIN, RUN_GUARDED = "wse_allocations_begin", "wse_run_guarded"


def packed_entry(name: str) -> str:
    """The symbol of a function's packed entry: `void (void **descriptors)`, one memref descriptor an element.

    A function that returns memrefs takes the address of a struct for their descriptors as its first element.
    """
    return f"wse_packed_{name}"
