"""Indices out of range raise, in every way that a model is run; those in range, negative ones too, are as PyTorch's."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import wse_mlir
from wse_mlir import IndexOutOfRange

ROWS, COLUMNS = 10, 4
TABLE = torch.arange(float(ROWS * COLUMNS)).reshape(ROWS, COLUMNS)


class Model(nn.Module):
    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: torch.Tensor) -> Any:
        return self.function(*args)


def compiled(function: Callable[..., Any], *args: torch.Tensor, **options: Any) -> Any:
    return wse_mlir.compile(Model(function), args, cache=False, **options)


# Functions of a table and of three rows' numbers; whether negative ones count from the end.
OPERATORS: dict[str, tuple[Callable[..., torch.Tensor], bool]] = {
    "embedding": (lambda t, i: functional.embedding(i, t), False),
    "index_select": (lambda t, i: torch.index_select(t, 0, i), False),
    "gather": (lambda t, i: torch.gather(t, 0, i[:, None].expand(3, COLUMNS)), False),
    "index": (lambda t, i: t[i], True),
    "index of a column": (lambda t, i: t.T[:, i], True),
    "take": (lambda t, i: torch.take(t[:, 0], i), True),
    "index_put": (lambda t, i: torch.index_put(t, (i,), TABLE[:3]), True),
    "index_put, accumulated": (lambda t, i: torch.index_put(t, (i,), TABLE[:3], True), True),
    "put": (lambda t, i: torch.ops.aten.put(t[:, 0], i, TABLE[:3, 0]), True),
    "index_fill": (lambda t, i: torch.index_fill(t, 0, i, 7.0), True),
    "scatter": (lambda t, i: torch.scatter(t, 0, i[:, None].repeat(1, COLUMNS), TABLE[:3]), False),
    "scatter_add": (lambda t, i: torch.scatter_add(t, 0, i[:, None].repeat(1, COLUMNS), TABLE[:3]), False),
    "scatter_reduce": (
        lambda t, i: t.scatter_reduce(0, i[:, None].repeat(1, COLUMNS), TABLE[:3], "amax"),
        False,
    ),
    "index_add": (lambda t, i: torch.index_add(t, 0, i, TABLE[:3]), False),
    "index_copy": (lambda t, i: torch.index_copy(t, 0, i, TABLE[:3]), False),
    "nll_loss": (lambda t, i: functional.nll_loss(t.T[:3], i, reduction="none"), False),
    "cross_entropy": (lambda t, i: functional.cross_entropy(t.T[:3], i), False),
}


def test_operators_take_the_indices_that_pytorch_takes_and_no_others() -> None:
    good, results = torch.tensor([0, 7, ROWS - 1]), []
    for name, (function, from_end) in OPERATORS.items():
        model = compiled(function, TABLE, good)
        for row in (0, ROWS - 1, *((-1, -ROWS) if from_end else ())):
            index = torch.tensor([3, row, 5])
            torch.testing.assert_close(model(TABLE, index), function(TABLE, index), msg=f"{name} of {row}")
        for row in (ROWS, -ROWS - 1, 2**40, *(() if from_end else (-1, -ROWS))):
            with pytest.raises((IndexError, RuntimeError)):
                function(TABLE, torch.tensor([3, row, 5]))
            with pytest.raises(IndexOutOfRange) as raised:
                model(TABLE, torch.tensor([3, row, 5]))
            results.append((name, raised.value.index == row, raised.value.size == ROWS))
        torch.testing.assert_close(model(TABLE, good), function(TABLE, good), msg=f"{name} after a failure")
    assert all(same and size for _, same, size in results), results


def test_the_message_names_operator_line_layer_index_and_range() -> None:
    class Decoder(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.tokens = nn.Embedding(ROWS, COLUMNS)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.tokens(x)

    model = wse_mlir.compile(Decoder(), (torch.tensor([1, 2]),), cache=False)
    with pytest.raises(wse_mlir.CompilerError) as raised:
        model(torch.tensor([1, ROWS]))
    text = str(raised.value)
    assert text.startswith("tokens (test_index_checks.py:")
    assert text.endswith(
        "aten.embedding): index 10 is out of range for dimension 0 of size 10, which takes 0 to 9"
    )
    assert isinstance(raised.value, IndexError) and isinstance(raised.value, RuntimeError)


def test_what_is_proven_is_not_checked() -> None:
    def proven(x: torch.Tensor, i: torch.Tensor) -> tuple[torch.Tensor, ...]:
        best = x.argmax(1)
        top = x.topk(2, 1).indices
        return (
            x.gather(1, best[:, None]),
            x.gather(1, top),
            x[:, torch.arange(x.shape[1] - 1, -1, -1)],
            x[i.remainder(ROWS)],
            torch.take_along_dim(x, i[:, None], 0),  # of the remainder, as PyTorch defines it
            x[i.clamp(0, ROWS - 1)],
            x[torch.tensor([1, -1, 3])],
        )

    model = compiled(proven, TABLE, torch.tensor([-7, 12, 2**40]))
    assert not model._executable.program.function.provisions.checks
    for ours, theirs in zip(
        model(TABLE, torch.tensor([-7, 12, 2**40])), proven(TABLE, torch.tensor([-7, 12, 2**40])), strict=True
    ):
        torch.testing.assert_close(ours, theirs)


def test_without_checks_indices_are_clamped() -> None:
    def rows(t: torch.Tensor, i: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return functional.embedding(i, t), t[i], torch.index_select(t, 0, i), torch.take(t, i)

    model = compiled(rows, TABLE, torch.tensor([1, 2]), check_indices=False)
    far = torch.tensor([2**40, -(2**40)])
    embedded, *others, taken = model(TABLE, far)
    for found in (embedded, *others):
        torch.testing.assert_close(found, TABLE[[ROWS - 1, 0]])
    torch.testing.assert_close(taken, TABLE.reshape(-1)[[-1, 0]])
    with pytest.raises(wse_mlir.CompilerError, match="check_indices is 'no', neither True nor False"):
        compiled(rows, TABLE, torch.tensor([1, 2]), check_indices="no")


def test_saved_dynamic_threaded_and_numpy_calls_raise_as_well(tmp_path: Path) -> None:
    rows = Model(lambda t, i: functional.embedding(i, t) * 2)
    bad = torch.tensor([1, 2, -3, ROWS, 4])
    size = torch.export.Dim("n")
    dynamic = wse_mlir.compile(
        rows, (TABLE, torch.tensor([1, 2])), dynamic_shapes={"args": (None, {0: size})}, cache=False
    )
    static = wse_mlir.compile(rows, (TABLE, bad), cache=True, num_threads=2)
    again = wse_mlir.compile(rows, (TABLE, bad), cache=True, num_threads=2)
    static.save(tmp_path / "rows.wse")
    for model in (dynamic, static, again, wse_mlir.load(tmp_path / "rows.wse")):
        for given in ((TABLE, bad), (TABLE.numpy(), bad.numpy())):
            with pytest.raises(IndexOutOfRange, match="index -3 is out of range") as raised:
                model(*given)
            assert (raised.value.index, raised.value.size, raised.value.dimension) == (-3, ROWS, 0)
        torch.testing.assert_close(model(TABLE, bad.clamp(0, 9)), TABLE[bad.clamp(0, 9)] * 2)
    assert dynamic(TABLE, torch.zeros(0, dtype=torch.int64)).shape == (0, COLUMNS)
    assert pickle.loads(pickle.dumps(str(raised.value))) == str(raised.value)


def test_each_thread_gets_its_own_report() -> None:
    model = compiled(lambda t, i: t[i], TABLE, torch.tensor([1, 2]))
    wrong: list[Any] = []

    def call(row: int) -> None:
        for _ in range(200):
            try:
                result = model(TABLE, torch.tensor([row, 0]))
                if row >= ROWS or not torch.equal(result, TABLE[[row, 0]]):
                    wrong.append(row)
            except IndexOutOfRange as error:
                if error.index != row or row < ROWS:
                    wrong.append((row, error.index))

    threads = [threading.Thread(target=call, args=(row,)) for row in (3, 11, 9, 57)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_torch_compile_raises_in_both_directions() -> None:
    torch.manual_seed(0)
    table, head = nn.Embedding(ROWS, COLUMNS), nn.Linear(COLUMNS, 7)

    def loss(tokens: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return functional.cross_entropy(head(table(tokens)), targets)

    fast = torch.compile(loss, backend="wse_mlir")
    tokens, targets = torch.tensor([1, 2, 9]), torch.tensor([0, 6, -100])
    fast(tokens, targets).backward()
    ours = table.weight.grad.clone()
    table.weight.grad = None
    loss(tokens, targets).backward()
    torch.testing.assert_close(ours, table.weight.grad)
    with pytest.raises(IndexOutOfRange, match=r"aten.embedding\): index 10 is"):
        fast(torch.tensor([1, 10, 2]), targets)
    with pytest.raises(IndexOutOfRange, match=r"index 7 is out of range for dimension 1 of size 7"):
        fast(tokens, torch.tensor([0, 7, 1]))
    torch.testing.assert_close(fast(tokens, targets), loss(tokens, targets))


def test_states_after_a_failed_call_are_in_range_and_reset_restores_them() -> None:
    """A state is written in place, without a copy to go back to: with the index clamped, where PyTorch leaves it. What
    the caller gave is not written."""

    class Cache(nn.Module):
        steps: torch.Tensor
        cache: torch.Tensor

        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("steps", torch.zeros(1))
            self.register_buffer("cache", torch.zeros(4, 2))

        def forward(self, x: torch.Tensor, place: torch.Tensor, given: torch.Tensor) -> torch.Tensor:
            self.steps.add_(1)
            given.add_(1)
            self.cache.index_copy_(0, place, x)
            return self.cache.sum(0) + given

    x, given = torch.ones(1, 2), torch.zeros(2)
    model = wse_mlir.compile(Cache(), (x, torch.tensor([0]), given.clone()), cache=False)
    model(x, torch.tensor([1]), given)
    assert given.tolist() == [1, 1]
    with pytest.raises(IndexOutOfRange):
        model(2 * x, torch.tensor([9]), given)
    assert given.tolist() == [1, 1]
    assert model.state["steps"].item() == 2
    assert model.state["cache"].tolist() == [[0, 0], [1, 1], [0, 0], [2, 2]]
    assert model(x, torch.tensor([0]), given).tolist() == [6, 6]
    model.reset()
    assert model(x, torch.tensor([0]), given).tolist() == [4, 4]
    assert model.state["steps"].item() == 1


def test_empty_tensors() -> None:
    none = torch.zeros(0, COLUMNS)
    model = compiled(lambda t, i: (functional.embedding(i, t), t[i]), none, torch.tensor([0, 1]))
    with pytest.raises(IndexOutOfRange, match="dimension 0 of size 0, which has no elements"):
        model(none, torch.tensor([0, 1]))
    nobody = torch.zeros(0, dtype=torch.int64)
    assert compiled(lambda t, i: t[i], none, nobody)(none, nobody).shape == (0, COLUMNS)
    assert np.array_equal(compiled(lambda t, i: t[i], TABLE, nobody)(TABLE.numpy(), nobody.numpy()), none)


def test_open_sizes_that_turn_out_to_be_zero() -> None:
    rows = torch.ones(2, COLUMNS)
    functions: list[Callable[..., torch.Tensor]] = [
        lambda t, i: t[i],
        lambda t, i: functional.embedding(i, t),
        lambda t, i: torch.take(t, i),
        lambda t, i: t.index_put((i,), rows),
        lambda t, i: t.scatter(0, i[:, None].expand(2, COLUMNS), rows),
        lambda t, i: t.index_add(0, i, rows),
    ]
    size = torch.export.Dim("n", min=0)
    none, index = torch.zeros(0, COLUMNS), torch.tensor([0, 1])
    for function in functions:
        model = wse_mlir.compile(
            Model(function), (TABLE, index), dynamic_shapes={"args": ({0: size}, None)}, cache=False
        )
        torch.testing.assert_close(model(TABLE, index), function(TABLE, index))
        for given in ((none, index), (none.numpy(), index.numpy())):
            with pytest.raises(IndexOutOfRange, match="of size 0, which has no elements"):
                model(*given)
