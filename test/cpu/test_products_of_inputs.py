"""Products of operands that are both given in the call, and softmax by reciprocals: any size, any processor."""

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from torch import nn

import wse_mlir

OPTIONS = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)


class Product(nn.Module):
    """A product with the second operand as it is or transposed, and a sum and a greatest behind it."""

    def __init__(self, turned: bool) -> None:
        super().__init__()
        self.turned = turned

    def forward(self, a: torch.Tensor, b: torch.Tensor, c: torch.Tensor) -> torch.Tensor:
        return torch.relu(a @ (b.T if self.turned else b) + c)


def check(model: nn.Module, *args: torch.Tensor, **options: object) -> None:
    compiled = wse_mlir.compile(model.eval(), args, **options)
    expected = model(*(a.double() for a in args))
    error = (compiled(*args) - expected).abs()
    assert error.shape == expected.shape
    assert error.numel() == 0 or error.max() <= 1e-4 * expected.abs().max()


def operands(rows: int, inner: int, columns: int, turned: bool) -> list[torch.Tensor]:
    torch.manual_seed(rows + 7 * inner + 31 * columns)
    b = torch.randn(columns, inner) if turned else torch.randn(inner, columns)
    return [torch.randn(rows, inner), b, torch.randn(columns)]


@OPTIONS
@given(
    rows=st.sampled_from([1, 1, 2, 9, 37]),
    inner=st.sampled_from([1, 15, 16, 17, 131, 200]),
    columns=st.sampled_from([1, 5, 449, 520, 1025]),
    turned=st.booleans(),
)
def test_products(rows: int, inner: int, columns: int, turned: bool) -> None:
    """A row times a long matrix goes through it in strips, few rows are summed along lanes, more read panels."""
    check(Product(turned), *operands(rows, inner, columns, turned))


@pytest.mark.parametrize("options", [{"features": "-avx512f"}, {"features": "-avx"}, {"num_threads": 2}])
def test_strips_elsewhere(options: dict[str, object]) -> None:
    """Shorter vectors have narrower panels; threads have strips of their own."""
    check(Product(False), *operands(1, 203, 1031, False), **options)
    check(Product(True), *operands(17, 203, 70, True), **options)


def test_large_operands_are_packed() -> None:
    """What exceeds the second cache, with a rest of rows, of steps and of columns."""
    check(Product(False), *operands(131, 515, 1031, False))


@pytest.mark.parametrize("shape", [(3, 10), (17, 1), (1, 257), (0, 5), (2, 3, 50)])
def test_softmax(shape: tuple[int, ...]) -> None:
    """Rows of any length, very different numbers among them."""
    torch.manual_seed(3)
    check(nn.Softmax(-1), torch.randn(shape) * 30)


def test_softmax_of_hidden_elements() -> None:
    """What is hidden is zero; a row that is hidden as a whole has no numbers, as in PyTorch."""
    x = torch.randn(4, 19)
    x[1, 3:], x[2, :] = -torch.inf, -torch.inf
    actual, expected = wse_mlir.compile(nn.Softmax(-1).eval(), (x,))(x), torch.softmax(x, -1)
    assert torch.allclose(actual, expected, rtol=1e-6, atol=0, equal_nan=True)
