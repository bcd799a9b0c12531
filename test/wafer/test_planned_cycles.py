"""What plans are predicted to take is what their programs take on the simulator, until the last PE ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from lowering import Function
from torch.nn import functional as F

import wse_mlir


def ids(*shape: int) -> torch.Tensor:
    return torch.zeros(shape, dtype=torch.int64)


# Computing, starts of sums, numbers of iterations, steps in order, indirect accesses, parts copied in place, combining.
PREDICTED: dict[str, tuple[Callable[..., Any], tuple[torch.Tensor, ...]]] = {
    "matmul": (torch.matmul, (torch.empty(64, 96), torch.empty(96, 80))),
    "biased": (lambda a, b, c: torch.relu(a @ b + c), (torch.empty(64, 96), torch.empty(96, 80), torch.empty(80))),
    "matvec": (torch.matmul, (torch.empty(300), torch.empty(300, 200))),
    "sums": (lambda a: a.sum(1), (torch.empty(90, 110),)),
    "softmax": (lambda a: a.softmax(-1), (torch.empty(90, 110),)),
    "norm": (lambda a: F.layer_norm(a, (110,)), (torch.empty(90, 110),)),
    "convolution": (lambda a, w: F.conv2d(a, w, padding=1), (torch.empty(1, 8, 20, 20), torch.empty(12, 8, 3, 3))),
    "embedding": (lambda i, w: F.embedding(i, w), (ids(40), torch.empty(50, 24))),
    "running sum": (lambda a: a.cumsum(1), (torch.empty(40, 60),)),
    "running product": (lambda a: a.cumprod(1), (torch.empty(40, 60),)),
    "argmax": (lambda a: a.argmax(1), (torch.empty(40, 60),)),
    "sort": (lambda a: a.sort(1)[0], (torch.empty(20, 30),)),
    "concatenation": (lambda a, b: torch.cat([a, b], 1) * 2, (torch.empty(60, 50), torch.empty(60, 30))),
    "index_add": (lambda a, i, b: a.index_add(0, i, b), (torch.empty(40, 30), ids(10), torch.empty(10, 30))),
    "two products": (lambda a, b, c: (a @ b) @ c, (torch.empty(40, 50), torch.empty(50, 60), torch.empty(60, 30))),
}  # fmt: skip


@pytest.mark.parametrize("name", PREDICTED)
def test_a_plan_takes_what_was_predicted(name: str) -> None:
    function, args = PREDICTED[name]
    report = wse_mlir.estimate(Function(function), args, target="tiny", grid="5x3", critical_path=False)
    (planned,) = (c["chosen"]["cycles"] for c in report["choices"] if c["message"].startswith("grid "))
    assert planned == pytest.approx(report["cycles"]["makespan"], rel=0.15)
