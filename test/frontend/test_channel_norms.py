"""Normalisations of extreme values: finite, zero, infinite and NaN where PyTorch has them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional

import wse_mlir
from wse_mlir.compare.agreement import relative_error

TOP = torch.finfo(torch.float32).max
GENERATOR = torch.Generator().manual_seed(0)


def channels(*planted: float) -> torch.Tensor:
    """Two images of three channels, with values planted into every third element."""
    x = torch.randn(2, 3, 8, generator=GENERATOR)
    for k, value in enumerate(planted):
        x.view(-1)[3 * k :: 3 * len(planted)] = value
    return x


class Norms(torch.nn.Module):
    def forward(self, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> Any:
        mean, variance = torch.zeros(3), torch.ones(3)
        trained = functional.batch_norm(x, mean, variance, weight, bias, True, 0.25)
        narrow = [t.to(torch.float16) for t in (x.clamp(-65504, 65504), weight, bias)]
        return (
            trained,
            mean,
            variance,
            functional.instance_norm(x, weight=weight, bias=bias),
            torch.native_batch_norm(x, weight, bias, None, None, True, 0.1, 1e-5),
            functional.group_norm(narrow[0], 3, *narrow[1:], eps=0.5),
            functional.layer_norm(narrow[0], [8], eps=0.5),
        )


PLANTED = {
    "ordinary": ([1.0], [1.0, 2.0, -3.0], [0.0, 1.0, -1.0]),
    "largest": ([TOP, -TOP / 2, TOP / 3], [1.0, 2.0, -3.0], [4.0, 1.0, -1.0]),
    "halves": ([65504.0, -65504.0], [1.0, 2.0, -3.0], [4.0, 1.0, -1.0]),
    "infinite scale": ([7.0], [torch.inf, -torch.inf, 1.0], [0.0, 1.0, torch.inf]),
    "infinite elements": ([torch.inf, 1.0, 1.0, 1.0, 1.0], [1.0, 2.0, -3.0], [0.0, 1.0, -1.0]),
}


@pytest.fixture(scope="module")
def compiled() -> Any:
    return wse_mlir.compile(Norms(), (channels(), torch.ones(3), torch.zeros(3)))


@pytest.mark.parametrize("name", PLANTED)
def test_norms_of_extreme_values(compiled: Any, name: str) -> None:
    planted, weight, bias = PLANTED[name]
    args = channels(*planted), torch.tensor(weight), torch.tensor(bias)
    leaves = torch.utils._pytree.tree_leaves
    for k, (a, b) in enumerate(zip(leaves(compiled(*args)), leaves(Norms()(*args)), strict=True)):
        limit = 1e-2 if b.dtype == torch.float16 else 1e-4
        assert relative_error(a, b) <= limit, f"output {k}: {a} instead of {b}"


def test_a_group_of_one_element_is_its_own_mean() -> None:
    class Model(torch.nn.Module):
        def forward(self, x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor) -> Any:
            return functional.group_norm(x, 3, weight, bias), functional.group_norm(y, 3)

    x = 1000 * torch.randn(5, 3, generator=GENERATOR)
    y = torch.tensor([[[1e19], [-300.0], [torch.inf]], [[1.0], [0.0], [-2.0]]])
    weight, bias = torch.tensor([1.5, -3.0, 700.0]), torch.tensor([0.25, 0.0, 1.0])
    results = wse_mlir.compile(Model(), (x, y, weight, bias), cache=False)(x, y, weight, bias)
    assert torch.equal(results[0], bias.expand(5, 3))
    assert torch.equal(results[1].isnan(), y.isinf()) and not results[1].nan_to_num().any()


def test_norms_and_moments_of_a_number_along_a_dimension_that_it_has_not() -> None:
    class Model(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return (
                torch.linalg.vector_norm(x, 3, -1),
                torch.linalg.vector_norm(x, torch.inf, 0, True),
                torch.norm(x, 2, 0),
                functional.normalize(x, dim=-1),
                torch.var(x, -1),
                torch.std_mean(x, 0, correction=0),
            )

    x = torch.tensor(-2.5)
    results, expected = wse_mlir.compile(Model(), (x,), cache=False)(x), Model()(x)
    flat = [[t for r in out for t in (r if isinstance(r, tuple) else (r,))] for out in (results, expected)]
    for a, b in zip(*flat, strict=True):
        assert a.shape == b.shape and torch.allclose(a, b, equal_nan=True)
