"""Single products and convolutions with constant weights, as shares of what the core's registers can do."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from cpu_families import Case
from torch import nn

from . import onnx_runtime, ours
from .contender import Absent, Contender
from .machine import multiply_add_loop
from .roofline import work_of
from .rounds import Budget, alternate

_CHAIN = 4  # convolutions in a row, so that bringing the image into another layout hardly counts


def _product(size: int, dtype: torch.dtype = torch.float32) -> Case:
    return Case(nn.Linear(size, size, bias=False).to(dtype), (torch.randn(size, size).to(dtype),))


def _convolutions(channels: int, side: int, kernel: int, dtype: torch.dtype = torch.float32) -> Case:
    layers = [nn.Conv2d(channels, channels, kernel, padding=kernel // 2) for _ in range(_CHAIN)]
    return Case(nn.Sequential(*layers).to(dtype), (torch.randn(1, channels, side, side).to(dtype),))


SHAPES: Mapping[str, tuple[Any, tuple[Any, ...], float]] = {
    **{f"matmul {n}": (_product, (n,), 0.85 if n == 256 else 0.95) for n in (256, 512, 768, 1024, 2048)},
    "conv 3x3, 64 x 56 x 56": (_convolutions, (64, 56, 3), 0.85),
    "conv 3x3, 128 x 28 x 28": (_convolutions, (128, 28, 3), 0.85),
    "conv 3x3, 256 x 14 x 14": (_convolutions, (256, 14, 3), 0.85),
    "conv 3x3, 512 x 7 x 7": (_convolutions, (512, 7, 3), 0.85),
    "conv 1x1, 256 x 28 x 28": (_convolutions, (256, 28, 1), 0.85),
    # twice the peak of f32 with a dot product of bf16; f16 is computed in f32
    "matmul 512, bf16": (_product, (512, torch.bfloat16), 1.7),
    "matmul 512, f16": (_product, (512, torch.float16), 0.85),
    "conv 3x3, 128 x 28 x 28, bf16": (_convolutions, (128, 28, 3, torch.bfloat16), 1.5),
}  # name -> what makes it, its sizes, and the share of the peak that it should reach


def run_shape(name: str, folder: Path, budget: Budget, clock: str, with_ort: bool) -> dict[str, Any]:
    """Shares of one core's peak, which is measured in the same rounds."""
    torch.manual_seed(7)
    make, sizes, goal = SHAPES[name]
    case: Case = make(*sizes)
    case.model.eval().requires_grad_(False)
    flops = work_of(case).flops
    loop, loop_flops = multiply_add_loop()
    contenders = [Contender("peak", loop, list), ours.build(case, 1, warm=False)]
    if with_ort:
        with contextlib.suppress(Absent):
            contenders.append(onnx_runtime.build(case, 1, folder))
    found = {
        contender.name: (loop_flops if contender.name == "peak" else flops) / times.median * 1e-9
        for contender, times in zip(
            contenders, alternate(contenders, budget, settle=False, clock=clock), strict=True
        )
    }
    return {"shape": name, "goal": goal, "gflops": found}
