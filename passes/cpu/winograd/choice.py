"""Whether, and with how large tiles, a convolution is faster with fewer products: a model in cycles of one core."""

from __future__ import annotations

from ..processor import Processor
from .image_convolution import ImageConvolution
from .interpolation import TILES, Interpolation

_BYTES = 4
_FEWEST_CHANNELS = 16  # of the image and of the result: vectors of them have to pay for the transforms
_GAIN = 0.8  # of the time of the direct form is the most that is taken: the model is no better than that
# Bytes that a core moves in a cycle from and to the second and third cache and memory.
_FROM_L2, _FROM_L3, _FROM_MEMORY = 40, 20, 8
_STEPS = 4  # arithmetic operations for each element that a transform reads or makes
_HIDING_ROWS = (
    6  # rows of a product below which it takes the time of so many: latencies show, panels are read for few
)


def choose_tile(conv: ImageConvolution, cpu: Processor) -> int:
    """The tile with the least time, 0 where the direct form is about as fast.

    Tiles and products exist all at once, so images for which they exceed half of the third cache are left alone.
    """
    if min(conv.channels, conv.features) < _FEWEST_CHANNELS:
        return 0
    times = {tile: _time(conv, Interpolation.of(tile, conv.width), cpu) for tile in TILES[conv.width]}
    best = min(times, key=lambda tile: times[tile])
    return best if times[best] <= _GAIN * _direct_time(conv, cpu) else 0


def tiles_along(extent: int, tile: int) -> int:
    """How many tiles cover so many positions."""
    return -(-extent // tile)


def _direct_time(conv: ImageConvolution, cpu: Processor) -> float:
    rows = conv.images * conv.extent[0] * conv.extent[1]
    weights = conv.width**2 * conv.channels * conv.features
    return _products(max(rows, _HIDING_ROWS) * weights, cpu) + _weights_time(weights, cpu)


def _time(conv: ImageConvolution, points: Interpolation, cpu: Processor) -> float:
    tiles = conv.images * tiles_along(conv.extent[0], points.tile) * tiles_along(conv.extent[1], points.tile)
    values = points.size**2
    weights = values * conv.channels * conv.features
    elements = tiles * values * (conv.channels + conv.features)
    if elements * _BYTES > cpu.l3_bytes // 2:
        return float("inf")
    bandwidth = _FROM_L2 if elements * _BYTES <= cpu.l2_bytes // 2 else _FROM_L3
    transforms = elements * (_STEPS / cpu.lanes(8 * _BYTES) / 2 + 2 * _BYTES / bandwidth)
    return _products(max(tiles, _HIDING_ROWS) * weights, cpu) + _weights_time(weights, cpu) + transforms


def _products(count: int, cpu: Processor) -> float:
    """Two vectors of products a cycle."""
    return count / (2 * cpu.lanes(8 * _BYTES))


def _weights_time(count: int, cpu: Processor) -> float:
    """Weights come from as far as a whole network's do."""
    size = count * _BYTES
    return size / (_FROM_L3 if size <= cpu.l3_bytes // 8 else _FROM_MEMORY)
