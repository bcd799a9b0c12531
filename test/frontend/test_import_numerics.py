"""Operators that the importer itself rewrites (tm_tensor, decompositions, gathers) compute what PyTorch does."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import zoo
from torch import nn
from torch.nn import functional
from torch.utils import _pytree as pytree

import wse_mlir

SEED = torch.Generator().manual_seed(3)


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=SEED)


X = random(3, 5)
TIES = torch.tensor([[1.0, 2.0], [1.0, 1.0], [0.0, 2.0], [1.0, 2.0]])
HEADS = random(1, 2, 4, 8)
MASK = torch.tensor([[True, False, True, True], [False] * 4, [True] * 4, [False, True, False, True]])
BIAS = torch.where(MASK, random(4, 4), -torch.inf)

CASES: dict[str, tuple[Callable[..., Any], tuple[torch.Tensor, ...]]] = {
    "top-k": (lambda x: torch.topk(x, 2), (X,)),
    "sort, descending": (lambda x: torch.sort(x, descending=True), (X,)),
    "sort, stable with ties": (lambda x: torch.sort(x, dim=0, stable=True), (TIES,)),
    "k-th value": (lambda x: torch.kthvalue(x, 2), (X,)),
    "cumulative sum": (lambda x: torch.cumsum(x, 1), (X,)),
    "cumulative product, outer dimension": (lambda x: torch.cumprod(x, 0), (X,)),
    "scatter-add": (
        lambda x, i: torch.zeros(3, 7).scatter_add(1, i, x),
        (X, torch.tensor([[0, 6, 0, 1, 1], [2, 2, 2, 2, 2], [5, 4, 3, 2, 1]])),
    ),
    "index-put, repeated rows": (
        lambda x, i: x.index_put((i,), torch.ones(5), accumulate=True),
        (X, torch.tensor([1, 1])),
    ),
    "index-put, two indices": (
        lambda x, i, j: x.index_put((i, j), torch.ones(2)),
        (X, torch.tensor([1, 2]), torch.tensor([4, 0])),
    ),
    "index-put, from the end": (
        lambda x, i: x.index_put((i,), torch.ones(5)),
        (X, torch.tensor([-1])),
    ),
    "index, from the end": (lambda x, i: x[i], (X, torch.tensor([-1, 0]))),
    "gather": (lambda x, i: torch.gather(x, 1, i), (X, torch.tensor([[0, 1], [1, 2], [4, 0]]))),
    "concatenation": (lambda x, y: torch.cat([x, y, x], 1), (X, random(3, 2))),
    "variance and mean": (lambda x: torch.var_mean(x, 1), (X,)),
    "standard deviation of all": (lambda x: torch.std(x), (X,)),
    "softmax": (lambda x: torch.softmax(x, 0), (X,)),
    "log-softmax": (lambda x: torch.log_softmax(x, 1), (X,)),
    "maximum without its position": (lambda x: torch.max(x, 1).values, (X,)),
    "attention": (lambda q: functional.scaled_dot_product_attention(q, q, q), (HEADS,)),
    "causal attention": (
        lambda q: functional.scaled_dot_product_attention(q, q, q, is_causal=True),
        (HEADS,),
    ),
    "attention, one row masked out": (
        lambda q, m: functional.scaled_dot_product_attention(q, q, q, m),
        (HEADS, MASK),
    ),
    "attention, additive mask": (
        lambda q, m: functional.scaled_dot_product_attention(q, q, q, m),
        (HEADS, BIAS),
    ),
    "attention, grouped heads": (
        lambda q, k: functional.scaled_dot_product_attention(q, k, k, enable_gqa=True),
        (random(1, 4, 4, 8), HEADS),
    ),
    "norms of one number": (
        lambda x: (x[0].norm(), torch.linalg.vector_norm(x[:, None], 3, 1), x[1].norm(p=0.5), x[:1].norm()),
        (torch.tensor([2.9e-39, -1e-30, 1e30]),),
    ),
    "norms of a number that has no dimension": (
        lambda x: (x.norm(), torch.linalg.vector_norm(x, 3, -1), torch.linalg.vector_norm(x, 0.5, 0)),
        (torch.tensor(1e-20),),
    ),
    "integers beyond a half float": (
        lambda x: (functional.normalize(x.half(), dim=0), functional.normalize(x.bfloat16(), dim=0)),
        (torch.tensor([70000, 5, 0, -3]),),
    ),
    "group normalisation": (lambda x: functional.group_norm(x, 2), (random(1, 4, 3, 3),)),
}


class Call(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: torch.Tensor) -> Any:
        return self.function(*args)


@pytest.mark.parametrize("name", CASES)
def test_an_operator_matches_pytorch(name: str) -> None:
    function, args = CASES[name]
    compiled = wse_mlir.compile(Call(function), args)
    actual, expected = pytree.tree_leaves(compiled(*args)), pytree.tree_leaves(function(*args))
    assert len(actual) == len(expected)
    for ours, theirs in zip(actual, expected, strict=True):
        assert zoo.error(ours, theirs) <= (1e-4 if theirs.is_floating_point() else 0)


def test_batch_normalisation_with_statistics() -> None:
    norm = nn.BatchNorm2d(4).eval()
    for tensor in (norm.running_mean, norm.weight.data, norm.bias.data):
        assert tensor is not None
        tensor.copy_(random(4))
    norm.running_var = random(4).abs() + 0.1
    x = random(2, 4, 5, 5)
    with torch.no_grad():
        assert zoo.error(wse_mlir.compile(norm, (x,))(x), norm(x)) <= 1e-4


def test_an_index_out_of_range_stays_in_memory() -> None:
    table = torch.arange(5.0)
    compiled = wse_mlir.compile(
        Call(lambda t, i: functional.embedding(i, t[:, None])), (table, torch.tensor([0]))
    )
    with pytest.raises(IndexError, match="index 10000000 is out of range"):
        compiled(table, torch.tensor([10_000_000]))


class Cache(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("rows", torch.zeros(4, 3))

    def forward(self, row: torch.Tensor, at: torch.Tensor, log: torch.Tensor) -> torch.Tensor:
        self.rows[at] = row
        log.add_(1)
        return self.rows.sum(0)


def test_buffers_and_arguments_that_a_model_mutates() -> None:
    eager, row = Cache(), random(1, 3)
    compiled = wse_mlir.compile(Cache(), (row, torch.tensor([0]), torch.zeros(2)))
    logs = torch.zeros(2), torch.zeros(2)
    for step in (2, 0, 2):
        at = torch.tensor([step])
        assert torch.equal(compiled(row * step, at, logs[0]), eager(row * step, at, logs[1]))
        assert torch.equal(compiled.state["rows"], eager.rows)
    assert torch.equal(logs[0], logs[1]) and logs[0][0] == 3
    compiled.reset()
    assert not compiled.state["rows"].any()
