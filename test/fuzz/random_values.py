"""Tensors of a shape and element type drawn at random, with extreme values planted on request."""

from __future__ import annotations

import math

import torch

FLOATS = (torch.float32, torch.float64, torch.float16, torch.bfloat16)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8)


def draw_tensor(
    shape: tuple[int, ...], dtype: torch.dtype, seed: int, *, extreme: bool = False, strided: bool = False
) -> torch.Tensor:
    """Multiples of 1/4 for floats (exact in every float type), small integers, or bits.

    Args:
        extreme: plants NaN, infinities, signed zeros and subnormals, or the ends of an integer type.
        strided: the last dimension is not the one with stride one.
    """
    generator = torch.Generator().manual_seed(seed)
    if dtype == torch.bool:
        value = torch.randint(0, 2, shape, generator=generator).bool()
    elif dtype.is_floating_point:
        value = (torch.randint(-12, 13, shape, generator=generator) / 4).to(dtype)
    else:
        value = torch.randint(0 if dtype == torch.uint8 else -9, 10, shape, generator=generator).to(dtype)
    if extreme and value.numel():
        flat = value.flatten()
        for number in extremes(dtype):
            place = int(torch.randint(0, flat.numel(), (), generator=generator))
            flat[place] = number
        value = flat.reshape(shape)
    return value.transpose(0, -1).contiguous().transpose(0, -1) if strided and len(shape) > 1 else value


def extremes(dtype: torch.dtype) -> list[float | int | bool]:
    """The values of a type at its edges."""
    if dtype == torch.bool:
        return [False, True]
    if dtype.is_floating_point:
        return [math.nan, math.inf, -math.inf, -0.0, torch.finfo(dtype).smallest_normal / 4]
    info = torch.iinfo(dtype)
    return [info.min, info.max, 0]
