"""Which elements of a transposed convolution the zeros around its input meet non-finite weights in."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional

_PARAMETERS = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
_KINDS = {1: functional.conv_transpose1d, 2: functional.conv_transpose2d, 3: functional.conv_transpose3d}


def touched_by_border(args: Sequence[Any], kwargs: dict[str, Any]) -> torch.Tensor:
    """A mask, shaped as the result of `conv_transpose*(*args, **kwargs)`.

    It is the transposed convolution of an input that is zero, with a border of ones as wide as the kernel reaches,
    with ones for the weights that are infinite or NaN. Positions between the input's elements stay zero: nobody
    reads those.
    """
    given = dict(zip(_PARAMETERS, args, strict=False)) | kwargs
    x, weight = given["input"], given["weight"]
    dims = weight.dim() - 2

    def each(name: str, default: int) -> list[int]:
        value = given.get(name, default)
        sizes = [value] if isinstance(value, int) else list(value)
        return sizes * dims if len(sizes) == 1 else sizes

    stride, padding, more = each("stride", 1), each("padding", 0), each("output_padding", 0)
    dilation = each("dilation", 1)
    border = [
        -(-(dilation[d] * (weight.shape[2 + d] - 1) + more[d]) // stride[d]) + 1 for d in range(dims)
    ]  # of elements
    inside = torch.zeros_like(x, dtype=torch.float64)
    framed = functional.pad(inside, [n for n in reversed(border) for _ in range(2)], value=1.0)
    cut = [p + n * s for p, n, s in zip(padding, border, stride, strict=True)]
    bad = (~weight.isfinite()).double()
    return _KINDS[dims](framed, bad, None, stride, cut, more, given.get("groups", 1), dilation) > 0
