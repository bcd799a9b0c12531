"""The calling convention of compiled functions in this process; it is known without what compiles them."""

from __future__ import annotations


def packed_entry(name: str) -> str:
    """The symbol of a function's packed entry: `void (void **descriptors)`, one memref descriptor an element.

    A function that returns memrefs takes the address of a struct for their descriptors as its first element.
    """
    return f"wse_packed_{name}"
