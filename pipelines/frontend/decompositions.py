"""The decomposition table: torch-mlir's own, with a few entries replaced where its result is costly.

* Variance: torch-mlir accumulates it in f64, which a wafer does not have and a CPU pays for. Here it is the
  two-pass formula in f32 (f64 for f64 tensors), which is what PyTorch's own kernels accumulate in.
* Softmax: torch-mlir takes the maximum together with its position, in i64, which nobody reads.
* Attention without a mask: PyTorch's decomposition guards against rows that are masked out completely, which
  cannot happen without a mask; the guard costs two passes over the scores.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch_mlir.extras.fx_decomp_util import get_decomposition_table

aten = torch.ops.aten


@functools.cache
def decomposition_table() -> dict[Any, Callable[..., Any]]:
    """What `ExportedProgram.run_decompositions` takes; shared, not to be changed."""
    table = dict(get_decomposition_table())
    table[aten.var.correction] = variance
    table[aten.var_mean.correction] = variance_and_mean
    table[aten._softmax.default] = softmax
    table[aten._log_softmax.default] = log_softmax
    table[aten.scaled_dot_product_attention.default] = attention
    return table


def variance_and_mean(
    x: torch.Tensor,
    dim: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`aten.var_mean.correction` in two passes, in f32 for f32 and narrower."""
    dims = list(range(x.dim())) if not dim else [d % max(x.dim(), 1) for d in dim]
    wide = _widened(x)
    mean = torch.mean(wide, dims, keepdim=True)
    centred = wide - mean
    count = math.prod(x.shape[d] for d in dims)
    divisor = count - (1 if correction is None else correction)
    divisor = max(divisor, 0) if isinstance(divisor, (int, float)) else divisor
    variance = torch.sum(centred * centred, dims, keepdim=True) / divisor
    if not keepdim:
        kept = [x.shape[d] for d in range(x.dim()) if d not in dims]
        mean, variance = mean.reshape(kept), variance.reshape(kept)
    return variance.to(x.dtype), mean.to(x.dtype)


def variance(
    x: torch.Tensor,
    dim: Sequence[int] | None = None,
    *,
    correction: float | None = None,
    keepdim: bool = False,
) -> torch.Tensor:
    """`aten.var.correction`; see `variance_and_mean`."""
    return variance_and_mean(x, dim, correction=correction, keepdim=keepdim)[0]


def softmax(x: torch.Tensor, dim: int, half_to_float: bool) -> torch.Tensor:
    """`aten._softmax`: exp(x - max) / sum; narrow floats are computed in f32, as PyTorch does."""
    wide = _widened(x)
    shifted = torch.exp(wide - torch.amax(wide, dim, keepdim=True)) if x.numel() else torch.exp(wide)
    result = shifted / torch.sum(shifted, dim, keepdim=True)
    return result if half_to_float else result.to(x.dtype)


def log_softmax(x: torch.Tensor, dim: int, half_to_float: bool) -> torch.Tensor:
    """`aten._log_softmax`: (x - max) - log(sum(exp(x - max))); see `softmax`."""
    wide = _widened(x)
    shifted = wide - torch.amax(wide, dim, keepdim=True) if x.numel() else wide
    result = shifted - torch.log(torch.sum(torch.exp(shifted), dim, keepdim=True))
    return result if half_to_float else result.to(x.dtype)


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: torch.Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> torch.Tensor:
    """`aten.scaled_dot_product_attention` as matmul, softmax, matmul; PyTorch's own form where a mask is given."""
    if attn_mask is not None or dropout_p != 0.0 or enable_gqa:
        return aten._scaled_dot_product_attention_math.default(
            query, key, value, attn_mask, dropout_p, is_causal, None, scale=scale, enable_gqa=enable_gqa
        )[0]
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = torch.matmul(query * factor, key.transpose(-2, -1))
    if is_causal:
        rows = torch.arange(query.shape[-2], device=query.device)[:, None]
        columns = torch.arange(key.shape[-2], device=query.device)[None, :]
        scores = torch.where(columns <= rows, scores, -math.inf)
    return torch.matmul(torch.softmax(scores, -1), value)


def _widened(x: torch.Tensor) -> torch.Tensor:
    return x.to(torch.float32) if x.dtype in (torch.float16, torch.bfloat16) else x
