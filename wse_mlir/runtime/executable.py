"""What a target makes of an imported model: something that runs on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from .cpu.direct_call import DirectCall


class Executable(Protocol):
    """A compiled `@main`, with its parameters bound; the caller keeps the state between runs.

    Attributes:
        program: what was compiled, without parameters; it can be stored (see `wse_mlir/artifacts/saved/programs.py`).
        report: what is known about the compilation and the last run, ready for JSON. Keys are the target's own;
            `compile()` adds those that all targets share.
        calls_take_turns: whether `run` is for one thread at a time; `bind` never runs beside another `bind`.
        held_states: names of states that the executable keeps between runs: it does not look at the values that `run`
            is given for these, and gives them back as they are.
    """

    program: Any
    calls_take_turns: bool
    held_states: frozenset[str]
    report: dict[str, Any]

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Runs the program once.

        Args:
            inputs: C-contiguous arrays of the declared shapes and types: the model's tensor inputs, then the
                present value of each state, in the order of `@main`'s arguments. Inputs are not written; a
                state may be updated in place.

        Returns:
            Arrays in the order of `@main`'s results: the outputs, which are new, then the next value of each
            state, either a new array or the very array that was passed and is now updated.
        """
        ...

    def read_state(self, name: str) -> np.ndarray:
        """A new array with the present value of a state that it holds."""
        ...

    def write_state(self, name: str, value: np.ndarray) -> None:
        """Gives a state that it holds another value; has to be done once before the first run."""
        ...

    def direct_call(self, states: Sequence[np.ndarray]) -> DirectCall | None:
        """A quicker way to run the program on tensors that are just what it takes; None where there is none.

        Args:
            states: that each call reads and updates in place, as `run` takes them.
        """
        ...

    def bind(self, parameters: Sequence[np.ndarray]) -> None:
        """Takes the parameters from these arrays, in the order of `@main`'s arguments, for runs from now on."""
        ...
