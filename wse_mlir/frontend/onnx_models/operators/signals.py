"""Fourier transforms as products with matrices of cosines and sines; complex numbers are pairs of real ones."""

from __future__ import annotations

import math
from typing import Any

import torch

from ..registry import operator
from ..values import dimension, integer, refuse_unless, untraced

LARGEST = 4096  # the length of a transform whose matrix is still worth it


def _matrices(
    length: int, count: int, inverse: bool, dtype: torch.dtype
) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines [length, count] of a transform; the inverse is divided by its length."""
    with untraced():
        turns = torch.outer(torch.arange(length), torch.arange(count)) % length
        angles = turns.to(torch.float64) * (2.0 * math.pi / length)
        factor = 1.0 / length if inverse else 1.0
        sign = 1.0 if inverse else -1.0
        return (torch.cos(angles) * factor).to(dtype), (torch.sin(angles) * sign * factor).to(dtype)


def transform(
    real: torch.Tensor, imaginary: torch.Tensor | None, length: int, count: int, inverse: bool
) -> tuple[torch.Tensor, torch.Tensor]:
    """The first frequencies of the transform along the last dimension, which is cut or filled with zeros."""
    refuse_unless(length <= LARGEST, f"a Fourier transform of {length} elements")
    cosines, sines = _matrices(length, count, inverse, real.dtype)
    real = _to_length(real, length)
    re, im = torch.matmul(real, cosines), torch.matmul(real, sines)
    if imaginary is None:
        return re, im
    imaginary = _to_length(imaginary, length)
    return re - torch.matmul(imaginary, sines), im + torch.matmul(imaginary, cosines)


def _to_length(x: torch.Tensor, length: int) -> torch.Tensor:
    size = x.shape[-1]
    if size >= length:
        return x.narrow(-1, 0, length) if size > length else x
    return torch.nn.functional.pad(x, [0, length - size])


@operator("DFT")
def fourier(
    x: torch.Tensor,
    dft_length: Any = None,
    axis: Any = None,
    *,
    inverse: int = 0,
    onesided: int = 0,
    opset: int,
) -> torch.Tensor:
    """The discrete Fourier transform along a dimension; the last dimension holds real and imaginary parts."""
    place = axis if axis is not None else (1 if opset < 20 else -2)
    dim = dimension(place, x.dim())
    real = x[..., 0].movedim(dim, -1)
    imaginary = x[..., 1].movedim(dim, -1) if x.shape[-1] == 2 else None
    if inverse and onesided:
        return _real_inverse(real, imaginary, dft_length).movedim(-1, dim)[..., None]
    length = integer(dft_length) if dft_length is not None else real.shape[-1]
    count = length // 2 + 1 if onesided else length
    re, im = transform(real, imaginary, length, count, bool(inverse))
    return torch.stack([re.movedim(-1, dim), im.movedim(-1, dim)], -1)


def _real_inverse(real: torch.Tensor, imaginary: torch.Tensor | None, dft_length: Any) -> torch.Tensor:
    """A real signal from the half of its frequencies that tells all."""
    length = integer(dft_length) if dft_length is not None else 2 * (real.shape[-1] - 1)
    half = length // 2 + 1
    refuse_unless(imaginary is not None, "the inverse of real frequencies")
    assert imaginary is not None
    real, imaginary = _to_length(real, half), _to_length(imaginary, half)
    mirrored = (length - 1) // 2
    real = torch.cat([real, torch.flip(real.narrow(-1, 1, mirrored), [-1])], -1)
    imaginary = torch.cat([imaginary, -torch.flip(imaginary.narrow(-1, 1, mirrored), [-1])], -1)
    return transform(real, imaginary, length, length, True)[0]


@operator("STFT")
def short_time_fourier(
    signal: torch.Tensor,
    frame_step: Any,
    window: torch.Tensor | None = None,
    frame_length: Any = None,
    *,
    onesided: int = 1,
) -> torch.Tensor:
    """Transforms of frames of a signal [batch, length, 1 or 2], each multiplied by a window."""
    step = integer(frame_step)
    refuse_unless(window is not None or frame_length is not None, "frames of unknown length")
    length = integer(frame_length) if frame_length is not None else window.shape[0]  # type: ignore[union-attr]
    frames = signal.unfold(1, length, step)  # [batch, frames, 1 or 2, length]
    frames = frames if window is None else frames * window
    imaginary = frames[:, :, 1] if signal.shape[-1] == 2 else None
    count = length // 2 + 1 if onesided else length
    return torch.stack(transform(frames[:, :, 0], imaginary, length, count, False), -1)
