"""Every row of the table of operators and their strategies, on two grids that divide nothing, in both engines."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lowering import Function, error, lower, simulated
from torch.nn import functional as F
from torch.utils import _pytree as pytree

TABLE = Path(__file__).parents[2] / "docs" / "wafer-lowering.md"
GRIDS = ("5x3", "2x7")


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def indices(below: int, *shape: int) -> torch.Tensor:
    return torch.randint(0, below, shape, generator=torch.Generator().manual_seed(1))


def recurrence(x: torch.Tensor) -> torch.Tensor:
    state = torch.zeros_like(x[0])
    for step in x:
        state = torch.tanh(state * 0.5 + step)
    return state


def carried(x: torch.Tensor) -> torch.Tensor:
    """What a loop carries is no sum of numbers: the largest one so far, and the sum of exponentials below it."""
    return torch.logcumsumexp(x, 1)


def written(cache: torch.Tensor, place: torch.Tensor, row: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    return cache.index_copy(0, place, row), cache.scatter_add(0, place[:, None].expand(1, 5), row)


def attention(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
    return F.scaled_dot_product_attention(q, k, v, is_causal=True)


Operators = tuple[tuple[Callable[..., Any], tuple[torch.Tensor, ...]], ...]

# By what the first column of a row begins with.
ROWS: dict[str, Operators] = {
    "elementwise": ((lambda a, b: torch.sigmoid(a) * b + 1, (normal(9, 11), normal(11, seed=1))),),
    "sums": (
        (lambda a: (a.softmax(0), a.amax(1), a.var(1)), (normal(9, 11),)),
        (lambda a: F.group_norm(a, 3), (normal(2, 9, 5),)),
    ),
    "matrix products": (
        (torch.matmul, (normal(7, 13), normal(13, 9, seed=1))),
        (lambda a, b: torch.einsum("gij,gkj->gik", a, b), (normal(3, 5, 7), normal(3, 4, 7, seed=1))),
    ),
    "attention": ((attention, (normal(1, 3, 7, 5), normal(1, 3, 7, 5, seed=1), normal(1, 3, 7, 5, seed=2))),),
    "convolutions": (
        (lambda x, w: F.conv1d(x, w, stride=2, dilation=2, padding=1), (normal(1, 3, 17), normal(5, 3, 3))),
        (lambda x: F.max_pool2d(x, 3, 2), (normal(1, 1, 7, 9),)),
    ),
    "transposed convolutions": (
        (lambda x, w: F.conv_transpose1d(x, w, stride=2), (normal(1, 3, 7), normal(3, 2, 3))),
        (lambda x: F.interpolate(x, scale_factor=2, mode="linear"), (normal(1, 3, 7),)),
    ),
    "pads": ((lambda a, b: F.pad(torch.cat([a, b[:, 2:]], 1), (1, 2)) * 2, (normal(9, 5), normal(9, 8, seed=1))),),
    "reshapes": ((lambda a: a.view(7, 3, 5).transpose(0, 1).reshape(21, 5) + 1, (normal(7, 15),)),),
    "embeddings": (
        (lambda table, ids: F.embedding(ids, table) + 1, (normal(11, 5), indices(11, 3, 3))),
        (F.cross_entropy, (normal(7, 9), indices(9, 7))),
    ),
    "scatters": ((written, (normal(9, 5), torch.tensor([4]), normal(1, 5, seed=1))),),
    "argmax": ((lambda a: (a.argmax(1), a.argmin(0), a.argmax()), (normal(9, 11),)),),
    "cumulative extrema": (
        (lambda a: a.cummax(1).values + a.cumprod(0), (normal(3, 5),)),
        (lambda a: a.flip(1) + a.roll(2, 0), (normal(5, 7),)),
    ),
    "sorts": ((lambda a: (a.sort(1).values, a.topk(3, 1).indices), (normal(5, 9),)),),
    "recurrent layers": ((recurrence, (normal(5, 3, 7),)),),
    "running sums": ((lambda a: a.cumsum(1) + a.cumsum(0), (normal(5, 13),)),),
    "other loops": ((carried, (normal(3, 5),)),),
}  # fmt: skip


def rows() -> list[str]:
    """The first column of the table."""
    section = TABLE.read_text().split("## Operators and their strategies")[1].split("\n## ")[0]
    return [
        line.split("|")[1].strip() for line in section.splitlines() if re.match(r"\| (?!-|operators)", line)
    ]


def test_every_row_has_its_operators() -> None:
    found = [[name for name in ROWS if row.startswith(name)] for row in rows()]
    assert all(len(names) == 1 for names in found), found
    assert {name for (name,) in found} == set(ROWS)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("row", ROWS)
def test_both_engines_compute_what_pytorch_does(row: str, grid: str) -> None:
    for function, args in ROWS[row]:
        imported = lower(Function(function), args, grid, "plan-memory")
        outputs, wanted = simulated(imported, args).outputs, pytree.tree_leaves(function(*args))
        results = outputs[: len(wanted)]  # behind them come checks of indices
        for expected, found in zip(wanted, results, strict=True):
            assert error(torch.from_numpy(found), expected) <= 1e-3
        for one, other in zip(outputs, simulated(imported, args, engine="wavelet").outputs, strict=True):
            np.testing.assert_array_equal(one, other)
