"""Elements between pixels, by the definitions of PyTorch's CPU kernels: each tap is its own product.

PyTorch's decompositions blend by a + (b - a) w, which loses what is beside an infinity, and multiply taps outside of an
image by zero, which hands the NaN of some pixel on.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import torch

aten = torch.ops.aten

_BILINEAR, _NEAREST, _BICUBIC = range(3)
_ZEROS, _BORDER, _REFLECTION = range(3)
_CUBIC = -0.75  # the coefficient of PyTorch's cubic convolutions

Tap = tuple[torch.Tensor, torch.Tensor]  # positions, weights


def resampling_decompositions() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table."""
    return {
        aten.grid_sampler_2d.default: grid_sample,
        aten.grid_sampler_3d.default: grid_sample,
        aten.upsample_linear1d.default: _of_scales,
        aten.upsample_bilinear2d.default: _of_scales,
        aten.upsample_trilinear3d.default: _of_scales,
        aten.upsample_linear1d.vec: interpolate_linearly,
        aten.upsample_bilinear2d.vec: interpolate_linearly,
        aten.upsample_trilinear3d.vec: interpolate_linearly,
    }


def interpolate_linearly(
    x: torch.Tensor,
    output_size: Sequence[int] | None,
    align_corners: bool,
    scale_factors: Sequence[float | None] | None = None,
) -> Any:
    """`aten.upsample_linear1d`, `upsample_bilinear2d` and `upsample_trilinear3d`, by sizes or by factors."""
    if not x.is_floating_point():
        return NotImplemented
    sizes = x.shape[2:]
    factors = scale_factors or [None] * len(sizes)
    outputs = output_size or [int(s * f) for s, f in zip(sizes, factors, strict=True)]  # type: ignore[operator]
    wide = torch.promote_types(x.dtype, torch.float32)
    taps = [
        _along(
            _between(like=x, size=s, output=o, factor=f, align_corners=align_corners, dtype=wide),
            d,
            len(sizes),
        )
        for d, (s, o, f) in enumerate(zip(sizes, outputs, factors, strict=True))
    ]

    def blend(chosen: list[torch.Tensor]) -> torch.Tensor:
        if len(chosen) == len(taps):
            return aten.index.Tensor(x, [None, None, *chosen]).to(wide)
        (first, of_first), (second, of_second) = taps[len(chosen)]
        return blend([*chosen, first]) * of_first + blend([*chosen, second]) * of_second

    return blend([]).to(x.dtype)


def _of_scales(
    x: torch.Tensor, output_size: Sequence[int], align_corners: bool, *scales: float | None
) -> Any:
    """The same operators, told a scale for each dimension beside the size."""
    return interpolate_linearly(x, output_size, align_corners, scales)


def _between(
    *,
    like: torch.Tensor,
    size: int,
    output: int,
    factor: float | None,
    align_corners: bool,
    dtype: torch.dtype,
) -> tuple[Tap, Tap]:
    """The two positions that each output lies between, and their weights."""
    index = torch.arange(output, device=like.device)
    if size == output:
        ones = torch.ones([output], dtype=dtype, device=like.device)
        return (index, ones), (index, ones * 0)
    place = index.to(dtype)
    if align_corners:
        place = place * ((size - 1) / (output - 1) if output > 1 else 0.0)
    else:
        ratio = 1 / factor if factor is not None and factor > 0 else size / output
        place = torch.clamp((place + 0.5) * ratio - 0.5, min=0.0)
    first = torch.clamp(place.to(torch.int64), max=size - 1)
    second = torch.clamp(first + 1, max=size - 1)
    weight = torch.clamp(place - first, 0.0, 1.0)
    return (first, 1 - weight), (second, weight)


def _along(taps: tuple[Tap, Tap], d: int, dims: int) -> tuple[Tap, Tap]:
    """Taps of dimension `d` of the last `dims` in a shape that broadcasts over the others."""
    shape = [-1] + [1] * (dims - 1 - d)
    first, second = (tuple(part.reshape(shape) for part in tap) for tap in taps)
    return first, second  # type: ignore[return-value]


