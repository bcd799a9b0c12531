"""Margin losses by the definitions of PyTorch's kernels: a margin counts where it is greater than zero.

PyTorch's decompositions clamp margins at zero, which keeps a NaN that a comparison leaves out; that of several labels
counts what follows the label -1, which ends a row, as the label 0.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch._C import DispatchKey

aten = torch.ops.aten
_NONE, _MEAN, _SUM = range(3)


@functools.cache
def margin_loss_decompositions() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table; shared, not to be changed."""
    return {
        aten.multi_margin_loss.default: one_label,
        aten.multilabel_margin_loss_forward.default: many_labels,
        aten.multilabel_margin_loss.default: lambda *args, **kwargs: many_labels(*args, **kwargs)[0],
    }


@contextmanager
def own_margin_losses() -> Iterator[None]:
    """While graphs are traced: PyTorch takes its decompositions of these operators apart before it asks a table."""
    table = margin_loss_decompositions()
    registered = [op for op in table if DispatchKey.Autograd in op.py_kernels]
    before = {op: op.py_kernels[DispatchKey.Autograd] for op in registered}
    try:
        for op in registered:
            op.py_kernels[DispatchKey.Autograd] = table[op]
            op._dispatch_cache.clear()
        yield
    finally:
        for op, kernel in before.items():
            op.py_kernels[DispatchKey.Autograd] = kernel
            op._dispatch_cache.clear()


def one_label(
    x: torch.Tensor,
    target: torch.Tensor,
    p: float = 1,
    margin: float = 1,
    weight: torch.Tensor | None = None,
    reduction: int = _MEAN,
) -> torch.Tensor:
    """`aten.multi_margin_loss`: by how much scores [batch, classes] come too near that of one label a row."""
    scores, labels = torch.atleast_2d(x), torch.atleast_1d(target).unsqueeze(1)
    over = (margin - torch.gather(scores, 1, labels)) + scores
    counted = (over > 0) & (torch.arange(scores.shape[1], device=x.device) != labels)
    if p != 1:
        over = over * over
    if weight is not None:
        over = over * weight[labels]
    return _reduced(torch.where(counted, over, 0.0).sum(1) / scores.shape[1], target.dim() > 0, reduction)


def many_labels(
    x: torch.Tensor, target: torch.Tensor, reduction: int = _MEAN
) -> tuple[torch.Tensor, torch.Tensor]:
    """`aten.multilabel_margin_loss_forward`: the loss, and a one for each class that is a label of its row.

    Labels of a row stand before its first -1.
    """
    scores, labels = torch.atleast_2d(x), torch.atleast_2d(target)
    classes = torch.arange(scores.shape[1], device=x.device)
    end = torch.where(labels == -1, classes, scores.shape[1]).amin(1, keepdim=True)
    is_given = (classes < end).unsqueeze(2)
    chosen = torch.where(classes < end, labels, 0)
    is_label = (is_given & (chosen.unsqueeze(2) == classes)).any(1)
    over = 1.0 - torch.gather(scores, 1, chosen).unsqueeze(2) + scores.unsqueeze(1)
    counted = (over > 0) & is_given & ~is_label.unsqueeze(1)
    rows = torch.where(counted, over, 0.0).sum((1, 2)) / scores.shape[1]
    return _reduced(rows, target.dim() > 1, reduction), is_label.to(x.dtype).reshape(target.shape)


def _reduced(rows: torch.Tensor, is_batch: bool, reduction: int) -> torch.Tensor:
    """The loss of all rows; each row's where that is asked for and there is a batch of them."""
    if reduction == _NONE and is_batch:
        return rows
    return rows.sum() / rows.shape[0] if reduction == _MEAN else rows.sum()
