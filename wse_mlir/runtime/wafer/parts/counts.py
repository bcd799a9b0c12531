"""How many programs a model becomes where that is left open: one where it fits, else as many as it takes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from ....passes.infra.pass_manager import PipelineFailure
from ....passes.wafer.too_large import TooLarge
from ..options import programs, regions

_MOST = 16
_Made = TypeVar("_Made")


class ProgramsTakeTurns(UserWarning):
    """A model became several programs although nobody asked for any."""


def with_enough_programs(options: Mapping[str, Any], make: Callable[[Mapping[str, Any]], _Made]) -> _Made:
    """What `make` makes with these options, or with the least number of programs tried that fit where that is open.

    Warns of several that nobody asked for.

    Raises:
        CompilerError: of `make`, where more programs do not help.
    """
    if programs(options) is not None or regions(options) != 1:  # which are of one program
        return make(options)
    whole: TooLarge | None = None
    count = 1
    while True:
        try:
            made = make({**options, "programs": count})
        except PipelineFailure as failure:
            reason = failure.__cause__
            if not (isinstance(reason, TooLarge) and reason.helped_by_turns) or count == _MOST:
                raise
            whole = whole or reason
            count = min(max(count + 1, reason.needed // reason.available), _MOST)
        else:
            if whole is not None and not options.get("programs"):
                warnings.warn(_told(whole, count), ProgramsTakeTurns, stacklevel=3)
            return made


def _told(whole: TooLarge, count: int) -> str:
    return (
        f"as one program this model takes {whole.needed:,} of the {whole.available:,} bytes of a PE: it became {count} "
        "programs, each of which is loaded anew at every call (cycles.host_reload of the report); programs=1 refuses "
        "that, programs='auto' asks for it"
    )


@contextmanager
def cut_into(parts: int, options: Mapping[str, Any]) -> Iterator[None]:
    """Around what is done with parts for the wafer: fewer than were asked for cannot be cut any further."""
    try:
        yield
    except PipelineFailure as failure:
        if isinstance(failure.__cause__, TooLarge) and parts < (programs(options) or 1):
            failure.__cause__.helped_by_turns = False
        raise
