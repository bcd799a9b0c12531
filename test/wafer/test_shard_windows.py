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
from lowering import Function, error, simulated, wafer_errors
from torch import nn

from wse_mlir.passes.wafer.executable import bodies, instructions
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.pipelines.opt import opt
from wse_mlir.runtime.wafer.image_builder import build_image
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim.engine import EngineName
from wse_mlir.wse_target.sim.simulation import simulate

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


def padded(draw: random.Random) -> Drawn:
    """Windows over padding: of convolutions, also transposed ones, and of pooling."""
    steps, padding, dilation = draw.choice((1, 2)), draw.choice((1, 2)), draw.choice((1, 2))
    size = (draw.randint(5, 9), draw.randint(5, 9))
    kind = draw.randrange(5)
    if kind == 0:
        return lambda x, w: F.conv2d(x, w, None, steps, padding, dilation), [(1, 2, *size), (3, 2, 3, 3)]
    if kind == 1:
        return lambda x, w: F.conv_transpose2d(x, w, None, steps, padding), [(1, 2, *size), (2, 3, 3, 4)]
    if kind == 2:
        return lambda x: F.max_pool2d(x, 3, steps, 1, ceil_mode=True), [(2, 3, *size)]
    if kind == 3:
        counts = draw.random() < 0.5
        return lambda x: F.avg_pool2d(x, 3, steps, 1, ceil_mode=True, count_include_pad=counts), [
            (1, 3, *size)
        ]
    return lambda x, w: torch.relu(F.conv1d(x, w, padding=padding)), [(2, 3, size[0]), (2, 3, 3)]


def assembled(draw: random.Random) -> Drawn:
    """Slices, pads, rolls and concatenations, of what comes from the host and of what PEs computed."""
    n, k, step = draw.randint(6, 11), draw.randint(1, 3), draw.choice((1, 2))
    kind = draw.randrange(6)
    if kind == 0:
        return lambda x: F.pad(x * 2, (k, 1, 0, 2), value=0.5), [(5, n)]
    if kind == 1:
        return lambda x: (x + 1).roll((k, -1), (1, 0)), [(5, n)]
    if kind == 2:
        return lambda x, y: torch.cat([x, y * y, x], 1), [(4, n), (4, k)]
    if kind == 3:
        return lambda x, y: torch.slice_scatter(x, -y, 1, k, None, step), [(5, n), (5, -(-(n - k) // step))]
    if kind == 4:
        return lambda x: (x.exp()[:, k::step] * 2)[1:], [(5, n)]
    return lambda x: F.pad(x, (-1, k, -2, -1)) + 1, [(7, n)]


def layers(draw: random.Random) -> Drawn:
    """Convolutions one after the other: halos move between PEs, or are computed by both."""
    far = draw.choice((1, 2))

    def function(x: torch.Tensor, w: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        y = F.max_pool2d(torch.relu(F.conv2d(x, w, padding=far)), 2)
        return F.conv2d(y, v, padding=1) + y

    return function, [(1, 2, draw.randint(7, 10), draw.randint(7, 10)), (3, 2, 3, 3), (3, 3, 3, 3)]


CASES = {f.__name__: f for f in (convolution, pooling, resampling, turned, padded, assembled, layers)}


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


LENET = nn.Sequential(
    nn.Conv2d(1, 3, 5, padding=2),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(3, 4, 3),
    nn.ReLU(),
    nn.AvgPool2d(2),
    nn.Flatten(),
    nn.Linear(16, 5),
)


class Residual(nn.Module):
    """A block of a residual network, and one that halves the image."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 3, 3, padding=1, bias=False), nn.BatchNorm2d(3)
        self.second, self.short = nn.Conv2d(3, 4, 3, 2, 1), nn.Conv2d(3, 4, 1, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = torch.relu(x + self.norm(self.first(x)))
        return torch.relu(self.second(y) + self.short(y)).mean((2, 3))


@pytest.mark.parametrize(
    ("model", "shape", "grid"), [(LENET, (1, 1, 12, 12), "5x3"), (Residual(), (1, 3, 9, 7), "3x2")]
)
def test_networks(model: nn.Module, shape: tuple[int, ...], grid: str) -> None:
    torch.manual_seed(0)
    frozen = model.eval().requires_grad_(False)
    assert max(wafer_errors(frozen, (torch.randn(shape),), grid=grid)) <= TOLERANCE


STENCIL = """
#id = affine_map<(d0) -> (d0)>
#window = affine_map<(i, k) -> (i + k)>
func.func @main(%a: tensor<17xf32>) -> tensor<13xf32> {
  %whole = tensor.empty() : tensor<17xf32>
  %taps = tensor.empty() : tensor<5xf32>
  %zero = arith.constant dense<0.0> : tensor<13xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%a : tensor<17xf32>) outs(%whole : tensor<17xf32>) attrs = {wse.iterators = ["x"]} {
  ^bb0(%l: f32, %o: f32):
    %n = arith.negf %l : f32
    linalg.yield %n : f32
  } -> tensor<17xf32>
  %1 = linalg.generic {indexing_maps = [#window, affine_map<(i, k) -> (k)>, affine_map<(i, k) -> (i)>],
      iterator_types = ["parallel", "reduction"]} ins(%0, %taps : tensor<17xf32>, tensor<5xf32>)
      outs(%zero : tensor<13xf32>) attrs = {wse.iterators = ["x", ""]} {
  ^bb0(%l: f32, %t: f32, %acc: f32):
    %s = arith.addf %acc, %l : f32
    linalg.yield %s : f32
  } -> tensor<13xf32>
  return %1 : tensor<13xf32>
}
"""


def test_a_halo_moves_between_neighbours_and_without_it_the_result_is_wrong() -> None:
    stages = named_pipeline("wafer").override(partition="wse-partition{machine=tiny grid=3x1}").stages
    names = [stage.name for stage in stages]
    text = f"builtin.module({','.join(stage.text for stage in stages[names.index('partition') :])})"
    x = np.random.default_rng(0).standard_normal(17).astype(np.float32)
    expected = -np.lib.stride_tricks.sliding_window_view(x, 5).sum(-1)
    module = opt(STENCIL, text)

    def result(engine: EngineName) -> np.ndarray:
        program = build_image(module.operation)
        return simulate(program, load_machine("tiny"), [x], engine=engine).outputs[0]

    for engine in ("flow", "wavelet"):
        np.testing.assert_allclose(result(engine), expected, rtol=1e-5)
    for _, function in bodies(module.operation):
        for op in list(instructions(function.body.blocks[0])):
            if op.operation.name in ("wse.relay", "wse.send", "wse.receive"):
                op.operation.erase()
    assert np.abs(result("flow") - expected).max() > 0.1
