"""Rows at a position that data tells: PyTorch's, or PyTorch's error, and never the memory behind the tensor."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

import wse_mlir

Selection = Callable[[torch.Tensor, torch.Tensor], Any]

SELECTIONS: dict[str, Selection] = {
    "row": lambda x, i: x[i],
    "column": lambda x, i: x[:, i],
    "last dimension": lambda x, i: x.select(-1, i.item()) * 2,  # type: ignore[arg-type]
    "element": lambda x, i: x[i, i],
    "part of a row": lambda x, i: x[i, 1:] + 1,
}
COMPUTED: Selection = lambda x, i: x[i.item() + 1]  # type: ignore[index]  # noqa: E731
X = torch.arange(24.0).reshape(4, 6)


def assert_selects(selection: Selection, target: str, dtype: torch.dtype) -> None:
    compiled = wse_mlir.compile(selection, (X, torch.tensor(1, dtype=dtype)), target=target)
    for position in (0, 2, 3, -1, -4, 4, -5, 6, 1000, -1000):
        i = torch.tensor(position, dtype=dtype)
        try:
            expected = selection(X, i)
        except (IndexError, RuntimeError):
            with pytest.raises(IndexError):
                compiled(X, i)
        else:
            assert torch.equal(compiled(X, i), expected)


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32], ids=str)
@pytest.mark.parametrize("target", ["cpu", "tiny"])
@pytest.mark.parametrize("name", SELECTIONS)
def test_position_of_a_tensor(name: str, target: str, dtype: torch.dtype) -> None:
    assert_selects(SELECTIONS[name], target, dtype)


def test_position_that_is_computed() -> None:
    assert_selects(COMPUTED, "cpu", torch.int64)


def test_position_in_a_graph_of_operators() -> None:
    torch._dynamo.reset()
    with torch._dynamo.config.patch(capture_scalar_outputs=True):
        function = torch.compile(
            lambda x, i: x.select(0, (i + 1).item()) * 2, backend="wse_mlir", fullgraph=True
        )
        assert torch.equal(function(X, torch.tensor(-2)), X[-1] * 2)
        for position in (3, -6):
            with pytest.raises(IndexError, match=rf"index {position + 1} is out of range for dimension 0"):
                function(X, torch.tensor(position))
