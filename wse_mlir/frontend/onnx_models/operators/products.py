"""Matrix products."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from ..registry import operator
from ..values import integer, is_known, refuse_unless
from .windows import convolution, padded_ahead


@operator("MatMul")
def matmul(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Products of the last two dimensions."""
    refuse_unless(a.dim() > 0 and b.dim() > 0, "a product of numbers")
    return torch.matmul(a, b)


@operator("Gemm")
def gemm(
    a: torch.Tensor,
    b: torch.Tensor,
    c: torch.Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,
    transB: int = 0,
    broadcast: int = 1,
) -> torch.Tensor:
    """`alpha * a @ b + beta * c`."""
    a = a.transpose(0, 1) if transA else a
    if transB and alpha == beta == 1.0 and c is not None and c.dim() == 1 and a.is_floating_point():
        return F.linear(a, b, c if c.shape[0] == b.shape[0] else c.expand([b.shape[0]]))
    product = torch.matmul(a, b.transpose(0, 1) if transB else b)
    product = product if alpha == 1.0 else (product * alpha).to(a.dtype)
    if c is None or beta == 0.0:
        return product
    return product + (c if beta == 1.0 else (c * beta).to(c.dtype))


@operator("Einsum")
def einsum(*tensors: torch.Tensor, equation: str) -> torch.Tensor:
    """As PyTorch's, which knows the same language."""
    return torch.einsum(equation.replace(" ", ""), *tensors)


@operator("MatMulInteger")
def integer_matmul(
    a: torch.Tensor, b: torch.Tensor, a_zero: torch.Tensor | None = None, b_zero: torch.Tensor | None = None
) -> torch.Tensor:
    """Products of bytes less their zero points, summed in 32 bits."""
    return torch.matmul(centred(a, a_zero, -2), centred(b, b_zero, -1))


@operator("ConvInteger")
def integer_convolution(
    x: torch.Tensor,
    weight: torch.Tensor,
    x_zero: torch.Tensor | None = None,
    weight_zero: torch.Tensor | None = None,
    **attributes: Any,
) -> torch.Tensor:
    """A convolution of bytes less their zero points, summed in 32 bits."""
    return convolution_of_bytes(x, weight, x_zero, weight_zero, None, attributes)


def convolution_of_bytes(
    x: torch.Tensor,
    weight: torch.Tensor,
    x_zero: torch.Tensor | None,
    weight_zero: torch.Tensor | None,
    bias: torch.Tensor | None,
    attributes: dict[str, Any],
) -> torch.Tensor:
    """The same with a bias; zero points are padded with, so that bytes are widened where they are multiplied."""
    zero = 0 if x_zero is None else integer(x_zero) if is_known(x_zero) else None
    if zero is not None:
        x, attributes = padded_ahead(x, weight, zero, attributes)
    return convolution(centred(x, x_zero, 0), centred(weight, weight_zero, 0), bias, **attributes)


def centred(x: torch.Tensor, zero: torch.Tensor | None, dim: int) -> torch.Tensor:
    """32-bit integers less a zero point, which may be one for each row, column or channel along `dim`."""
    wide = x.to(torch.int32)
    if zero is None:
        return wide
    zero = zero.to(torch.int32)
    if zero.dim() == 1 and zero.numel() > 1:
        zero = zero.reshape([-1] + [1] * (x.dim() - 1 - dim % x.dim()))
    return wide - (zero.reshape([]) if zero.numel() == 1 else zero)
