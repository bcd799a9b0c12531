"""Windows, strides and quotients: ways to split what reads them, as tiles and on the simulator, against PyTorch."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from chosen_plans import at_random, lowered, programs, tiles_give
from lowering import Function, error, simulated

TOLERANCE = 1e-3

# Of a random number generator, a function and the shapes of what it takes.
Drawn = tuple[Callable[..., Any], list[tuple[int, ...]]]


def convolution(draw: random.Random) -> Drawn:
    rank = draw.choice((1, 2, 2, 3))
    groups = draw.choice((1, 1, 2, 3))
    wide, deep = groups * draw.choice((1, 2)), groups * draw.choice((1, 2))
    kernel = [draw.randint(1, 3) for _ in range(rank)]
    steps, dilations = ([draw.randint(1, 3 if rank < 3 else 1) for _ in range(rank)] for _ in range(2))
    room = 9 if rank < 3 else 5
    image = [d * (k - 1) + 1 + draw.randint(0, room) for k, d in zip(kernel, dilations, strict=True)]
    function = (F.conv1d, F.conv2d, F.conv3d)[rank - 1]
    shapes = [(draw.choice((1, 2)), wide, *image), (deep, wide // groups, *kernel)]
    return lambda x, w: function(x, w, stride=steps, dilation=dilations, groups=groups), shapes


def pooling(draw: random.Random) -> Drawn:
    kernel, steps = ([draw.randint(1, 3) for _ in range(2)] for _ in range(2))
    shapes = [(2, 3, *(k + draw.randint(0, 8) for k in kernel))]
    if draw.random() < 0.5:
        dilations = [draw.randint(1, 2) for _ in range(2)]
        shapes = [
            (2, 3, *(d * (k - 1) + 1 + draw.randint(0, 8) for k, d in zip(kernel, dilations, strict=True)))
        ]
        return lambda x: F.max_pool2d(x, kernel, steps, dilation=dilations), shapes
    return lambda x: F.avg_pool2d(x, kernel, steps), shapes


def resampling(draw: random.Random) -> Drawn:
    size = (draw.randint(3, 12), draw.randint(3, 12))
    mode = draw.choice(("nearest", "nearest-exact", "bilinear"))
    return lambda x: F.interpolate(x, size=size, mode=mode), [(2, 2, draw.randint(3, 7), draw.randint(3, 7))]


def turned(draw: random.Random) -> Drawn:
    dims = draw.choice(((0,), (1,), (0, 2), (2,)))
    return lambda x: x.flip(dims) * 2, [(4, 5, 7)]


def stencil(draw: random.Random) -> Drawn:
    far = draw.randint(1, 3)
    return lambda x: x.unfold(0, 2 * far + 1, 1).amax(-1).unfold(1, 3, draw.choice((1, 2))).sum(-1), [(13, 9)]


CASES = {f.__name__: f for f in (convolution, pooling, resampling, turned)}


def check(function: Callable[..., Any], shapes: list[tuple[int, ...]], grid: str, seed: int) -> list[str]:
    """Compares under a plan chosen at random; returns the layouts in which operands are brought."""
    generator = torch.Generator().manual_seed(seed)
    args = tuple(torch.randn(shape, generator=generator) for shape in shapes)
    expected = function(*args)
    imported = lowered(Function(function), args, grid, at_random(seed))
    text = str(imported.module)
    (tiles,) = tiles_give(imported, args)
    assert error(torch.from_numpy(tiles), expected) <= TOLERANCE
    programs(imported)
    (result,) = simulated(imported, args).outputs
    assert error(torch.from_numpy(np.asarray(result)), expected) <= TOLERANCE
    return [line.split('"[')[1].split("] on")[0] for line in text.splitlines() if "wse.scatter" in line]


@pytest.mark.parametrize("grid", ["3x2", "5x3"])
@pytest.mark.parametrize("kind", CASES)
def test_every_way_to_split(kind: str, grid: str) -> None:
    brought: list[str] = []
    for seed in range(6):
        brought += check(*CASES[kind](random.Random(seed)), grid, seed)
    if kind in ("convolution", "pooling"):
        assert any("halo" in layout for layout in brought)
