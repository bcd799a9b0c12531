"""In which order of its dimensions a tensor lies in memory, from sizes and strides that may be symbolic."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sympy
import torch
from torch.fx import GraphModule

TorchSize = int | torch.SymInt


def expression(size: Any) -> sympy.Expr:
    """A size or stride as an expression in the graph's symbols."""
    return size.node.expr if isinstance(size, torch.SymInt) else sympy.Integer(size)


def is_static(sizes: Sequence[Any]) -> bool:
    """Whether all of these are numbers."""
    return all(isinstance(size, int) for size in sizes)


def is_open(graph: GraphModule) -> bool:
    """Whether a graph takes a size, or a tensor some size of which is not a number."""
    for node in graph.graph.find_nodes(op="placeholder"):
        value = node.meta["val"]
        if isinstance(value, torch.SymInt):
            return True
        if isinstance(value, torch.Tensor) and not is_static(layout(value)):
            return True
    return False


def layout(tensor: torch.Tensor) -> tuple[TorchSize, ...]:
    """Sizes, strides and offset."""
    return (*tensor.shape, *tensor.stride(), tensor.storage_offset())


def example(size: Any) -> Any:
    """The number that a symbolic size is in the example call; what is not symbolic is returned."""
    return size.node.hint if isinstance(size, (torch.SymInt, torch.SymFloat, torch.SymBool)) else size


def overlaps(tensor: torch.Tensor) -> bool:
    """Whether several elements lie at one place in memory, in the example call."""
    dims = zip(map(example, tensor.stride()), map(example, tensor.shape), strict=True)
    reach = 0
    for stride, size in sorted((stride, size) for stride, size in dims if size > 1):
        if stride <= reach:
            return True
        reach += (size - 1) * stride
    return False


def memory_order(tensor: torch.Tensor) -> tuple[int, ...] | None:
    """The permutation that makes a tensor contiguous, the identity for one that is; None where none does.

    No guard is added for symbolic sizes: strides must be products of sizes as expressions.
    """
    rank = tensor.dim()
    if is_contiguous(tensor.shape, tensor.stride()):
        return tuple(range(rank))
    order = sorted(range(rank), key=lambda d: (-example(tensor.stride(d)), -example(tensor.shape[d])))
    shape = [tensor.shape[d] for d in order]
    strides = [tensor.stride(d) for d in order]
    return tuple(order) if is_contiguous(shape, strides) else None


def inverse(order: Sequence[int]) -> list[int]:
    """The permutation that undoes another."""
    return sorted(range(len(order)), key=order.__getitem__)


def is_contiguous(shape: Sequence[TorchSize], strides: Sequence[TorchSize]) -> bool:
    """Whether a tensor of these strides is C-contiguous."""
    if any(isinstance(size, int) and size == 0 for size in shape):
        return True
    expected = sympy.Integer(1)
    for size, stride in zip(reversed(shape), reversed(strides), strict=True):
        if isinstance(size, int) and size == 1:
            continue
        if sympy.expand(expression(stride) - expected) != 0:
            return False
        expected = expected * expression(size)
    return True
