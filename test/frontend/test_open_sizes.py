"""Operators that need elements say so where a size that was left open turns out too small, as PyTorch does."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

import wse_mlir

Operator = Callable[[torch.Tensor], torch.Tensor]
# What is computed of an open number of rows, and what the message says where there are too few.
NEEDING: dict[str, tuple[Operator, int, str]] = {
    "first": (lambda x: x[0], 1, r"aten\.select.* index 0 is out of range for dimension 0"),
    "last": (lambda x: x[-1], 1, r"aten\.select.* index -1 is out of range for dimension 0"),
    "second": (lambda x: (x + x).select(0, 1), 2, r"aten\.select.* index 1 is out of range"),
    "amax": (lambda x: x.amax(0), 1, r"aten\.amax.* dimension 0 is empty"),
    "max": (lambda x: x.max(), 1, r"aten\.max.* dimension 0 is empty"),
    "values": (lambda x: x.min(0).values, 1, r"aten\.min.* dimension 0 is empty"),
    "argmax": (lambda x: x.t().argmax(-1), 1, r"aten\.argmax.* dimension 1 is empty"),
    "aminmax": (lambda x: torch.aminmax(x, dim=0).max, 1, r"aten\.aminmax.* dimension 0 is empty"),
    "topk": (lambda x: x.topk(2, 0).values, 2, r"aten\.topk.* no 2 elements along dimension 0"),
}
FREE: list[Operator] = [lambda x: x.logsumexp(0), lambda x: x.softmax(0).sum(0), lambda x: x.sum(0)]


class Model(torch.nn.Module):
    def __init__(self, operator: Operator) -> None:
        super().__init__()
        self.operator = operator

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.operator(x)


@pytest.mark.parametrize("name", NEEDING)
def test_too_few_rows_are_told(name: str) -> None:
    operator, needed, text = NEEDING[name]
    x = torch.randn(5, 3)
    shapes = ({0: torch.export.Dim("n", min=0, max=50)},)
    compiled = wse_mlir.compile(Model(operator), (x,), dynamic_shapes=shapes, cache=False)
    for rows in (x, x[:needed]):
        torch.testing.assert_close(compiled(rows), operator(rows))
    with pytest.raises((IndexError, RuntimeError)):
        operator(x[: needed - 1])
    with pytest.raises(wse_mlir.CheckFailed, match=text):
        compiled(x[: needed - 1])


def test_operators_that_take_nothing_get_their_value_of_it() -> None:
    class Free(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
            return [f(x) for f in FREE]

    shapes = ({0: torch.export.Dim("n", min=0, max=50)},)
    compiled = wse_mlir.compile(Free(), (torch.randn(5, 3),), dynamic_shapes=shapes, cache=False)
    for got, expected in zip(compiled(torch.zeros(0, 3)), Free()(torch.zeros(0, 3)), strict=True):
        torch.testing.assert_close(got, expected)


def test_a_range_that_excludes_it_needs_no_check() -> None:
    class Last(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x[-1] + x.amax(0)

    for least, checks in ((0, 1), (1, 0)):
        shapes = ({0: torch.export.Dim("n", min=least, max=50)},)
        text = str(wse_mlir.import_model(Last(), (torch.randn(5, 3),), dynamic_shapes=shapes))
        assert text.count("cf.assert") == checks
