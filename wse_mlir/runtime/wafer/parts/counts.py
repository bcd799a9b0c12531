"""How many programs a model becomes that shall be as many as it takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ....passes.infra.pass_manager import PipelineFailure
from ....passes.wafer.too_large import TooLarge
from ..options import programs

_MOST = 16
_Made = TypeVar("_Made")


def with_enough_programs(options: Mapping[str, Any], make: Callable[[Mapping[str, Any]], _Made]) -> _Made:
    """What `make` makes with these options, or with the least number of programs tried that fit where that is open.

    Raises:
        CompilerError: of `make`, where more programs do not help.
    """
    count = programs(options)
    if count is not None:
        return make(options)
    count = 1
    while True:
        try:
            return make({**options, "programs": count})
        except PipelineFailure as failure:
            reason = failure.__cause__
            if not (isinstance(reason, TooLarge) and reason.helped_by_turns) or count == _MOST:
                raise
            count = min(max(count + 1, reason.needed // reason.available), _MOST)
