"""Where the console scripts begin: what a tool imports is imported in here, where an interrupt is told in a word."""

from __future__ import annotations

from .interrupts import leave_when_interrupted


def wse() -> None:
    """Runs `wse`."""
    leave_when_interrupted()
    from .wse import main

    main()


def wse_opt() -> int:
    """Runs `wse-opt`; returns its exit code."""
    leave_when_interrupted()
    from .wse_opt import main

    return main()


def wse_reduce() -> None:
    """Runs `wse-reduce`."""
    leave_when_interrupted()
    from .wse_reduce import main

    main()
