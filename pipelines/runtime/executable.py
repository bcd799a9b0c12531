"""What a target makes of an imported model: something that runs on arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np


class Executable(Protocol):
    """A compiled `@main`, with its parameters bound; the caller keeps the state between runs.

    Attributes:
        program: what was compiled, without parameters; it can be stored (see `pipelines/saved/programs.py`).
        report: what is known about the compilation and the last run, ready for JSON. Keys are the target's own;
            `compile()` adds those that all targets share.
    """

    program: Any
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

    def bind(self, parameters: Sequence[np.ndarray]) -> None:
        """Takes the parameters from these arrays from now on, in the order of `@main`'s arguments."""
        ...
