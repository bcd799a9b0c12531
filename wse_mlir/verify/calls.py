"""Calls of a function in a row, and how results of two programs compare on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from ..compare.agreement import relative_error, tolerance
from ..frontend.call_interface import CallInterface
from ..runtime.arrays import as_array, as_tensor

Arrays = list[np.ndarray]


@dataclass(frozen=True)
class Calls:
    """Arguments of a function for several calls, states being carried from one to the next.

    Attributes:
        interface: of the function.
        initial: per argument its value at the first call.
        inputs: per call the arguments that are inputs, in order.
    """

    interface: CallInterface
    initial: tuple[np.ndarray, ...]
    inputs: tuple[tuple[np.ndarray, ...], ...]

    def run(self, function: Callable[[Sequence[np.ndarray]], Arrays]) -> list[Arrays]:
        """The results of every call, outputs before states; `function` takes all arguments in order."""
        states = {
            a.name: (i, self.initial[i].copy())
            for i, a in enumerate(self.interface.arguments)
            if a.kind == "state"
        }
        found = []
        for inputs in self.inputs:
            rest = iter(inputs)
            arguments = [
                next(rest).copy() if a.kind == "input" else self.initial[i]
                for i, a in enumerate(self.interface.arguments)
            ]
            for position, value in states.values():
                arguments[position] = value
            # What a program for a wafer finds of its checks comes behind.
            results = [result.copy() for result in function(arguments)[: len(self.interface.results)]]
            for described, value in zip(self.interface.results, results, strict=True):
                if described.kind == "state" and described.name in states:
                    states[described.name] = (states[described.name][0], value.copy())
            found.append(results)
        return found


def calls_of(interface: CallInterface, batches: Iterable[Sequence[torch.Tensor]]) -> Calls:
    """The calls of an imported model; `batches` are its flat inputs, call by call."""
    inputs = tuple(tuple(as_array(t).copy() for t in batch) for batch in batches)
    first = iter(inputs[0])
    initial = tuple(
        next(first) if a.kind == "input" or a.tensor is None else as_array(a.tensor)
        for a in interface.arguments
    )
    return Calls(interface, initial, inputs)


@dataclass(frozen=True)
class Comparison:
    """How results compare with those that are expected.

    Attributes:
        errors: per result the largest relative error of all calls (see `relative_error`).
        allowed: per result the error up to which it matches.
    """

    errors: tuple[float, ...]
    allowed: tuple[float, ...]

    @property
    def matches(self) -> bool:
        """Whether every result is within its tolerance."""
        return all(error <= limit for error, limit in zip(self.errors, self.allowed, strict=True))

    @property
    def worst(self) -> float:
        """The largest error."""
        return max(self.errors, default=0.0)


def compare(
    actual: Sequence[Sequence[Any]], expected: Sequence[Sequence[Any]], *, on_wafer: bool = False
) -> Comparison:
    """Compares results call by call; they are arrays or tensors.

    MLIR's integers have no sign: one that is unsigned in PyTorch is compared as such.
    """
    errors, allowed = [], []
    for got, wanted in zip(zip(*actual, strict=True), zip(*expected, strict=True), strict=True):
        pairs = [(_tensor(a), _tensor(b)) for a, b in zip(got, wanted, strict=True)]
        errors.append(max(relative_error(_with_sign_of(b, a), b) for a, b in pairs))
        dtype = pairs[0][1].dtype
        exact = not dtype.is_floating_point
        allowed.append(0.0 if exact else tolerance(dtype, on_wafer=on_wafer))
    return Comparison(tuple(errors), tuple(allowed))


def _tensor(value: Any) -> torch.Tensor:
    return value if isinstance(value, torch.Tensor) else as_tensor(value)


def _with_sign_of(like: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    return value.view(torch.uint8) if like.dtype == torch.uint8 and value.dtype == torch.int8 else value
