"""Operators that torch-mlir lowers wrongly or not at all, and that the import replaces; each agrees with PyTorch."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional

import wse_mlir

FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "padding that cuts and pads": lambda x: functional.pad(x, (-1, 2, 1, -2), value=3.0),
    "padding that cuts": lambda x: functional.pad(x, (-1, -2)),
    "padding that cuts all": lambda x: functional.pad(x, (-3, -3)),
    "fmod of a float": lambda x: torch.fmod(x, 2.5),
    "fmod of integers": lambda x: torch.fmod((x * 9).int(), 4),
    "fmod of integers and floats": lambda x: torch.fmod((x * 9).int(), x.abs() + 1.5),
    "or with a number": lambda x: (x * 9).int() | 4,
    "finite": lambda x: torch.isfinite(torch.log(x)),
    "gelu by tanh": lambda x: functional.gelu(3 * x, approximate="tanh"),
    "gelu by tanh of f16": lambda x: functional.gelu(x.half(), approximate="tanh"),
    "gelu": lambda x: functional.gelu(x),
    "range of int8": lambda x: torch.arange(-3, 9, 4, dtype=torch.int8) + x.to(torch.int8)[:3, :3],
    "range of uint8": lambda x: torch.arange(250, 256, dtype=torch.uint8) + x.to(torch.uint8),
    "strided view as an output": lambda x: x.as_strided((2, 2), (1, 2)),
}


def selections(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
    mask, rows = x > 0.3, torch.tensor([[0, 3, 1, 1, 2, 0]])
    truth, again = x > 0, torch.tensor([1, 1, 1])
    return (
        torch.masked_scatter(x[0], mask, x.flip(0)),  # the tensor has fewer dimensions than the mask
        torch.masked_scatter(x, mask[0], x.flip(0)),
        torch.masked_scatter(x, torch.zeros_like(mask), x[:0]),
        torch.scatter(x, 0, rows, x[:1], reduce="add"),
        torch.scatter(x, -2, rows, 2.5, reduce="multiply"),
        torch.index_put(truth, (again,), truth[:3], accumulate=True),
        torch.addr(x, torch.full([5], 3e38), torch.full([6], 2.0), alpha=0.1),
        torch.addbmm(
            x[:, :3], x.reshape(2, 5, 3), x[:2, :3].reshape(2, 3, 1).expand(2, 3, 3), beta=0.5, alpha=2
        ),
        torch.addbmm(x[:, :3] * torch.nan, x.reshape(2, 5, 3), x.reshape(2, 3, 5)[:, :, :3], beta=0),
        torch.permute_copy(x, (1, 0)),
        torch.unbind_copy(x[:2])[1],  # type: ignore[index]
        torch.as_strided_copy(x, (2, 2), (1, 2)),
        torch.narrow_copy(x, 1, 2, 3),
        torch.special.ndtr(9 * x),
        7 // x,
        7 % x,
        1 << (x.abs() * 9).int(),
        5 & (x * 9).int(),
        9.5 // (x * 9 + 0.5).int().abs().add(1),
    )


def test_selections_products_and_copies_agree_with_pytorch() -> None:
    x = torch.linspace(-2, 2, 30).reshape(5, 6)
    for k, (ours, theirs) in enumerate(
        zip(wse_mlir.compile(selections, (x,))(x), selections(x), strict=True)
    ):
        torch.testing.assert_close(ours, theirs, msg=lambda text, k=k: f"{k}: {text}")


def test_distances_meet_nan_as_pytorch_does() -> None:
    x, y = torch.tensor([[1.0, torch.nan], [0.0, 2.0]]), torch.tensor([[4.0, 5.0], [torch.nan, 2.0]])

    def distances(x: torch.Tensor, y: torch.Tensor) -> list[torch.Tensor]:
        return [torch.cdist(x, y, p=p) for p in (0, 1, 2, 3, torch.inf)]

    for ours, theirs in zip(wse_mlir.compile(distances, (x, y))(x, y), distances(x, y), strict=True):
        torch.testing.assert_close(ours, theirs, equal_nan=True)


def test_a_masked_scatter_without_enough_elements_raises() -> None:
    x, mask, source = torch.zeros(4), torch.tensor([True, False, True, False]), torch.tensor([1.0, 2])
    model = wse_mlir.compile(torch.masked_scatter, (x, mask, source), cache=False)
    assert model(x, mask, source).tolist() == [1, 0, 2, 0]
    with pytest.raises(wse_mlir.IndexOutOfRange, match="index 2 is out of range for dimension 0 of size 2"):
        model(x, torch.tensor([True, False, True, True]), source)


def matrices() -> torch.Tensor:
    """Of which several have zeros on the diagonal, one is singular, one has a zero column, and one is a NaN's."""
    x = torch.randn(8, 4, 4)
    x[1, 0, 0] = x[2, 1, 1] = 0
    x[3] = torch.eye(4).flip(0)
    x[4] = 1
    x[5, :, 1] = 0
    x[6, 2, 1] = torch.nan
    x[7] *= -x[7].det().sign()
    return x


class Function(torch.nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_agrees_with_pytorch(name: str) -> None:
    x = torch.linspace(-2, 2, 30).reshape(5, 6)
    model = Function(FUNCTIONS[name])
    torch.testing.assert_close(wse_mlir.compile(model, (x,))(x), model(x))


@pytest.mark.parametrize("operator", [torch.det, torch.linalg.slogdet, torch.logdet])
def test_determinants_divide_by_the_largest_element(operator: Callable[[torch.Tensor], torch.Tensor]) -> None:
    for x in (matrices(), torch.tensor([[0.0, 1.0], [2.0, 3.0]]), torch.randn(1, 1), torch.zeros(0, 0)):
        found = wse_mlir.compile(Function(operator), (x,))(x)
        torch.testing.assert_close(
            found, tuple(operator(x)) if operator == torch.linalg.slogdet else operator(x), equal_nan=True
        )


def test_a_determinant_of_many_rows_is_refused() -> None:
    with pytest.raises(wse_mlir.CompilerError, match="the determinant of a matrix of 65 rows"):
        wse_mlir.compile(Function(torch.det), (torch.eye(65),))


def test_global_pooling_of_channels_last_images_is_no_gather() -> None:
    def pooled(x: torch.Tensor) -> torch.Tensor:
        return functional.adaptive_avg_pool2d(x.permute(0, 3, 1, 2), 1).flatten(1)

    x = torch.randn(2, 3, 5, 100)
    torch.testing.assert_close(wse_mlir.compile(Function(pooled), (x,))(x), pooled(x))
    assert "tensor.extract" not in str(wse_mlir.import_model(Function(pooled), (x,)))
