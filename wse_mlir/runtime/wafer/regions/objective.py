"""How many regions let results follow each other soonest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import count
from typing import Any, Protocol, TypeVar

from ....passes.infra.diagnostics import CompilerError

_LEAST_GAIN = 0.95  # of the best interval, that another number has to come below to be better
_MOST_MISSES = 2  # numbers in a row that are not better


class PlannedProgram(Protocol):
    """A program with what was weighed for it, see `LoweredModule`."""

    @property
    def choices(self) -> Sequence[Mapping[str, Any]]: ...


_Planned = TypeVar("_Planned", bound=PlannedProgram)


def predicted_interval(program: PlannedProgram) -> float:
    """Cycles from one result to the next that the plans of a program's regions promise: those of the slowest region."""
    plans: dict[Any, float] = {}  # of each region the grid comes first
    for choice in program.choices:
        plans.setdefault(choice.get("region"), float(choice["chosen"]["cycles"]))
    return max(plans.values(), default=0.0)


def with_best_count(make: Callable[[int], _Planned]) -> tuple[_Planned, list[dict[str, float]]]:
    """The program whose results follow each other soonest, as plans promise, and the intervals of all that were tried.

    More regions are tried until twice in a row that is no gain of 5%, or there is no room for more.

    Args:
        make: the program with so many regions, or with fewer where there are no more parts.

    Raises:
        CompilerError: of `make`, where no number works.
    """
    best: tuple[float, _Planned] | None = None
    tried: list[dict[str, float]] = []
    failure: CompilerError | None = None
    misses = 0
    for number in _numbers():
        try:
            found = make(number)
        except CompilerError as error:
            failure, misses = failure or error, misses + 1
        else:
            interval = predicted_interval(found)
            tried.append({"regions": number, "interval": interval})
            is_better = best is None or interval < _LEAST_GAIN * best[0]
            best, misses = ((interval, found), 0) if is_better else (best, misses + 1)
            if number > 1 and _regions(found) < number:
                break
        if misses == _MOST_MISSES:
            break
    if best is None:
        assert failure is not None, "every number either made a program or failed"
        raise failure
    return best[1], tried


def _regions(program: PlannedProgram) -> int:
    return len({choice.get("region") for choice in program.choices})


def _numbers() -> Iterator[int]:
    """1 to 8, then ever further apart: 10, 12, 14, 16, 20, 24, ..."""
    yield from range(1, 9)
    for power in count(3):
        yield from range(2**power + 2 ** (power - 2), 2 ** (power + 1) + 1, 2 ** (power - 2))
