"""Marks where memory on the stack begins to live.

LLVM 22's scalar replacement joins vectors that are stored into one piece of stack memory and read back as a whole
(`rewriteTreeStructuredMerge` in SROA). It expects the store at the highest offset to come last in the text; where it
does not, values are used before they exist, and LLVM ends the process. Memory whose lifetime is marked is left to the
older part of that pass.
"""

from __future__ import annotations

import re

_ALLOCATION = re.compile(r"^( +)(%[-\w.$]+) = alloca .*$", re.MULTILINE)
_START = "llvm.lifetime.start.p0"


def mark_lifetimes(text: str) -> str:
    """LLVM IR in which the lifetime of every piece of stack memory starts where it is allocated."""
    marked, count = _ALLOCATION.subn(rf"\g<0>\n\1call void @{_START}(ptr \2)", text)
    if not count or f"declare void @{_START}(" in text:
        return marked
    return f"{marked}\ndeclare void @{_START}(ptr)\n"
