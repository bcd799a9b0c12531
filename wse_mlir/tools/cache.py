"""`wse cache`: what the compile cache holds, and removing it."""

from __future__ import annotations

import time
from collections import Counter

from ..cache.folder import CacheFolder
from ..cache.settings import open_cache


def show_cache() -> None:
    """Prints folder, limit, and the entries by kind with their size."""
    folder = _folder()
    entries = folder.entries()
    counts = Counter(entry.kind for entry in entries)
    total = sum(entry.size for entry in entries) / 2**20
    print(f"folder   {folder.path}")
    print(f"entries  {_count(counts['model'], 'model')}, {_count(counts['program'], 'program')}")
    print(f"size     {total:.1f} MiB of at most {folder.limit / 2**20:.0f} MiB")
    if entries:
        print(f"used     {_age(entries[-1].used)} ago last; the oldest entry {_age(entries[0].used)} ago")


def clear_cache() -> None:
    """Removes all entries."""
    folder = _folder()
    removed = folder.clear()
    print(f"removed {removed} {'entry' if removed == 1 else 'entries'} from {folder.path}")


def _folder() -> CacheFolder:
    """The default folder, also when WSE_CACHE=0 keeps compilations from using it."""
    folder = open_cache(True)
    assert folder is not None, "it was asked for"
    return folder


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _age(used: float) -> str:
    seconds = max(0.0, time.time() - used)
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} seconds"
