"""What models and operators assert of their data is checked at every call."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

import wse_mlir


def positive(x: torch.Tensor) -> torch.Tensor:
    torch.ops.aten._assert_async.msg((x > 0).all(), "must be positive")
    torch.ops.aten._assert_async(x[:1].long())
    number = x[1].to(torch.int64).item()
    torch._check(number < 9)
    return x + number


def classes(i: torch.Tensor) -> torch.Tensor:
    return functional.one_hot(i, 5)


def test_assertions_of_a_model_hold_or_raise() -> None:
    good = torch.tensor([1.0, 2, 3])
    for model in (
        wse_mlir.compile(positive, (good,), cache=False),
        torch.compile(positive, backend="wse_mlir", fullgraph=False),
    ):
        torch.testing.assert_close(model(good), positive(good))
        with pytest.raises(wse_mlir.CheckFailed, match=r"aten\._assert_async.*: must be positive"):
            model(-good)
        with pytest.raises(
            wse_mlir.CheckFailed, match="Expected Tensor with single nonzero value, but got zero"
        ):
            model(torch.tensor([0.5, 2, 3]))
    with pytest.raises(wse_mlir.CheckFailed, match=r"u0 <= 8|u0 < 9"):
        wse_mlir.compile(positive, (good,), cache=False)(torch.tensor([1.0, 9, 3]))


def test_one_hot_takes_the_classes_that_there_are() -> None:
    good = torch.tensor([[0, 4], [3, 1]])
    model = wse_mlir.compile(classes, (good,), cache=False)
    assert torch.equal(model(good), classes(good))
    for place, text in ((5, "must be smaller than num_classes"), (-1, "must be non-negative")):
        bad = torch.tensor([[0, 4], [place, 1]])
        with pytest.raises(RuntimeError, match=text):
            classes(bad)
        with pytest.raises(wse_mlir.CheckFailed, match=rf"aten\.one_hot.*{text}"):
            model(bad)
    none = torch.zeros(0, 2, dtype=torch.int64)
    assert wse_mlir.compile(classes, (none,), cache=False)(none).shape == (0, 2, 5)
