"""Determinants by elimination with pivots: torch-mlir's own divides by whatever is on the diagonal, a zero too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from ..passes.infra.diagnostics import CompilerError

aten = torch.ops.aten

LARGEST = 64  # rows, for each is a step of straight code


def determinant_decompositions() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table."""
    return {
        aten.det.default: determinant,
        aten.linalg_det.default: determinant,
        aten.slogdet.default: sign_and_logarithm,
        aten.linalg_slogdet.default: sign_and_logarithm,
        aten.logdet.default: logarithm,
    }


def determinant(matrix: torch.Tensor) -> torch.Tensor:
    """`aten.linalg_det`: the product of the pivots, its sign changed at every exchange of rows."""
    pivots, sign = _pivots(matrix)
    for pivot in pivots:
        sign = sign * pivot
    return sign


def sign_and_logarithm(matrix: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """`aten.linalg_slogdet`: the determinant's sign, and the logarithm of its absolute value."""
    pivots, sign = _pivots(matrix)
    total = torch.zeros_like(sign)
    for pivot in pivots:
        sign = sign * torch.sign(pivot)
        total = total + torch.log(torch.abs(pivot))
    return sign, total


def logarithm(matrix: torch.Tensor) -> torch.Tensor:
    """`aten.logdet`: NaN where the determinant is negative."""
    sign, total = sign_and_logarithm(matrix)
    if matrix.shape[-1] == 0:  # a constant
        return total
    return torch.where(sign < 0, torch.full_like(total, torch.nan), total)


def _pivots(matrix: torch.Tensor) -> tuple[list[torch.Tensor], torch.Tensor]:
    """The largest element of each column in turn, below which the column is then eliminated; and the sign of the
    order of rows."""
    rows = matrix.shape[-1]
    if not isinstance(rows, int) or rows > LARGEST:
        raise CompilerError(
            f"the determinant of a matrix of {rows} rows is not supported",
            hint=f"up to {LARGEST} rows are, if their number is fixed",
        )
    rest, pivots = matrix, []
    sign = torch.ones(matrix.shape[:-2], dtype=matrix.dtype, device=matrix.device)
    for _ in range(rows):
        column = rest[..., :, 0]
        place = torch.argmax(torch.abs(column), -1)
        chosen = torch.arange(rest.shape[-1], device=rest.device) == place[..., None]
        row = torch.sum(torch.where(chosen[..., None], rest, 0.0), -2)
        pivot = row[..., 0]
        pivots.append(pivot)
        sign = torch.where(place == 0, sign, -sign)
        exchanged = torch.where(chosen[..., None], rest[..., :1, :], rest)[..., 1:, :]
        # Where the whole column is zero nothing is eliminated; the determinant is zero whatever follows.
        divisor = torch.where(pivot == 0, 1.0, pivot)[..., None]
        factors = exchanged[..., :, 0] / divisor
        rest = exchanged[..., :, 1:] - factors[..., :, None] * row[..., None, 1:]
    return pivots, sign
