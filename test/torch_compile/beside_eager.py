"""Runs a function compiled and as it is, on copies of the same arguments, and compares all that can be seen."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch.utils import _pytree as pytree

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 1e-2}


def compiled(function: Any, **options: Any) -> Any:
    """`torch.compile` with this project's backend, as one graph unless asked otherwise."""
    options.setdefault("fullgraph", True)
    return torch.compile(function, backend="wse_mlir", **options)


def assert_close(actual: Any, expected: Any, what: str = "output") -> None:
    """Same dtype, shape, strides and values; the error counts relative to the greatest magnitude expected."""
    if not isinstance(expected, torch.Tensor):
        assert type(actual) is type(expected) and actual == expected, f"{what}: {actual} is not {expected}"
        return
    assert actual.dtype == expected.dtype and actual.shape == expected.shape, f"{what}: {actual} {expected}"
    if expected.numel():  # where a dimension has one element, its stride says nothing
        both = (actual.stride(), expected.stride())
        strides = [[s for s, size in zip(x, expected.shape, strict=True) if size > 1] for x in both]
        assert strides[0] == strides[1], f"{what}: strides {both[0]}, not {both[1]}"
    if not expected.dtype.is_floating_point:
        assert torch.equal(actual, expected), f"{what}: {actual} is not {expected}"
        return
    tolerance = TOLERANCE[expected.dtype]
    actual, expected = actual.detach().double(), expected.detach().double()
    finite = expected.isfinite()
    assert torch.equal(actual[~finite].nan_to_num(7), expected[~finite].nan_to_num(7)), (
        f"{what}: NaN, infinity"
    )
    if finite.any():
        error = (actual - expected)[finite].abs().max().item()
        scale = max(expected[finite].abs().max().item(), 1e-6)
        assert error <= tolerance * scale, f"{what}: error {error / scale:.2e}"


def same_as_eager(function: Callable[..., Any], *args: Any, by: Callable[..., Any] | None = None) -> Any:
    """Calls a function, and `by` (the function compiled), on copies of the arguments.

    Compares outputs, arguments that may have been written, and for floating outputs that carry a gradient the
    gradients of arguments and parameters. A module's parameters and buffers are those of both calls: `by` works on
    a copy that is made here.

    Returns:
        What the compiled function returned.
    """
    reference = function
    if isinstance(function, torch.nn.Module) and by is None:
        reference, by = copy.deepcopy(function), compiled(function)
    by = compiled(function) if by is None else by
    ours, theirs = copied(args), copied(args)
    actual, expected = by(*ours), reference(*theirs)
    _compare(actual, expected, "output")
    _compare(ours, theirs, "argument")
    losses = [_loss(tree) for tree in (actual, expected)]
    if losses[1] is not None:
        assert losses[0] is not None, "no output carries a gradient"
        for loss in losses:
            loss.backward()
        _compare(_gradients(ours), _gradients(theirs), "gradient")
    if isinstance(function, torch.nn.Module):
        both = [m.parameters() for m in (function, reference)] if reference is not function else []
        for mine, other in zip(*both, strict=True) if both else ():
            _compare(mine.grad, other.grad, "gradient of a parameter")
        for (name, mine), (_, other) in zip(function.named_buffers(), reference.named_buffers(), strict=True):
            assert_close(mine, other, name)
    return actual


def copied(args: Any) -> Any:
    """Copies with the same strides; what requires a gradient in the original does so in the copy."""

    def copied_leaf(leaf: Any) -> Any:
        if not isinstance(leaf, torch.Tensor):
            return leaf
        return copy.deepcopy(leaf.detach()).requires_grad_(leaf.requires_grad)

    return pytree.tree_map(copied_leaf, args)


def _compare(actual: Any, expected: Any, what: str) -> None:
    mine, other = pytree.tree_leaves(actual), pytree.tree_leaves(expected)
    assert len(mine) == len(other), f"{len(mine)} values, not {len(other)}: {what}"
    for index, pair in enumerate(zip(mine, other, strict=True)):
        assert_close(*pair, f"{what} {index}")


def _loss(tree: Any) -> Any:
    """A scalar in which every element of every output counts differently."""
    parts = [x for x in pytree.tree_leaves(tree) if isinstance(x, torch.Tensor) and x.requires_grad]
    terms = []
    for part in parts:
        weights = torch.linspace(0.5, 1.5, part.numel(), dtype=torch.float64).reshape(part.shape)
        terms.append((part.double() * weights).sum())
    return sum(terms) if terms else None


def _gradients(args: Any) -> list[Any]:
    return [x.grad for x in pytree.tree_leaves(args) if isinstance(x, torch.Tensor) and x.is_leaf]
