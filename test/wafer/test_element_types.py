"""Products and convolutions of narrow types on simulated wafers: what they sum in, and that narrow is not slower."""

from typing import Any

import pytest
import torch
from lowering import Function
from torch import nn
from torch.nn.functional import conv2d, linear
from zoo import error

import wse_mlir


def _narrow(
    image: Any, kernel: Any, bias: Any, x: Any, weight: Any, signed: Any, other: Any
) -> tuple[Any, ...]:
    half = [conv2d(v.half(), kernel.half(), bias.half(), padding=1) for v in (image,)]
    brain = [conv2d(v.bfloat16(), kernel.bfloat16(), stride=2) for v in (image,)]
    products = (
        linear(x.half(), weight.half(), bias.half()),
        linear(x.bfloat16(), weight.bfloat16(), bias.bfloat16()),
    )
    return *half, *brain, *products, signed.int() @ other.int()


@pytest.mark.parametrize("grid", ["3x5", "4x1"])
def test_narrow_types_are_as_exact_as_their_sums(grid: str) -> None:
    torch.manual_seed(2)
    image, kernel, bias = torch.randn(2, 5, 11, 9), torch.randn(7, 5, 3, 3), torch.randn(7)
    signed, other = (torch.randint(-128, 128, s, dtype=torch.int8) for s in ((13, 37), (37, 11)))
    args = (image, kernel, bias, torch.randn(5, 33), torch.randn(7, 33), signed, other)
    results = wse_mlir.compile(Function(_narrow), args, target="tiny", grid=grid)(*args)
    for actual, expected in zip(results, _narrow(*args), strict=True):
        assert actual.dtype == expected.dtype
        assert error(actual, expected) <= (1e-2 if expected.dtype.is_floating_point else 0)


def test_a_bias_leaves_the_product_its_types() -> None:
    torch.manual_seed(2)
    cycles = {}
    for kind, options in ((torch.float32, {}), (torch.float16, {}), (torch.float16, {"accumulate": "f16"})):
        model, x = nn.Linear(64, 48).to(kind).eval().requires_grad_(False), torch.randn(32, 64).to(kind)
        compiled = wse_mlir.compile(model, (x,), target="tiny", grid="4x4", **options)
        assert error(compiled(x), model(x)) <= 1e-2
        cycles[kind, len(options)] = compiled.report["cycles"]["device"]
    assert cycles[torch.float16, 0] <= 1.05 * cycles[torch.float32, 0]
    assert cycles[torch.float16, 1] <= 0.5 * cycles[torch.float16, 0]
