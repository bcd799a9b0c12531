"""Norms, moments and running sums of exponentials, where they neither overflow nor lose what PyTorch's kernels keep."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch

from .narrow_floats import widened

aten = torch.ops.aten

# Squares of numbers between these neither overflow nor vanish when a few thousand of them are added up.
_SMALL, _GREAT = 1e-15, 1e15


def norm_decompositions() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table."""
    return {
        aten.linalg_vector_norm.default: vector_norm,
        aten.norm.Scalar: lambda x, p=2: vector_norm(x, p),
        aten.norm.ScalarOpt_dim: lambda x, p, dim, keepdim=False: vector_norm(
            x, 2 if p is None else p, dim, keepdim
        ),
        aten.norm.ScalarOpt_dim_dtype: lambda x, p, dim, keepdim, *, dtype: vector_norm(
            x.to(dtype), 2 if p is None else p, dim, keepdim
        ),
        aten.norm.ScalarOpt_dtype: lambda x, p, *, dtype: vector_norm(x.to(dtype), 2 if p is None else p),
        aten.dist.default: lambda x, other, p=2: vector_norm(x - other, p),
        aten.rms_norm.default: rms_norm,
        aten.logcumsumexp.default: logcumsumexp,
        aten.var_mean.correction: variance_and_mean,
        aten.var.correction: lambda *args, **kwargs: variance_and_mean(*args, **kwargs)[0],
        aten.std_mean.correction: deviation_and_mean,
        aten.std.correction: lambda *args, **kwargs: deviation_and_mean(*args, **kwargs)[0],
    }


def vector_norm(
    x: torch.Tensor, ord: float = 2, dim: Sequence[int] | None = None, keepdim: bool = False
) -> torch.Tensor:
    """`aten.linalg_vector_norm` of f32 and f64."""
    dims = list(range(x.dim())) if not dim else list(dim)
    if ord == math.inf:
        return torch.amax(torch.abs(x), dims, keepdim)
    if ord == -math.inf:
        return torch.amin(torch.abs(x), dims, keepdim)
    if ord == 0:
        return torch.sum((x != 0).to(x.dtype), dims, keepdim)
    # A number may be asked for a dimension. It has none, and PyTorch takes its power and root.
    sizes = [x.shape[d] for d in dims] if x.dim() else [0] * len(dims)
    alone = all(isinstance(size, int) and size == 1 for size in sizes)
    if ord == 1 or alone:  # the square of a number that has no company may underflow
        return torch.sum(torch.abs(x), dims, keepdim)
    if ord == 2:
        return torch.sqrt(torch.sum(x * x, dims, keepdim))
    return torch.pow(torch.sum(torch.pow(torch.abs(x), ord), dims, keepdim), 1.0 / ord)


def rms_norm(
    x: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: torch.Tensor | None = None,
    eps: float | None = None,
) -> torch.Tensor:
    """`aten.rms_norm`: elements over the root of their mean square, rounded once."""
    wide = widened(x)
    dims = list(range(x.dim() - len(normalized_shape), x.dim()))
    mean = torch.mean(wide * wide, dims, keepdim=True)
    result = wide * torch.rsqrt(mean + (torch.finfo(wide.dtype).eps if eps is None else eps))
    if weight is not None:
        result = result * widened(weight)
    return result.to(x.dtype if weight is None else torch.promote_types(x.dtype, weight.dtype))


def logcumsumexp(x: torch.Tensor, dim: int) -> torch.Tensor:
    """`aten.logcumsumexp`: each step doubles how many elements before it an element has taken in."""
    if x.dim() == 0:
        return x.clone()
    dim, size, seen = dim % x.dim(), x.shape[dim], 1
    x = torch.where(
        x == 0, torch.zeros_like(x), x
    )  # eager adds each number to the logarithm of nothing, and log1p(0)
    while seen < size:
        before, here = x.narrow(dim, 0, size - seen), x.narrow(dim, seen, size - seen)
        x = torch.cat([x.narrow(dim, 0, seen), _log_of_sum(before, here)], dim)
        seen *= 2
    return x


def _log_of_sum(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """log(exp(a) + exp(b)) without an exponential that is greater than one."""
    unordered = torch.isnan(a) | torch.isnan(b)
    greater, less = torch.where(a > b, a, b), torch.where(a > b, b, a)
    total = greater + torch.log1p(torch.exp(less - greater))
    return torch.where(unordered, a + b, torch.where(torch.isinf(greater), greater, total))


def variance_and_mean(
    x: torch.Tensor,
    dim: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`aten.var_mean.correction` in two passes, in f32 for f32 and narrower."""
    if (
        keepdim and correction == 0
    ):  # as normalisations ask for it, whose kernels add up squares in f32 as well
        return _moments(x, dim, correction, keepdim)
    scaled, scale = _scaled(x, dim)
    variance, mean = _moments(scaled, dim, correction, True)
    return _rounded(x, dim, keepdim, variance * scale * scale, mean * scale)


def deviation_and_mean(
    x: torch.Tensor,
    dim: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`aten.std_mean.correction`; the deviation is finite where the variance overflows."""
    scaled, scale = _scaled(x, dim)
    variance, mean = _moments(scaled, dim, correction, True)
    return _rounded(x, dim, keepdim, torch.sqrt(variance) * scale, mean * scale)


def _moments(
    x: torch.Tensor, dim: Sequence[int] | None, correction: float | None, keepdim: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """(variance, mean) of elements whose squares can be added up."""
    dims = _dims(x, dim)
    wide = widened(x)
    mean = torch.mean(wide, dims, keepdim=True)
    centred = wide - mean
    count = math.prod(x.shape[d] for d in dims) if x.dim() else 1
    divisor = count - (1 if correction is None else correction)
    divisor = max(divisor, 0) if isinstance(divisor, (int, float)) else divisor
    variance = torch.sum(centred * centred, dims, keepdim=True) / divisor
    return _rounded(x, dim, keepdim, variance, mean)


def _scaled(x: torch.Tensor, dim: Sequence[int] | None) -> tuple[torch.Tensor, torch.Tensor]:
    """Elements over a number a line, which is one where their squares are well inside of the range of f32."""
    wide = widened(x)
    if x.numel() == 0 or x.dtype not in (torch.float32, torch.bfloat16):
        return wide, torch.ones([], dtype=wide.dtype, device=x.device)
    greatest = torch.amax(torch.abs(wide), _dims(x, dim), keepdim=True)
    is_extreme = (greatest > _GREAT) | ((greatest < _SMALL) & (greatest > 0))
    scale = torch.where(is_extreme & (greatest < math.inf), greatest, 1.0)
    return wide / scale, scale


def _rounded(
    x: torch.Tensor, dim: Sequence[int] | None, keepdim: bool, *lines: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Results of `x` along `dim`, of which the dimensions are kept until here."""
    kept = [x.shape[d] for d in range(x.dim()) if keepdim or d not in _dims(x, dim)]
    shaped = [line if keepdim else line.reshape(kept) for line in lines]
    return shaped[0].to(x.dtype), shaped[1].to(x.dtype)


def _dims(x: torch.Tensor, dim: Sequence[int] | None) -> list[int]:
    return list(range(x.dim())) if not dim else [d % max(x.dim(), 1) for d in dim]
