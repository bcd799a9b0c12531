"""Many functions of the same inputs as one model, so that a table of cases costs one compile."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch

import wse_mlir
from wse_mlir.compare.agreement import relative_error, tolerance

Function = Callable[..., Any]
INTEGERS = (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)
FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


class Batch(torch.nn.Module):
    """Returns, by name, what each function makes of the inputs."""

    def __init__(self, functions: Mapping[str, Function]) -> None:
        super().__init__()
        self.functions = dict(functions)

    def forward(self, *inputs: torch.Tensor) -> dict[str, Any]:
        return {name: function(*inputs) for name, function in self.functions.items()}


def disagreements(
    functions: Mapping[str, Function], inputs: tuple[torch.Tensor, ...], target: str = "cpu"
) -> list[str]:
    """What a compiled batch and eager PyTorch make different: a line an output, empty where all match."""
    model = Batch(functions)
    actual = wse_mlir.compile(model, inputs, target=target)(*inputs)
    return differences(actual, model(*inputs), on_wafer=target != "cpu")


def differences(
    actual: Mapping[str, Any], expected: Mapping[str, Any], *, on_wafer: bool = False
) -> list[str]:
    """As `disagreements`, of what two models returned."""
    found = []
    for name, wanted in expected.items():
        given = actual[name]
        pairs = zip(given, wanted, strict=True) if isinstance(wanted, tuple) else [(given, wanted)]
        for k, (a, b) in enumerate(pairs):
            if not relative_error(a, b) <= tolerance(b.dtype, on_wafer=on_wafer):
                found.append(f"{name} [{k}]: {a.tolist()} {a.dtype} instead of {b.tolist()} {b.dtype}")
    return found


def planted(dtype: torch.dtype) -> torch.Tensor:
    """4x7 numbers: the ends of a type, ties and, of floats, NaN, infinities and signed zeros."""
    generator = torch.Generator().manual_seed(0)
    if dtype == torch.bool:
        return torch.rand(4, 7, generator=generator) > 0.5
    if dtype.is_floating_point:
        x = torch.randn(4, 7, generator=generator)
        x[0, 2], x[1, 3], x[1, 4] = math.nan, math.inf, -math.inf
        x[2] = torch.tensor([3.0, -0.0, 2.0, 0.0, -0.0, 2.0, 3.0])
        x[3, 0], x[3, 5], x[3, 1] = math.nan, math.nan, math.inf
        return x.to(dtype)
    least, greatest = torch.iinfo(dtype).min, torch.iinfo(dtype).max
    x = torch.randint(least, greatest, (4, 7), generator=generator).to(dtype)
    x[0, 0] = x[1, 2] = x[1, 3] = greatest
    x[0, 3] = x[2, 5] = least
    x[3] = torch.tensor([1, 3, 2, 3, 1, 0, 2], dtype=dtype)
    return x
