"""Operators that sample or rebuild images at positions that are computed."""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch

from ..registry import operator
from ..values import MOST_PLACES, full_like_constant, integers, refuse_unless


@operator("GridSample")
def grid_sample(
    x: torch.Tensor,
    grid: torch.Tensor,
    *,
    align_corners: int = 0,
    mode: str = "linear",
    padding_mode: str = "zeros",
) -> torch.Tensor:
    """Elements between pixels, at positions from -1 to 1 in each dimension, of which the last comes first."""
    rank = x.dim() - 2
    sizes = list(x.shape[2:])
    ends = [(0.0, s - 1.0) if align_corners else (-0.5, s - 0.5) for s in sizes]
    positions = []
    for dim, size in enumerate(sizes):
        unit = grid[..., rank - 1 - dim]
        spread = (size - 1) / 2 if align_corners else size / 2
        centre = (size - 1) / 2
        positions.append(unit * spread + centre)
    if mode not in ("cubic", "bicubic"):
        positions = [
            _brought_back(p, e, s, padding_mode) for p, e, s in zip(positions, ends, sizes, strict=True)
        ]
    if mode == "nearest":
        taps = [[(torch.round(p), None)] for p in positions]
    elif mode in ("linear", "bilinear"):
        taps = [linear_taps(p) for p in positions]
    else:
        refuse_unless(mode in ("cubic", "bicubic"), f"the mode '{mode}'")
        taps = [_cubic_taps(p) for p in positions]
    result: torch.Tensor | None = None
    for combination in itertools.product(*taps):
        places = [place for place, _ in combination]
        if mode in ("cubic", "bicubic"):
            places = [
                _brought_back(p, e, s, padding_mode) for p, e, s in zip(places, ends, sizes, strict=True)
            ]
        values = pixels(x, places, zeros=padding_mode == "zeros")
        for _, weight in combination:
            values = values if weight is None else values * weight.unsqueeze(1)
        result = values if result is None else result + values
    assert result is not None
    return result.to(x.dtype)


def linear_taps(p: torch.Tensor) -> list[Any]:
    """The whole positions around each, and their weights."""
    low = torch.floor(p)
    return [(low, 1 - (p - low)), (low + 1, p - low)]


def _cubic_taps(p: torch.Tensor, a: float = -0.75) -> list[Any]:
    low = torch.floor(p)
    taps = []
    for offset in (-1, 0, 1, 2):
        d = torch.abs(p - low - offset)
        inner = ((a + 2) * d - (a + 3)) * d * d + 1
        outer = ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        taps.append((low + offset, inner if offset in (0, 1) else outer))
    return taps


def _brought_back(p: torch.Tensor, ends: tuple[float, float], size: int, mode: str) -> torch.Tensor:
    """Positions outside of an image on its border, or mirrored at its ends."""
    if mode == "reflection":
        low, span = ends[0], ends[1] - ends[0]
        if span == 0:
            return torch.zeros_like(p)
        turned = torch.abs(p - low)
        turns = torch.floor(turned / span)
        inside = turned - turns * span
        p = torch.where(torch.remainder(turns, 2.0) == 0, inside, span - inside) + low
    return p if mode == "zeros" else torch.clamp(p, 0.0, size - 1.0)


def pixels(x: torch.Tensor, places: list[torch.Tensor], zeros: bool) -> torch.Tensor:
    """Elements [batch, channels, ...] at whole positions [batch, ...]; zero outside."""
    n, c, *sizes = x.shape
    linear = torch.zeros_like(places[0], dtype=torch.int64)
    inside: torch.Tensor | None = None
    for place, size in zip(places, sizes, strict=True):
        if zeros:
            here = (place >= 0) & (place <= size - 1)
            inside = here if inside is None else inside & here
        linear = linear * size + torch.clamp(place, 0, size - 1).to(torch.int64)
    flat = x.reshape([n, c, math.prod(sizes)])
    index = linear.reshape([n, 1, -1]).expand([n, c, linear[0].numel()])
    values = torch.gather(flat, 2, index).reshape([n, c, *linear.shape[1:]])
    return values if inside is None else torch.where(inside.unsqueeze(1), values, torch.zeros_like(values))


