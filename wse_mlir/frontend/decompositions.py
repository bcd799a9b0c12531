"""The decomposition table: torch-mlir's own, with what it does not know, or knows wrongly or at a cost, replaced.

* Variance: torch-mlir accumulates it in f64, which a wafer does not have and a CPU pays for. Here it is the
  two-pass formula in f32 (f64 for f64 tensors), of scaled numbers where squares would overflow (`norms.py`).
* Normalisations by channels, determinants, by elimination with pivots, and elements between pixels are in files of
  their own.
* Softmax: narrow floats are widened as in PyTorch's kernels.
* Attention: PyTorch's decomposition guards against rows that are masked out completely with two passes over the
  scores; here the guard works on a row's maximum and sum, and only where there is a mask.
* Elementwise operators that `elementwise` lowers are in no table.
* What backward graphs need is in files of their own: convolutions, pooling, indexing, gradients, foreach.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch_mlir.extras.fx_decomp_util import get_decomposition_table

from .added_products import product_decompositions
from .assertions import assertion_decompositions
from .channel_norms import channel_norm_decompositions
from .combining import combining_decompositions, means_apart
from .computed_types import widen
from .convolutions import convolution_backward, transposed_convolution
from .copied_views import copied_views
from .determinants import determinant_decompositions
from .elementwise import TABLE
from .foreach import foreach_decompositions
from .gradients import gradient_decompositions
from .indexing import indexing_decompositions
from .margin_losses import margin_loss_decompositions
from .narrow_floats import widened
from .narrow_integers import widen_narrow_integers
from .norms import norm_decompositions
from .order_statistics import order_decompositions
from .pooling import pooling_decompositions
from .pytorch_decompositions import pytorch_decompositions
from .resampling import resampling_decompositions

aten = torch.ops.aten


@functools.cache
def decomposition_table() -> dict[Any, Callable[..., Any]]:
    """What `ExportedProgram.run_decompositions` takes; shared, not to be changed."""
    table = pytorch_decompositions() | dict(get_decomposition_table())
    table[aten._softmax.default] = softmax
    table[aten._log_softmax.default] = log_softmax
    table[aten._softmax_backward_data.default] = softmax_backward
    table[aten._safe_softmax.default] = safe_softmax
    table[aten.sort.stable] = stable_sort
    table[aten.scaled_dot_product_attention.default] = attention
    pad = aten.constant_pad_nd.default
    table[pad] = _negative_padding(table.get(pad))
    table[aten.arange.start_step] = arange
    table[aten.convolution.default] = transposed_convolution
    table[aten.convolution_backward.default] = convolution_backward
    table |= (
        foreach_decompositions()
        | pooling_decompositions()
        | indexing_decompositions()
        | determinant_decompositions()
        | gradient_decompositions()
        | norm_decompositions()
        | product_decompositions()
        | copied_views()
        | assertion_decompositions()
        | order_decompositions()
        | combining_decompositions()
        | channel_norm_decompositions()
        | resampling_decompositions()
        | margin_loss_decompositions()
    )
    widen_narrow_integers(table)
    widen(table)
    table[aten.scatter_reduce.two] = means_apart(table[aten.scatter_reduce.two])
    return {
        operator: body
        for operator, body in table.items()
        if str(operator).removesuffix(".default") not in TABLE
    }


def softmax(x: torch.Tensor, dim: int, half_to_float: bool) -> torch.Tensor:
    """`aten._softmax`: exp(x - max) / sum; narrow floats are computed in f32, as PyTorch does."""
    wide = widened(x)
    shifted = torch.exp(wide - torch.amax(wide, dim, keepdim=True)) if x.numel() else torch.exp(wide)
    result = shifted / torch.sum(shifted, dim, keepdim=True)
    return result if half_to_float else result.to(x.dtype)


def softmax_backward(
    gradient: torch.Tensor, output: torch.Tensor, dim: int, input_dtype: torch.dtype
) -> torch.Tensor:
    """`aten._softmax_backward_data`: (gradient - sum(gradient * output)) * output, in this order."""
    wide, weights = widened(gradient), widened(output)
    along = torch.sum(wide * weights, dim, keepdim=True)
    return ((wide - along) * weights).to(input_dtype)


def log_softmax(x: torch.Tensor, dim: int, half_to_float: bool) -> torch.Tensor:
    """`aten._log_softmax`: (x - max) - log(sum(exp(x - max))); see `softmax`."""
    wide = widened(x)
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
    """`aten.scaled_dot_product_attention` as matmul, softmax, matmul; a row that is masked out is zero.

    Scores of narrow floats are f32, as in PyTorch's kernels: rounded ones overflow, and softmax multiplies their error.
    """
    if enable_gqa:
        key, value = _repeat_heads(key, query), _repeat_heads(value, query)
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = (
        torch.matmul(widened(query), widened(key).transpose(-2, -1)) * factor
    )  # in the order of PyTorch's
    if is_causal:
        rows = torch.arange(query.shape[-2], device=query.device)[:, None]
        columns = torch.arange(key.shape[-2], device=query.device)[None, :]
        scores = torch.where(columns <= rows, scores, -math.inf)
    if attn_mask is None:
        weights = torch.softmax(scores, -1)
    else:
        is_bool = attn_mask.dtype == torch.bool
        masked = torch.where(attn_mask, scores, -math.inf) if is_bool else scores + attn_mask
        weights = safe_softmax(masked, -1)
    if dropout_p > 0.0:
        weights = torch.dropout(weights, dropout_p, True)
    return torch.matmul(weights.to(value.dtype), value)


def stable_sort(
    x: torch.Tensor, *, stable: bool | None, dim: int = -1, descending: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """`aten.sort.stable`: every sort of this compiler is stable (see wse-lower-tm-tensor)."""
    return aten.sort.default(x, dim, descending)


def arange(start: float, end: float, step: float = 1, **options: Any) -> Any:
    """`aten.arange` of 8-bit integers, on which torch-mlir ends the process; counted in 64 bits."""
    dtype = options.pop("dtype", None)
    if dtype not in (torch.int8, torch.uint8):
        return NotImplemented
    return aten.arange.start_step(start, end, step, dtype=torch.int64, **options).to(dtype)


def _negative_padding(otherwise: Callable[..., Any] | None) -> Callable[..., Any]:
    """`aten.constant_pad_nd` that cuts: a `tensor.pad` cannot, so the tensor is padded first and sliced then."""

    def decomposed(x: torch.Tensor, pad: Sequence[int], value: float = 0) -> Any:
        if all(not isinstance(p, int) or p >= 0 for p in pad):
            return otherwise(x, pad, value) if otherwise is not None else NotImplemented
        x = aten.constant_pad_nd.default(x, [max(p, 0) for p in pad], value)
        for position in range(len(pad) // 2):
            before, after = (max(-p, 0) for p in pad[2 * position : 2 * position + 2])
            dim = x.dim() - 1 - position
            x = x.narrow(dim, before, x.shape[dim] - before - after)
        return x

    return decomposed


def safe_softmax(x: torch.Tensor, dim: int, dtype: torch.dtype | None = None) -> torch.Tensor:
    """`aten._safe_softmax`: softmax in which a line of -inf gives zeros and not NaN."""
    wide = widened(x)
    # The greatest score of a masked line becomes finite, so that exp(-inf - it) is 0; any other line has a sum of
    # at least exp(0) = 1.
    if x.numel():
        wide = wide - torch.clamp(torch.amax(wide, dim, keepdim=True), min=torch.finfo(wide.dtype).min)
    shifted = torch.exp(wide)
    total = torch.clamp(torch.sum(shifted, dim, keepdim=True), min=0.5)
    return (shifted / total).to(dtype or x.dtype)


def _repeat_heads(x: torch.Tensor, query: torch.Tensor) -> torch.Tensor:
    """Repeats each head of a key or value as often as grouped queries share it."""
    repeats = query.shape[-3] // x.shape[-3]
    shape = [*x.shape[:-3], x.shape[-3], repeats, *x.shape[-2:]]
    return x.unsqueeze(-3).expand(shape).reshape([*x.shape[:-3], query.shape[-3], *x.shape[-2:]])
