"""Integers that stand for real numbers: `(q - zero_point) * scale`."""

from __future__ import annotations

from typing import Any

import torch

from ...narrow_floats import widened
from ..registry import operator
from ..types import CARRIERS, element_type, torch_type
from ..values import dimension, full_like_constant, refuse_unless
from .products import centred, convolution_of_bytes


def saturated(x: torch.Tensor, dtype: torch.dtype, carrier: torch.dtype | None = None) -> torch.Tensor:
    """Real numbers rounded to even and clamped to an integer type's range."""
    refuse_unless(not dtype.is_floating_point, f"quantisation to {dtype}")
    info = torch.iinfo(dtype)
    clamped = torch.clamp(torch.round(x), info.min, info.max).to(torch.int32)
    return clamped.to(carrier or dtype)


def spread(values: torch.Tensor, x: torch.Tensor, axis: int, block: int) -> torch.Tensor:
    """Scales or zero points, which are one, one for each slice along `axis`, or one for each block of them."""
    if values.numel() == 1:
        return values.reshape([])
    dim = dimension(axis, x.dim())
    if values.dim() == 1 and not block:
        return values.reshape([-1] + [1] * (x.dim() - 1 - dim))
    return values.repeat_interleave(block, dim) if block > 1 else values


@operator("QuantizeLinear")
def quantize(
    x: torch.Tensor,
    scale: torch.Tensor,
    zero: torch.Tensor | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
    precision: int = 0,
    saturate: int = 1,
    types: list[Any],
) -> torch.Tensor:
    """To the zero point's type, else to `output_dtype`, else to uint8."""
    kind = types[2] if zero is not None else element_type(output_dtype) if output_dtype else torch.uint8
    real = widened(x).to(torch.float32) if not x.is_floating_point() else widened(x)
    ratio = torch.round(real / widened(spread(scale, x, axis, block_size)))
    if zero is not None:
        ratio = ratio + spread(zero, x, axis, block_size).to(ratio.dtype)
    return saturated(ratio, kind, torch_type_of(kind))


def torch_type_of(dtype: torch.dtype) -> torch.dtype:
    """The type that elements of a type are computed in."""
    return CARRIERS.get(dtype, dtype)


@operator("DequantizeLinear")
def dequantize(
    x: torch.Tensor,
    scale: torch.Tensor,
    zero: torch.Tensor | None = None,
    *,
    axis: int = 1,
    block_size: int = 0,
    output_dtype: int = 0,
) -> torch.Tensor:
    """To the scale's type, or to `output_dtype`."""
    whole = x.to(torch.int32)
    if zero is not None:
        whole = whole - spread(zero, x, axis, block_size).to(torch.int32)
    result = torch_type(output_dtype) if output_dtype else scale.dtype
    wide = widened(spread(scale, x, axis, block_size))
    return (whole.to(wide.dtype) * wide).to(result)


@operator("DynamicQuantizeLinear")
def quantize_by_range(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """To uint8 with a scale and zero point from the least and greatest element, zero included."""
    none = full_like_constant(0.0, x.dtype)
    greatest, least = torch.maximum(torch.amax(x), none), torch.minimum(torch.amin(x), none)
    span = torch.where(greatest == least, full_like_constant(1.0, x.dtype), greatest - least)
    scale = span / 255.0
    zero = torch.round(torch.clamp(-least / scale, 0.0, 255.0))
    return saturated(torch.round(x / scale) + zero, torch.uint8), scale, saturated(zero, torch.uint8)


@operator("QLinearMatMul")
def quantized_matmul(
    a: torch.Tensor,
    a_scale: torch.Tensor,
    a_zero: torch.Tensor,
    b: torch.Tensor,
    b_scale: torch.Tensor,
    b_zero: torch.Tensor,
    scale: torch.Tensor,
    zero: torch.Tensor,
) -> torch.Tensor:
    """A product of quantised matrices, summed in 32 bits and quantised again."""
    product = torch.matmul(centred(a, a_zero, -2), centred(b, b_zero, -1))
    a_scale, b_scale = _aligned(a_scale, a, -2), _aligned(b_scale, b, -1)
    factor = widened(a_scale) * widened(b_scale) / widened(scale).reshape(_one_or(scale))
    return saturated(product.to(torch.float32) * factor + zero.to(torch.float32), zero.dtype)


def _one_or(scale: torch.Tensor) -> list[int]:
    return [] if scale.numel() == 1 else list(scale.shape)


def _aligned(scale: torch.Tensor, matrix: torch.Tensor, dim: int) -> torch.Tensor:
    if scale.numel() == 1:
        return scale.reshape([])
    return scale.reshape([-1, 1]) if scale.dim() == 1 and dim == -2 else scale


@operator("QLinearConv")
def quantized_convolution(
    x: torch.Tensor,
    x_scale: torch.Tensor,
    x_zero: torch.Tensor,
    weight: torch.Tensor,
    weight_scale: torch.Tensor,
    weight_zero: torch.Tensor,
    scale: torch.Tensor,
    zero: torch.Tensor,
    bias: torch.Tensor | None = None,
    **attributes: Any,
) -> torch.Tensor:
    """A convolution of quantised tensors, summed in 32 bits and quantised again."""
    result = convolution_of_bytes(x, weight, x_zero, weight_zero, bias, attributes)
    factor = x_scale.reshape([]) * weight_scale / scale.reshape([])
    per_channel = factor.reshape([-1] + [1] * (x.dim() - 2)) if factor.numel() > 1 else factor.reshape([])
    return saturated(result.to(torch.float32) * per_channel + zero.to(torch.float32), zero.dtype)
