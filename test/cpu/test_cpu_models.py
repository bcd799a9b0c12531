"""The model families, odd sizes and other element types on the CPU target, against PyTorch."""

import copy
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode
from zoo import FAMILIES, ResidualBlock, error, family

import wse_mlir

TOLERANCE = 1e-4
NARROW = 1e-2


def assert_matches(actual: Any, expected: Any, tolerance: float = TOLERANCE) -> None:
    got, spec = pytree.tree_flatten(actual)
    wanted, wanted_spec = pytree.tree_flatten(expected)
    assert spec == wanted_spec
    for a, b in zip(got, wanted, strict=True):
        if b.dtype.is_floating_point:
            assert error(a, b) <= tolerance
        else:
            assert torch.equal(a, b)


def check(model: nn.Module, *args: torch.Tensor, tolerance: float = TOLERANCE) -> None:
    model = model.eval().requires_grad_(False)
    assert_matches(wse_mlir.compile(model, args)(*args), model(*args), tolerance)


@pytest.mark.parametrize("name", FAMILIES)
def test_model_families(name: str) -> None:
    given = family(name)
    eager = copy.deepcopy(given.model)
    compiled = wse_mlir.compile(given.model, given.args)
    for step in range(given.steps):
        args = given.args if step == 0 else (given.args[0] + step, torch.tensor([step]))
        assert_matches(compiled(*args), eager(*args))


class Function(nn.Module):
    """A function as a model."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: torch.Tensor) -> Any:
        return self.function(*args)


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (1, 7, 1), (3, 5, 7), (17, 31, 13), (16, 64, 33), (40, 129, 65)]
)
def test_matmul_of_odd_sizes(shape: tuple[int, int, int]) -> None:
    m, k, n = shape
    torch.manual_seed(0)
    check(Function(torch.matmul), torch.randn(m, k), torch.randn(k, n))
    check(nn.Linear(k, n), torch.randn(m, k))
    check(Function(torch.matmul), torch.randn(3, m, k), torch.randn(3, k, n))


@pytest.mark.parametrize(
    "layer",
    [
        nn.Conv2d(3, 5, 3, stride=2, padding=1),
        nn.Conv2d(3, 7, (1, 5), padding=(0, 2), dilation=1),
        nn.Conv2d(3, 6, 3, dilation=2),
        nn.Conv2d(3, 6, 3, groups=3),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.AvgPool2d(2),
        nn.AdaptiveAvgPool2d(1),
    ],
    ids=str,
)
def test_windows(layer: nn.Module) -> None:
    torch.manual_seed(0)
    check(layer, torch.randn(1, 3, 13, 11))


@pytest.mark.parametrize("columns", [1, 2, 15, 16, 17, 100])
def test_reductions_and_functions_of_odd_lengths(columns: int) -> None:
    torch.manual_seed(0)

    def function(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        row = x.sum(-1), x.amax(-1), x.mean(0), x.argmax(-1), x.prod(-1), (x > 0).any(-1)
        return (*row, x.softmax(-1), torch.tanh(x), torch.erf(x), torch.sigmoid(x), x**3, x.cumsum(-1))

    check(Function(function), torch.randn(5, columns))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_narrow_floats(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    layers = (nn.Linear(33, 17), nn.GELU(), nn.LayerNorm(17), nn.Linear(17, 5), nn.Softmax(-1))
    check(nn.Sequential(*layers).to(dtype), torch.randn(3, 33).to(dtype), tolerance=NARROW)


def test_integers_and_bools_are_exact() -> None:
    torch.manual_seed(0)

    def function(a: torch.Tensor, b: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (
            a + b,
            a * 3 - b,
            a // 3,
            a % 5,
            (a > b) & (b != 0),
            torch.where(a > b, a, b),
            a.sum(0),
            a.amax(1),
        )

    a, b = torch.randint(-50, 50, (2, 7, 19))
    for dtype in (torch.int64, torch.int32):
        check(Function(function), a.to(dtype), b.to(dtype))
    narrow = Function(lambda a, b: (a + b, a - b, a > b, torch.where(a > b, a, b), a.sum(0), a.amax(1)))
    check(narrow, a.to(torch.int8), b.to(torch.int8))


def test_double_precision_is_not_narrowed() -> None:
    check(nn.Sequential(nn.Linear(9, 5), nn.Tanh()).double(), torch.randn(2, 9).double(), tolerance=1e-12)


def test_embedding_gathers_rows() -> None:
    torch.manual_seed(0)
    check(nn.Embedding(11, 20), torch.tensor([[0, 10, 3], [3, 3, 1]]))


def test_special_values_of_functions() -> None:
    inf = float("inf")
    x = torch.tensor([0.0, -0.0, inf, -inf, float("nan"), 88.7, 89.0, -87.5, -103.0, -110.0, 1e-30, 1e-40])
    check(Function(lambda x: (torch.exp(x), torch.tanh(x), torch.erf(x), torch.sigmoid(x))), x)
    got = wse_mlir.compile(Function(torch.exp), (x,))(x)
    assert torch.equal(torch.isnan(got), torch.isnan(x.exp()))
    assert torch.equal(got == inf, x.exp() == inf) and torch.equal(got == 0, x.exp() == 0)


def test_empty_tensors() -> None:
    check(Function(lambda x: (x * 2, x.sum(0))), torch.zeros(0, 3))
    check(nn.Linear(3, 4), torch.zeros(0, 3))


def test_results_that_are_arguments_or_constants() -> None:
    model = nn.Linear(4, 4).requires_grad_(False)
    check(Function(lambda x: (x, x.T, x * 1)), torch.randn(4, 4))
    check(Function(lambda x: (model.weight, torch.arange(100) + 0 * x[0, 0].long())), torch.randn(4, 4))


class Forbidding(TorchDispatchMode):
    """Refuses every PyTorch operator that computes; views and memory for outputs are free."""

    ALLOWED = ("detach", "view", "alias", "lift_fresh", "empty_strided")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not any(word in str(func) for word in self.ALLOWED):
            raise AssertionError(f"{func} was run by PyTorch")
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", ["mlp", "lenet", "encoder", "decode"])
def test_no_call_falls_back_to_pytorch(name: str) -> None:
    given = family(name)
    compiled = wse_mlir.compile(given.model, given.args)
    with Forbidding():
        compiled(*given.args)
    with pytest.raises(AssertionError), Forbidding():
        given.model(*given.args)


def test_residual_blocks_in_a_row() -> None:
    torch.manual_seed(0)
    check(nn.Sequential(ResidualBlock(), ResidualBlock(), ResidualBlock()), torch.randn(1, 8, 10, 10))
