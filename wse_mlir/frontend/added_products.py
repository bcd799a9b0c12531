"""Products that are added to a tensor, in the order that PyTorch's kernels compute them in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

aten = torch.ops.aten


def product_decompositions() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table."""
    return {aten.addr.default: addr, aten.addbmm.default: addbmm}


def addr(
    x: torch.Tensor, column: torch.Tensor, row: torch.Tensor, *, beta: float = 1, alpha: float = 1
) -> torch.Tensor:
    """`aten.addr`: beta * x + (alpha * column) * row, which does not overflow where x * row does."""
    dtype = torch.promote_types(x.dtype, torch.promote_types(column.dtype, row.dtype))
    x, column, row = (t.to(dtype) for t in (x, column, row))
    if dtype == torch.bool:
        product = (column[:, None] & row) & bool(alpha)
        return product | x if beta else product
    product = (alpha * column)[:, None] * row
    return beta * x + product if beta else product


def addbmm(
    x: torch.Tensor, left: torch.Tensor, right: torch.Tensor, *, beta: float = 1, alpha: float = 1
) -> torch.Tensor:
    """`aten.addbmm`: the sum over a batch of products is one product, whose inner dimension is all of theirs."""
    wide = left.permute(1, 0, 2).reshape(left.shape[1], -1)
    return torch.addmm(x, wide, right.reshape(-1, right.shape[2]), beta=beta, alpha=alpha)
