"""How many threads compiled code is made for."""

from __future__ import annotations

import os
from collections.abc import Mapping
from numbers import Integral
from typing import Any

from ...passes.infra.diagnostics import CompilerError, shown

VARIABLE = "WSE_NUM_THREADS"  # the number where none is given
MOST = 256  # that the pool has room for, see native/pool.c


def thread_count(options: Mapping[str, Any]) -> int:
    """Threads of a call: the option `num_threads`, else the environment variable WSE_NUM_THREADS, else one.

    One, because PyTorch's threads or those of other calls may have the other cores. More than there are cores are
    allowed: results depend on the number, and can so be had on any machine.

    Raises:
        CompilerError: that is no number of threads.
    """
    given = options.get("num_threads")
    if given is None:
        text = os.environ.get(VARIABLE, "").strip()
        return _checked(int(text) if text.isdecimal() else text, VARIABLE) if text else 1
    return _checked(given, "num_threads")


def _checked(given: Any, name: str) -> int:
    if isinstance(given, bool) or not isinstance(given, Integral) or not 1 <= int(given) <= MOST:
        raise CompilerError(
            f"{name} is {shown(given)}, no number of threads", hint=f"give a whole number from 1 to {MOST}"
        )
    return int(given)
