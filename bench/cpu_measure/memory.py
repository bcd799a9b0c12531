"""How much memory a call takes, seen from outside."""

from __future__ import annotations

import ctypes
import gc
from collections.abc import Callable
from pathlib import Path

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_PEAK = "5"  # proc(5): resets the peak of the resident set


def peak_growth(run: Callable[[], object]) -> int | None:
    """Bytes by which the process's resident set grows at most during a call, outputs included.

    What the allocator kept from earlier calls is given back first, so that what a contender frees and takes again
    counts; what it keeps for itself from call to call does not count if earlier calls have touched it, so this is
    for contenders that have not run more than needed. None where the system does not tell.
    """
    try:
        gc.collect()
        ctypes.CDLL(None).malloc_trim(0)
        _CLEAR.write_text(_RESET_PEAK)
        before = _field("VmRSS")
        run()
        return max(0, _field("VmHWM") - before)
    except (OSError, AttributeError, KeyError):
        return None


def _field(name: str) -> int:
    fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
    return int(fields[name].split()[0]) << 10
