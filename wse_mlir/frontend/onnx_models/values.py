"""Values while an ONNX graph is traced: which of them are known, and numbers read from those."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor
from torch.utils._python_dispatch import _disable_current_modes


class ValueNeeded(Exception):
    """A node cannot be traced without the elements of a tensor; the tensor is `args[0]`."""


class Unsupported(Exception):
    """A node asks for what is not supported; the message says what."""


class Sizes:
    """A small integer tensor, computed from sizes that the model leaves open.

    Attributes:
        elements: Python's or PyTorch's symbolic integers, one level of nesting a dimension; a number if it has none.
    """

    def __init__(self, elements: Any) -> None:
        self.elements = elements

    def as_tensor(self) -> torch.Tensor:
        """The elements as a traced tensor."""
        if isinstance(self.elements, list):
            return torch.stack([Sizes(element).as_tensor() for element in self.elements])
        return torch.scalar_tensor(self.elements, dtype=torch.int64)


def is_known(value: Any) -> bool:
    """Whether a value's elements are known while the graph is traced."""
    if isinstance(value, (list, tuple)):
        return all(is_known(v) for v in value)
    return not isinstance(value, (FakeTensor, Sizes))


def known(value: torch.Tensor) -> torch.Tensor:
    """The tensor, whose elements are known.

    Raises:
        ValueNeeded: they are not.
    """
    if not is_known(value):
        raise ValueNeeded(value)
    return value


def integers(value: Any) -> list[Any]:
    """Integers, which may be symbolic sizes, from an attribute or a one-dimensional tensor."""
    if isinstance(value, Sizes):
        return list(value.elements) if isinstance(value.elements, list) else [value.elements]
    if isinstance(value, torch.Tensor):
        return [int(v) for v in _elements(value)]
    return [int(v) for v in value]


def integer(value: Any) -> Any:
    """One integer, see `integers`."""
    if isinstance(value, int):
        return value
    found = integers(value)
    if len(found) != 1:
        raise Unsupported(f"{len(found)} numbers in place of one")
    return found[0]


def number(value: Any, default: float | None = None) -> Any:
    """A Python number from an attribute or a tensor of one element; `default` where there is none."""
    if value is None:
        return default
    return _elements(value)[0] if isinstance(value, torch.Tensor) else value


def numbers(value: Any) -> list[float]:
    """Python numbers from an attribute or a tensor."""
    if isinstance(value, torch.Tensor):
        return [float(v) for v in _elements(value)]
    return [float(v) for v in value]


def truth(value: torch.Tensor) -> bool:
    """Whether the one element of a tensor is true."""
    return bool(_elements(value)[0])


def _elements(value: torch.Tensor) -> list[Any]:
    tensor = known(value)
    with (
        untraced()
    ):  # a tensor that was made while tracing has elements, and reading them is no part of the graph
        return tensor.reshape(-1).tolist()


def dimension(axis: Any, rank: int) -> int:
    """A dimension counted from the front; raises Unsupported when there is no such dimension."""
    axis = integer(axis)
    if not -rank <= axis < max(rank, 1):
        raise Unsupported(f"there is no dimension {axis} in a tensor of {rank} dimensions")
    return axis % rank if rank else 0


def dimensions(axes: Any, rank: int) -> list[int]:
    """Dimensions counted from the front; all for None."""
    return list(range(rank)) if axes is None else [dimension(axis, rank) for axis in integers(axes)]


def full_like_constant(values: Sequence[Any] | Any, dtype: torch.dtype) -> torch.Tensor:
    """A known tensor, which becomes a constant where it meets traced ones."""
    with untraced():
        return torch.tensor(values, dtype=dtype)


def untraced() -> Any:
    """A context in which PyTorch computes at once and records nothing."""
    return _disable_current_modes()


MOST_PLACES = 2**24  # that are listed when a model is imported; more are a mistake in the file


def refuse_unless(condition: bool, message: str) -> None:
    """Raises Unsupported with the message unless the condition holds."""
    if not condition:
        raise Unsupported(message)


def tensors_in(values: Iterable[Any]) -> list[torch.Tensor]:
    """The tensors among values, sequences' elements included."""
    found: list[torch.Tensor] = []
    for value in values:
        if isinstance(value, torch.Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += tensors_in(value)
    return found
