"""Convolutions whose windows have bent grids."""

from __future__ import annotations

import math

import torch

from ..registry import operator
from ..values import refuse_unless
from .images import linear_taps, pixels


@operator("DeformConv")
def deformable_convolution(
    x: torch.Tensor,
    weight: torch.Tensor,
    offset: torch.Tensor,
    bias: torch.Tensor | None = None,
    mask: torch.Tensor | None = None,
    *,
    dilations: list[int] | None = None,
    group: int = 1,
    kernel_shape: list[int] | None = None,
    offset_group: int = 1,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> torch.Tensor:
    """A product of the weights with elements between pixels, zero outside of the image."""
    refuse_unless(x.dim() == 4, "images of other than two dimensions")
    n, channels, *_ = x.shape
    kernel, sizes = list(weight.shape[2:]), list(offset.shape[2:])
    strides, dilations, pads = strides or [1, 1], dilations or [1, 1], pads or [0] * 4
    count = math.prod(kernel)
    moved = offset.reshape([n * offset_group, count, 2, *sizes])
    positions = []
    for dim in range(2):
        inner = torch.arange(kernel[dim]) * dilations[dim] - pads[dim]
        outer = torch.arange(sizes[dim]) * strides[dim]
        window = inner.repeat_interleave(kernel[1]) if dim == 0 else inner.repeat(kernel[0])
        start = outer.reshape([-1, 1] if dim == 0 else [1, -1])
        positions.append(window.reshape([-1, 1, 1]) + start + moved[:, :, dim])
    images = x.reshape([n * offset_group, channels // offset_group, *x.shape[2:]])
    taken = torch.zeros([], dtype=x.dtype)
    for row, row_weight in linear_taps(positions[0]):
        for column, column_weight in linear_taps(positions[1]):
            taken = taken + pixels(images, [row, column], zeros=True) * (
                row_weight * column_weight
            ).unsqueeze(1)
    if mask is not None:
        taken = taken * mask.reshape([n * offset_group, 1, count, *sizes])
    columns = taken.reshape([n, group, channels // group * count, math.prod(sizes)])
    product = torch.matmul(weight.reshape([group, weight.shape[0] // group, -1]), columns)
    result = product.reshape([n, weight.shape[0], *sizes])
    return result if bias is None else result + bias.reshape([-1, 1, 1])
