"""Operators on which torch-mlir ends the process for 8-bit integers; each must compile and be exact."""

from collections.abc import Callable

import pytest
import torch

import wse_mlir

FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "multiply by a number": lambda x: x * 3,
    "subtract a number": lambda x: x - 3,
    "subtract from a number": lambda x: 3 - x,
    "floor division": lambda x: x // 3,
    "remainder": lambda x: x % 5,
    "floor division of tensors": lambda x: x // torch.tensor([3, 5, 7], dtype=x.dtype),
    "remainder of tensors": lambda x: x % torch.tensor([3, 5, 7], dtype=x.dtype),
    "multiply tensors": lambda x: x * x,
    "largest": lambda x: x.max(),
    "smallest": lambda x: x.min(),
    "matrix product": lambda x: x @ x.T,
    "compare with a number": lambda x: x > 100,
    "equal to a number": lambda x: x == 88,
    "true division": lambda x: x / 2,
    "divide by floats": lambda x: x / (x.float() + 300),
    "add a float": lambda x: x + 1.5,
    "add wider integers": lambda x: x + x.long(),
    "remainder with the dividend's sign": lambda x: torch.fmod(x, 3),
    "sum": lambda x: x.sum(),
    "sum of columns": lambda x: x.sum(0),
    "running sum": lambda x: x.cumsum(0),
    "product of columns": lambda x: x.prod(0),
    "sorted": lambda x: x.sort()[0],
    "order": lambda x: x.sort(descending=True)[1],
    "two largest": lambda x: x.topk(2)[0],
    "exclusive or with a number": lambda x: x ^ 5,
}


class Function(torch.nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


@pytest.mark.parametrize("dtype", [torch.int8, torch.uint8], ids=str)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_eight_bits_are_exact(name: str, dtype: torch.dtype) -> None:
    x = torch.arange(0, 256, 22).reshape(4, 3).to(dtype)
    model = Function(FUNCTIONS[name])
    actual = wse_mlir.compile(model, (x,))(x)
    assert actual.dtype == model(x).dtype and torch.equal(actual, model(x))