def grid_sample(
    x: torch.Tensor, grid: torch.Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> torch.Tensor:
    """`aten.grid_sampler_2d` and `aten.grid_sampler_3d`: pixels at positions from -1 to 1, the last dimension first."""
    sizes = x.shape[2:]
    dims = len(sizes)
    places = [_unnormalised(grid[..., dims - 1 - d], size, align_corners) for d, size in enumerate(sizes)]

    def kept_inside(places: Sequence[torch.Tensor]) -> list[torch.Tensor]:
        return [
            _kept_inside(p, s, padding_mode, align_corners, last=dims == 3)
            for p, s in zip(places, sizes, strict=True)
        ]

    if interpolation_mode == _BICUBIC:
        taps = [_cubic_taps(p) for p in places]
    elif interpolation_mode == _NEAREST:
        taps = [[(torch.round(p), None)] for p in kept_inside(places)]
    else:
        taps = [_linear_taps(p) for p in kept_inside(places)]
    result: Any = None
    for combination in itertools.product(*taps):
        corner = [place for place, _ in combination]
        corner = kept_inside(corner) if interpolation_mode == _BICUBIC else corner
        pixels, inside = _pixels(x, corner)
        weights = [w.unsqueeze(1) for _, w in combination if w is not None]
        # The kernel of two dimensions weighs a zero, that of three skips what is outside.
        tap = pixels if dims == 3 else torch.where(inside, pixels, 0.0)
        for weight in weights:
            tap = tap * weight
        tap = torch.where(inside, tap, 0.0) if dims == 3 else tap
        result = tap if result is None else result + tap
    return result


def _unnormalised(unit: torch.Tensor, size: int, align_corners: bool) -> torch.Tensor:
    return (unit + 1) * ((size - 1) / 2) if align_corners else (unit + 1) * (size / 2) - 0.5


def _kept_inside(
    place: torch.Tensor, size: int, padding_mode: int, align_corners: bool, *, last: bool
) -> torch.Tensor:
    """Positions after padding; those that are none go to the first pixel, and in three dimensions to the last."""
    if padding_mode == _ZEROS:
        return place
    if padding_mode == _REFLECTION:
        low, span = (0.0, size - 1) if align_corners else (-0.5, size)
        if span == 0:
            return torch.zeros_like(place)
        away = torch.abs(place - low)
        extra = away - torch.trunc(away / (2 * span)) * (2 * span)
        place = torch.minimum(extra, 2 * span - extra) + low
    place = torch.where(torch.isnan(place), size - 1.0 if last else 0.0, place)
    return torch.clamp(place, 0.0, size - 1.0)


def _linear_taps(place: torch.Tensor) -> list[Tap]:
    below = torch.floor(place)
    weight = place - below
    return [(below, 1 - weight), (below + 1, weight)]


def _cubic_taps(place: torch.Tensor) -> list[Tap]:
    """Four positions, and the weights of a cubic convolution."""
    below = torch.floor(place)
    t = place - below

    def near(d: torch.Tensor) -> torch.Tensor:
        return ((_CUBIC + 2) * d - (_CUBIC + 3)) * d * d + 1

    def far(d: torch.Tensor) -> torch.Tensor:
        return ((_CUBIC * d - 5 * _CUBIC) * d + 8 * _CUBIC) * d - 4 * _CUBIC

    return [(below - 1, far(t + 1)), (below, near(t)), (below + 1, near(1 - t)), (below + 2, far(2 - t))]


def _pixels(x: torch.Tensor, corner: Sequence[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Pixels at whole positions of every image and channel, and which positions are inside; others give any pixel."""
    inside: Any = None
    for place, size in zip(corner, x.shape[2:], strict=True):
        fits = (place >= 0) & (place <= size - 1)
        inside = fits if inside is None else inside & fits
    inside = inside.unsqueeze(1)
    index = [torch.where(inside, place.unsqueeze(1), 0.0).to(torch.int64) for place in corner]
    ones = [1] * len(corner)
    batch = torch.arange(x.shape[0], device=x.device).reshape([-1, 1, *ones])
    channel = torch.arange(x.shape[1], device=x.device).reshape([-1, *ones])
    return aten.index.Tensor(x, [batch, channel, *index]), inside
