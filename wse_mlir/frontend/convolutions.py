"""Gradients of convolutions and transposed convolutions of several groups, as plain convolutions.

torch-mlir lowers `aten.convolution_backward` itself for one group only: with several the gradient of the weight is
silently wrong where the convolution has strides, and transposed convolutions are refused. Of those with several
groups it refuses the ones of one channel a group.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

aten = torch.ops.aten


def convolution_backward(
    gradient: torch.Tensor,
    x: torch.Tensor,
    weight: torch.Tensor,
    bias_sizes: Sequence[int] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    output_mask: Sequence[bool],
) -> Any:
    """`aten.convolution_backward`: gradients of input, weight and bias, None where `output_mask` is False.

    The gradient of the input is the transposed convolution of `gradient` (the plain one, of a transposed
    convolution). That of the weight is the convolution of the input with `gradient` as the kernel, batch and
    channels exchanged, in which stride and dilation have exchanged their places.
    """
    dims = x.dim() - 2
    stride, padding, dilation = (_each(sizes, dims) for sizes in (stride, padding, dilation))
    of_x = of_weight = of_bias = None
    if output_mask[0] and transposed:
        of_x = aten.convolution(gradient, weight, None, stride, padding, dilation, False, [0] * dims, groups)
    elif output_mask[0]:
        # What the strides of the convolution left over at the end of each dimension.
        left = [
            x.shape[2 + d]
            - (
                (gradient.shape[2 + d] - 1) * stride[d]
                - 2 * padding[d]
                + dilation[d] * (weight.shape[2 + d] - 1)
                + 1
            )
            for d in range(dims)
        ]
        of_x = aten.convolution(gradient, weight, None, stride, padding, dilation, True, left, groups)
    if output_mask[1]:
        # A transposed convolution is the adjoint of the plain one from its output to its input.
        source, kernel = (gradient, x) if transposed else (x, gradient)
        of_weight = _weight_gradient(source, kernel, weight.shape[2:], stride, padding, dilation, groups)
    if output_mask[2]:
        of_bias = torch.sum(gradient, [0, *range(2, 2 + dims)])
    return of_x, of_weight, of_bias


def transposed_convolution(
    x: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Any:
    """`aten.convolution` that is transposed and has groups: zeros between the elements, kernels turned round."""
    if not transposed or groups == 1:
        return NotImplemented
    dims = x.dim() - 2
    spatial = range(2, 2 + dims)
    stride, padding, dilation = (_each(sizes, dims) for sizes in (stride, padding, dilation))
    border: list[int] = []
    for d in reversed(range(dims)):
        around = dilation[d] * (weight.shape[2 + d] - 1) - padding[d]
        border += [around, around + _each(output_padding, dims)[d]]
        x = _spaced(x, 2 + d, stride[d])
    per_group = [weight.shape[0] // groups, weight.shape[1]]
    kernel = weight.flip(*spatial).reshape(groups, *per_group, *weight.shape[2:]).transpose(1, 2)
    kernel = kernel.reshape(groups * per_group[1], per_group[0], *weight.shape[2:])
    x = aten.constant_pad_nd.default(x, border, 0.0)
    return aten.convolution(x, kernel, bias, [1] * dims, [0] * dims, dilation, False, [0] * dims, groups)


def _spaced(x: torch.Tensor, dim: int, stride: int) -> torch.Tensor:
    """Puts `stride - 1` zeros between the elements along a dimension."""
    if stride == 1:
        return x
    behind = [0, 0] * (x.dim() - 1 - dim) + [0, stride - 1]
    spaced = aten.constant_pad_nd.default(x.unsqueeze(dim + 1), behind, 0.0)
    merged = spaced.reshape([*x.shape[:dim], x.shape[dim] * stride, *x.shape[dim + 1 :]])
    return merged.narrow(dim, 0, merged.shape[dim] - stride + 1)


def _weight_gradient(
    x: torch.Tensor,
    gradient: torch.Tensor,
    extents: Sequence[int],
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> torch.Tensor:
    """The gradient of a plain convolution's weight, [channels out, channels in / groups, *extents]."""
    batch, dims = x.shape[0], len(extents)
    per_group = x.shape[1] // groups
    # [N, G * I, ...] -> [I, G * N, ...]: the batch becomes the channels that are summed over, group by group.
    by_group = x.reshape(batch, groups, per_group, *x.shape[2:]).permute(2, 1, 0, *range(3, 3 + dims))
    inputs = by_group.reshape(per_group, groups * batch, *x.shape[2:])
    kernel = gradient.transpose(0, 1)
    result = aten.convolution(inputs, kernel, None, dilation, padding, stride, False, [0] * dims, groups)
    for d, extent in enumerate(extents):  # positions that the convolution's strides never reached
        result = result.narrow(2 + d, 0, extent)
    return result.transpose(0, 1).contiguous()  # as the weight lies in memory


def _each(sizes: Sequence[int], dims: int) -> list[int]:
    return list(sizes) * dims if len(sizes) == 1 else list(sizes)
