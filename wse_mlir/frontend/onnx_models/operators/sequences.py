"""Sequences and optional values: Python lists and None while the graph is traced."""

from __future__ import annotations

from typing import Any

import torch

from ..registry import operator
from ..values import dimension, full_like_constant, integer, integers, refuse_unless


@operator("SequenceEmpty")
def empty(*, dtype: int = 1) -> tuple[list[torch.Tensor]]:
    """A sequence of nothing."""
    return ([],)


@operator("SequenceConstruct")
def construct(*tensors: torch.Tensor) -> tuple[list[torch.Tensor]]:
    """A sequence of tensors."""
    return (list(tensors),)


@operator("SequenceAt")
def at(sequence: list[torch.Tensor], position: Any) -> torch.Tensor:
    """One element; negative positions count from the end."""
    return sequence[_inside(position, len(sequence), len(sequence) - 1)]


def _inside(position: Any, size: int, most: int) -> int:
    found = integer(position)
    refuse_unless(-size <= found <= most, f"there is no position {found} in a sequence of {size}")
    return found % size if found < 0 else found


@operator("SequenceInsert")
def insert(
    sequence: list[torch.Tensor], tensor: torch.Tensor, position: Any = None
) -> tuple[list[torch.Tensor]]:
    """A sequence with one element more, at its end by default."""
    place = len(sequence) if position is None else _inside(position, len(sequence), len(sequence))
    return ([*sequence[:place], tensor, *sequence[place:]],)


@operator("SequenceErase")
def erase(sequence: list[torch.Tensor], position: Any = None) -> tuple[list[torch.Tensor]]:
    """A sequence without one element, the last by default."""
    place = len(sequence) - 1 if position is None else _inside(position, len(sequence), len(sequence) - 1)
    return ([*sequence[:place], *sequence[place + 1 :]],)


@operator("SequenceLength")
def length(sequence: list[torch.Tensor]) -> torch.Tensor:
    """How many elements there are."""
    return full_like_constant(len(sequence), torch.int64)


@operator("ConcatFromSequence")
def concat(sequence: list[torch.Tensor], *, axis: int, new_axis: int = 0) -> torch.Tensor:
    """All elements as one tensor."""
    rank = sequence[0].dim() + bool(new_axis)
    return (torch.stack if new_axis else torch.cat)(sequence, dimension(axis, rank))


@operator("SplitToSequence")
def split(
    x: torch.Tensor, split: Any = None, *, axis: int = 0, keepdims: int = 1
) -> tuple[list[torch.Tensor]]:
    """Parts of a tensor along a dimension."""
    dim = dimension(axis, x.dim())
    if split is None:
        parts = torch.split(x, 1, dim)
        return ([p if keepdims else p.squeeze(dim) for p in parts],)
    sizes = integers(split)
    return (list(torch.split(x, sizes[0] if split.dim() == 0 else sizes, dim)),)


@operator("Optional")
def optional(value: Any = None, *, type: Any = None) -> tuple[Any]:
    """A value, or none."""
    return (value,)


@operator("OptionalHasElement")
def has_element(value: Any = None) -> torch.Tensor:
    """Whether there is a value."""
    return full_like_constant(value is not None, torch.bool)


@operator("OptionalGetElement")
def get_element(value: Any) -> tuple[Any]:
    """The value, which has to be there."""
    refuse_unless(value is not None, "the value of nothing")
    return (value,)
