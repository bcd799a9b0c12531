"""Arguments that are written, share memory or come back as outputs; tensors of any strides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from beside_eager import compiled, same_as_eager
from torch import nn


def written(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    x.add_(y)
    return x * 2


def written_view(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    x[0].mul_(y[0])
    x.t()[1].add_(1)
    return x.sum(0)


def returns_its_input(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return x, x + y


def returns_views_of_inputs(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return x.t(), y[1:], x.reshape(-1)[2:7], y.expand(2, *y.shape), x * y


def returns_views_of_one_result(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
    z = x * y
    return z, z.t(), z[0], z.view(-1)


def returns_one_result_twice(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    z = x + y
    return z, z


def returns_a_part(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
    return (x + y)[:1], (x * y).split([1, 3], 1)[1]


def returns_other_values(x: torch.Tensor, y: torch.Tensor) -> dict[str, Any]:
    return {"none": None, "number": 3, "infinite": float("inf"), "sum": x + y, "shape": x.shape}


def reads_after_writing(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    before = x * 2
    x.copy_(y)
    y.zero_()
    return before + x


def only_writes(x: torch.Tensor, y: torch.Tensor) -> None:
    x.copy_(y)


FUNCTIONS = [
    written,
    written_view,
    returns_its_input,
    returns_views_of_inputs,
    returns_views_of_one_result,
    returns_one_result_twice,
    returns_a_part,
    returns_other_values,
    reads_after_writing,
    only_writes,
]
READING = [f for f in FUNCTIONS if f.__name__.startswith("returns")]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda f: f.__name__)
def test_writes_and_aliases(function: Callable[..., Any]) -> None:
    same_as_eager(function, torch.randn(3, 4), torch.randn(3, 4))


@pytest.mark.parametrize("function", READING, ids=lambda f: f.__name__)
def test_aliases_that_carry_gradients(function: Callable[..., Any]) -> None:
    same_as_eager(function, torch.randn(3, 4, requires_grad=True), torch.randn(3, 4, requires_grad=True))


def test_outputs_share_memory_with_inputs_as_in_eager() -> None:
    x, y = torch.randn(3, 4), torch.randn(3, 4)
    whole, _ = compiled(returns_its_input)(x, y)
    assert whole is x
    transposed, *_ = compiled(returns_views_of_inputs)(x, y)
    assert transposed.data_ptr() == x.data_ptr()
    z, transposed, *_ = compiled(returns_views_of_one_result)(x, y)
    z.zero_()
    assert not transposed.any()


def test_a_write_to_a_view_of_an_argument_is_seen_through_the_base() -> None:
    base = torch.arange(12.0).reshape(3, 4)
    expected = base.clone()
    compiled(lambda v: v.mul_(2) + 1)(base[:, 1])
    expected[:, 1] *= 2
    assert torch.equal(base, expected)


def test_two_arguments_that_are_views_of_one_tensor() -> None:
    def function(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        x.add_(1)
        return x + y

    for call in (function, compiled(function)):
        base = torch.arange(6.0)
        out = call(base[:4], base[2:])
        assert torch.equal(base, torch.tensor([1.0, 2, 3, 4, 4, 5]))
        assert torch.equal(out, torch.tensor([4.0, 6, 7, 9]))


def test_views_of_one_tensor_that_only_strides_describe() -> None:
    def function(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        x.mul_(3)
        return y * 2

    expected, actual = torch.arange(24.0), torch.arange(24.0)
    call = compiled(function)
    theirs = function(expected[1:22:2].as_strided((2, 3), (6, 2)), expected.view(4, 6).t())
    ours = call(actual[1:22:2].as_strided((2, 3), (6, 2)), actual.view(4, 6).t())
    assert torch.equal(ours, theirs) and torch.equal(actual, expected)


def test_the_same_tensor_twice() -> None:
    x = torch.randn(3, 4)
    function = compiled(lambda a, b: a @ b.t())
    assert torch.allclose(function(x, x), x @ x.t())


STRIDED = {
    "transposed": lambda: torch.randn(4, 3).t(),
    "every other": lambda: torch.randn(6, 8)[::2, ::2],
    "one column": lambda: torch.randn(3, 9)[:, 2:6],
    "broadcast": lambda: torch.randn(3, 1).expand(3, 4),
    "offset": lambda: torch.randn(13)[1:].view(3, 4),
}


@pytest.mark.parametrize("strided", STRIDED.values(), ids=STRIDED.keys())
def test_inputs_of_any_strides(strided: Callable[[], torch.Tensor]) -> None:
    def function(x: torch.Tensor, w: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return x + 1, x.t() * 2, x @ w

    same_as_eager(function, strided().requires_grad_(), torch.randn(5, 4).t().requires_grad_())


def test_an_input_whose_memory_holds_the_negative() -> None:
    x = torch._neg_view(torch.randn(4))
    assert x.is_neg() and torch.equal(compiled(lambda v: v * 2)(x), x * 2)


def test_channels_last_stays_channels_last() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU()).to(memory_format=torch.channels_last)
    x = torch.randn(2, 3, 5, 6).to(memory_format=torch.channels_last)
    with torch.no_grad():
        same_as_eager(model, x)


def test_buffers_that_a_module_writes() -> None:
    torch.manual_seed(0)

    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm = nn.BatchNorm1d(4)
            self.register_buffer("total", torch.zeros(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.total += x.detach().sum(0)
            return self.norm(x) + self.total

    same_as_eager(Counting(), torch.randn(6, 4, requires_grad=True))


@pytest.mark.parametrize("shape", [(), (0,), (0, 4), (3, 0), (1, 1)], ids=str)
def test_scalars_and_empty_tensors(shape: tuple[int, ...]) -> None:
    def function(x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return (x * y).exp(), x.sum() + y

    same_as_eager(function, torch.randn(shape, requires_grad=True), torch.randn((), requires_grad=True))


def test_an_empty_sum_of_products() -> None:
    same_as_eager(torch.matmul, torch.randn(3, 0, requires_grad=True), torch.randn(0, 2, requires_grad=True))
