"""The one meaning of "matches"."""

from __future__ import annotations

import torch

_NARROW = (torch.float16, torch.bfloat16)


def tolerance(dtype: torch.dtype, *, on_wafer: bool) -> float:
    """The error up to which an output matches: 1e-2 for f16 and bf16, else 1e-4 on a CPU and 1e-3 on a wafer."""
    if dtype in _NARROW:
        return 1e-2
    return 1e-3 if on_wafer else 1e-4


def relative_error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """max|a - b| / max|b| over the finite elements.

    Infinite when shapes differ, or NaN and infinities are not in the same places; for integers and bool it
    is 0 where all are equal, else infinite.
    """
    if actual.shape != expected.shape or actual.dtype != expected.dtype:
        return float("inf")
    if not expected.is_floating_point():
        return 0.0 if torch.equal(actual, expected) else float("inf")
    a, b = actual.detach().double(), expected.detach().double()
    finite = torch.isfinite(b)
    same_places = torch.equal(finite, torch.isfinite(a)) and torch.equal(a.isnan(), b.isnan())
    if not same_places or not torch.equal(a[b.isinf()], b[b.isinf()]):
        return float("inf")
    if not finite.any():
        return 0.0
    largest = float(b[finite].abs().max())
    difference = float((a[finite] - b[finite]).abs().max())
    return difference / largest if largest > 0 else (0.0 if difference == 0 else float("inf"))
