"""Losses of margins between scores, at the edges: NaN, infinities, labels that end a row, rows without a batch."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from batches import FLOATS, Function, disagreements, planted
from torch.nn.functional import multi_margin_loss, multilabel_margin_loss

import wse_mlir

LABEL = torch.tensor([2, 6, 0, 3])
LABELS = torch.tensor(
    [[1, -1, 2, 0, 3, 4, 5], [0, 6, 2, -1, -1, -1, -1], [-1, 5, 1, 1, 0, 0, 0], [6, 5, 4, 3, 3, 1, 0]]
)
WEIGHT = torch.linspace(-1, 2, 7)


def losses(dtype: torch.dtype) -> dict[str, Function]:
    """By name, functions of scores, a label a row, and several a row."""
    weight = WEIGHT.to(dtype)
    cases: dict[str, Function] = {}
    for reduction in ("none", "mean", "sum"):
        one, many = (partial(f, reduction=reduction) for f in (multi_margin_loss, multilabel_margin_loss))
        cases |= {
            f"one label, {reduction}": lambda x, t, _, f=one: f(x, t),
            f"squares, {reduction}": lambda x, t, _, f=one: f(x, t, p=2, margin=0.5, weight=weight),
            f"no batch, {reduction}": lambda x, t, _, f=one: f(x[2], t[2]),
            f"labels, {reduction}": lambda x, _, t, f=many: f(x, t),
            f"labels of no batch, {reduction}": lambda x, _, t, f=many: f(x[2], t[1]),
        }
    return cases


@pytest.mark.parametrize("dtype", FLOATS[2:], ids=str)
def test_losses_compute_what_pytorch_does(dtype: torch.dtype) -> None:
    inputs = planted(dtype), LABEL, LABELS
    assert not disagreements(losses(dtype), inputs)


def test_losses_in_torch_compile_have_pytorchs_gradients() -> None:
    def total(x: torch.Tensor) -> torch.Tensor:
        return multi_margin_loss(x, LABEL, weight=WEIGHT) + multilabel_margin_loss(x, LABELS)

    x = torch.linspace(-2, 2, 28).sin().reshape(4, 7)
    gradients = []
    for function in (total, torch.compile(total, backend="wse_mlir")):
        given = x.clone().requires_grad_()
        loss = function(given)
        loss.backward()
        gradients.append((loss.detach(), given.grad))
    torch.testing.assert_close(gradients[1], gradients[0])


def test_a_label_that_is_no_class_raises() -> None:
    def both(x: torch.Tensor, one: torch.Tensor, many: torch.Tensor) -> list[torch.Tensor]:
        return [multi_margin_loss(x, one), multilabel_margin_loss(x, many)]

    compiled = wse_mlir.compile(both, (planted(torch.float32), LABEL, LABELS), cache=False)
    for one, many in ((LABEL + 4, LABELS), (LABEL, LABELS * 2)):
        with pytest.raises(IndexError):
            compiled(planted(torch.float32), one, many)
