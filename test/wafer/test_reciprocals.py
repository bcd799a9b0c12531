"""Divisions that PEs carry out as multiplications: numbers, edges, and cycles."""

from collections.abc import Callable

import pytest
import torch
from lowering import Function, element_errors, error
from torch import nn

import wse_mlir

INF, NAN = float("inf"), float("nan")


def rows(dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    """Every kind of dividend in each row, and every kind of divisor."""
    info = torch.finfo(dtype)
    special = [
        0.0,
        -0.0,
        INF,
        -INF,
        NAN,
        info.max,
        -info.max,
        info.tiny,
        info.smallest_normal / 4,
        1.0,
        -3.0,
        1e-3,
    ]
    divisors = [*special, info.max / 3, info.tiny / 3, info.tiny * 8, 7.0]
    return torch.tensor([special] * len(divisors)).to(dtype), torch.tensor(divisors).to(dtype)[:, None]


@pytest.mark.parametrize(("dtype", "bound"), [(torch.float32, 1e-6), (torch.float16, 4e-3)])
def test_a_reciprocal_for_a_row_has_the_edges_of_quotients(dtype: torch.dtype, bound: float) -> None:
    x, d = rows(dtype)
    model = Function(lambda x, d: (x / d, x / 3, x / -8, x / 0.1, x / 1e-5, x / d.abs().sqrt()))
    results = wse_mlir.compile(model, (x, d), target="tiny", grid="2x2")(x, d)
    for got, want in zip(results, model(x, d), strict=True):
        assert element_errors(got, want) <= bound


def test_what_rounding_would_show_in_is_exact() -> None:
    x = torch.arange(-98, 98).float().reshape(14, 14)
    model = Function(
        lambda x: (
            torch.floor(x / 49), x // 7, (x / 49 >= 1).int(), (x / 7).int(), torch.round(x / 0.7),
            torch.log(1 - x / x.amax(-1, keepdim=True)), torch.full((3, 49), 7.0).add(x[0, 0]).mean(-1),
        )
    )  # fmt: skip
    results = wse_mlir.compile(model, (x,), target="tiny", grid="2x2")(x)
    for got, want in zip(results[:5], model(x), strict=False):
        assert torch.equal(got, want)
    assert error(results[5], model(x)[5]) <= 1e-3
    assert torch.equal(results[6], model(x)[6])


def test_no_element_is_divided() -> None:
    def cycles(function: Callable[[torch.Tensor], torch.Tensor]) -> float:
        args = (torch.randn(8, 64).abs(),)
        return wse_mlir.estimate(Function(function), args, target="tiny", grid="2x2")["cycles"]["device"]

    divided = cycles(lambda x: x / (x + 1))
    assert cycles(lambda x: x / 3) < 0.1 * divided
    assert cycles(lambda x: nn.functional.normalize(x, dim=-1)) < 0.5 * divided
    assert cycles(lambda x: x / x.sum(-1, keepdim=True)) < 0.5 * divided
    assert cycles(lambda x: torch.softmax(x, -1)) < cycles(torch.exp) + 0.5 * divided
