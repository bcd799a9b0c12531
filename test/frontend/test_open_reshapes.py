"""Reshapes of tensors with several open sizes, which torch-mlir by itself turns into wrong code."""

from collections.abc import Callable

import pytest
import torch
from torch.export import Dim
from zoo import error

import wse_mlir

RESHAPES: dict[str, Callable[[torch.Tensor, int], torch.Tensor]] = {
    "two become one": lambda x, n: (x[:, None] + x[None]).reshape(n * n, 4),
    "one becomes two": lambda x, n: (x[:, None] + x[None]).reshape(-1).reshape(n, n * 4),
    "a product is halved": lambda x, n: (x[:, None] + x[None]).reshape(4 * n * n // 2, 2),
    "all become one": lambda x, n: (x @ x.t()).reshape(-1),
    "one open size on each side": lambda x, n: torch.cat([x, x]).reshape(-1, 8),
}


@pytest.mark.parametrize("reshape", RESHAPES.values(), ids=RESHAPES.keys())
def test_values_stay_where_they_belong(reshape: Callable[[torch.Tensor, int], torch.Tensor]) -> None:
    class Model(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return reshape(x, x.shape[0]) + 1

    sizes = ({0: Dim("n", min=2, max=64)},)
    compiled = wse_mlir.compile(Model(), (torch.randn(6, 4),), dynamic_shapes=sizes)
    for rows in (6, 2, 10):
        x = torch.randn(rows, 4)
        assert error(compiled(x), Model()(x)) < 1e-4