@operator("Col2Im")
def columns_to_image(
    columns: torch.Tensor,
    image_shape: Any,
    block_shape: Any,
    *,
    dilations: list[int] | None = None,
    pads: list[int] | None = None,
    strides: list[int] | None = None,
) -> torch.Tensor:
    """Blocks [batch, channels * block, blocks] added where they lie in an image."""
    image, block = integers(image_shape), integers(block_shape)
    rank = len(image)
    dilations, strides = dilations or [1] * rank, strides or [1] * rank
    pads = pads or [0] * (2 * rank)
    counts = [
        (image[d] + pads[d] + pads[d + rank] - dilations[d] * (block[d] - 1) - 1) // strides[d] + 1
        for d in range(rank)
    ]
    refuse_unless(0 < math.prod(counts) * math.prod(block) <= MOST_PLACES, f"blocks of {block} in {image}")
    outside = math.prod(image)
    places: list[int] = []
    for inner in itertools.product(*(range(b) for b in block)):
        for start in itertools.product(*(range(c) for c in counts)):
            at = [
                s * strides[d] - pads[d] + i * dilations[d]
                for d, (s, i) in enumerate(zip(start, inner, strict=True))
            ]
            linear = 0
            for position, size in zip(at, image, strict=True):
                linear = linear * size + position
            is_inside = all(0 <= position < size for position, size in zip(at, image, strict=True))
            places.append(linear if is_inside else outside)
    n, channels = columns.shape[0], columns.shape[1] // math.prod(block)
    flat = columns.reshape([n * channels, len(places)])
    index = full_like_constant(places, torch.int64).expand([n * channels, len(places)])
    summed = torch.scatter_add(torch.zeros([n * channels, outside + 1], dtype=columns.dtype), 1, index, flat)
    return summed[:, :outside].reshape([n, channels, *image])


@operator("RoiAlign")
def roi_align(
    x: torch.Tensor,
    rois: torch.Tensor,
    batch_indices: torch.Tensor,
    *,
    coordinate_transformation_mode: str | None = None,
    mode: str = "avg",
    output_height: int = 1,
    output_width: int = 1,
    sampling_ratio: int = 0,
    spatial_scale: float = 1.0,
    opset: int,
) -> torch.Tensor:
    """Samples between the pixels of regions, averaged (or their greatest) in each cell of a grid."""
    refuse_unless(sampling_ratio > 0, "a sampling_ratio that depends on the regions' sizes")
    coordinates = coordinate_transformation_mode or ("half_pixel" if opset >= 16 else "output_half_pixel")
    offset = 0.5 if coordinates == "half_pixel" else 0.0
    left, top, right, bottom = (rois[:, k] * spatial_scale - offset for k in range(4))
    width, height = right - left, bottom - top
    if coordinates != "half_pixel":
        width, height = torch.clamp(width, min=1.0), torch.clamp(height, min=1.0)
    ys = _samples(top, height, output_height, sampling_ratio)
    xs = _samples(left, width, output_width, sampling_ratio)
    terms = _weighted_corners(x, batch_indices.to(torch.int64), ys, xs)
    shape = [rois.shape[0], output_height, sampling_ratio, output_width, sampling_ratio, x.shape[1]]
    if mode == "avg":
        samples = sum(terms[1:], terms[0]).reshape(shape)
        cells = torch.mean(samples, [2, 4])
    else:
        most = torch.stack(terms).amax(0).reshape(shape)
        cells = torch.amax(most, [2, 4])
    return cells.permute(0, 3, 1, 2)


def _samples(start: torch.Tensor, extent: torch.Tensor, cells: int, ratio: int) -> torch.Tensor:
    """Positions [regions, cells * ratio] in the middle of equal parts."""
    middles = (torch.arange(cells * ratio) + 0.5) / ratio
    return start[:, None] + extent[:, None] / cells * middles


def _weighted_corners(
    x: torch.Tensor, batches: torch.Tensor, ys: torch.Tensor, xs: torch.Tensor
) -> list[torch.Tensor]:
    """The four neighbours of each sample times their weights, [regions, rows, columns, channels] each."""
    n, c, height, width = x.shape
    flat = x.permute(0, 2, 3, 1).reshape([n * height * width, c])
    shape = [ys.shape[0], ys.shape[1], xs.shape[1]]
    terms = []
    for row, row_weight in _corners(ys, height):
        for column, column_weight in _corners(xs, width):
            place = (batches[:, None, None] * height + row[:, :, None]) * width + column[:, None, :]
            values = torch.index_select(flat, 0, place.reshape(-1)).reshape([*shape, c])
            terms.append(values * (row_weight[:, :, None] * column_weight[:, None, :])[..., None])
    return terms


def _corners(p: torch.Tensor, size: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
    inside = (p >= -1.0) & (p <= size)
    p = torch.clamp(p, 0.0, size - 1.0)
    low = torch.clamp(torch.floor(p), max=size - 1.0)
    high = torch.clamp(low + 1, max=size - 1.0)
    fraction = p - low
    zero = torch.zeros_like(p)
    return [
        (low.to(torch.int64), torch.where(inside, 1 - fraction, zero)),
        (high.to(torch.int64), torch.where(inside, fraction, zero)),
    ]
