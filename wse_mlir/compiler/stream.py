"""Inputs that follow each other through a compiled model: how they are taken, what becomes of failures among them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ..passes.infra.diagnostics import CompilerError

MOST_AT_A_TIME = (
    64  # inputs that are simulated together; a stream of any length takes the memory of twice as many
)

_Taken = TypeVar("_Taken")


@dataclass
class InputQueue(Generic[_Taken]):
    """Takes inputs ahead of their turn, until there are no more or something is wrong with one.

    Attributes:
        check: makes of the arguments of a call, by position and by name, what is kept of them.
        failure: why no more are taken, if that is not that there are none.
    """

    inputs: Iterable[Any]
    check: Callable[[Sequence[Any], Mapping[str, Any]], _Taken]
    failure: Exception | None = None
    _ahead: list[_Taken] = field(default_factory=list)

    def windows(self) -> Iterator[list[_Taken]]:
        """The inputs in order, as many at a time as are simulated together, and the last ones by themselves."""
        numbered = enumerate(self._given())
        while self._ahead or self.failure is None:
            while len(self._ahead) < 2 * MOST_AT_A_TIME and self.failure is None:
                number, one = next(numbered, (-1, None))
                if number < 0:
                    break
                self._take(number, one)
            is_end = len(self._ahead) < 2 * MOST_AT_A_TIME
            count = len(self._ahead) if is_end else MOST_AT_A_TIME
            window, self._ahead = self._ahead[:count], self._ahead[count:]
            if window:
                yield window
            if is_end:
                return

    def _given(self) -> Iterator[Any]:
        """The inputs; what raises instead of giving one becomes the failure."""
        count = 0
        try:
            for one in self.inputs:
                yield one
                count += 1
        except Exception as error:
            self.failure = CompilerError(
                f"the inputs of a stream ended with {type(error).__name__} behind {count} of them: {error}",
                hint="results of these are valid",
            )
            self.failure.__cause__ = error

    def _take(self, number: int, one: Any) -> None:
        try:
            args = one if isinstance(one, tuple) else () if isinstance(one, Mapping) else (one,)
            self._ahead.append(self.check(args, one if isinstance(one, Mapping) else {}))
        except CompilerError as error:
            error.where = f"{error.where}, input {number} of a stream" if error.where else f"input {number}"
            self.failure = error
