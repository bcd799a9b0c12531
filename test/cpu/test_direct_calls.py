"""The quick way into native code, for calls on plain tensors or arrays, and what is sent another way."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import wse_mlir


class Pair(nn.Module):
    """Two results of two inputs, with a parameter."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([2.0, 3.0, 4.0]))

    def forward(self, x: torch.Tensor, n: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x * self.scale, n + 1


X, N = torch.arange(12.0).reshape(4, 3), torch.tensor([5, 6])


@pytest.fixture(scope="module")
def pair() -> Any:
    return wse_mlir.compile(Pair(), (X, N))


def same(results: Any, x: torch.Tensor, n: torch.Tensor) -> None:
    expected = Pair()(x, n)
    assert isinstance(results, tuple)
    for result, wanted in zip(results, expected, strict=True):
        assert result.dtype == wanted.dtype and torch.equal(result, wanted)


def test_tensors_of_any_strides_and_offsets(pair: Any) -> None:
    wide = torch.arange(40.0)
    for x in (
        X,
        X.t().contiguous().t(),
        wide[1:13].view(4, 3),
        wide[::3][:12].view(4, 3),
        X[:1].expand(4, 3),
    ):
        same(pair(x, N), x, N)
    same(pair(X.requires_grad_(), N[::1]), X, N)
    same(pair(nn.Parameter(X.detach()), N), X, N)


def test_memory_that_lies_on_no_boundary(pair: Any) -> None:
    shifted = torch.empty(49, dtype=torch.uint8)[1:].view(torch.uint8).numpy().view(np.float32)
    x = torch.from_numpy(shifted[:12].reshape(4, 3)).copy_(X.detach())
    same(pair(x, N), x, N)


def test_outputs_are_new_in_every_call(pair: Any) -> None:
    first, second = pair(X, N), pair(X + 1, N + 1)
    assert first[0].data_ptr() != second[0].data_ptr()
    same(first, X, N)


def test_arrays_in_give_arrays_out(pair: Any) -> None:
    x, n = X.detach().numpy().copy(), N.numpy()
    read_only = x.copy()
    read_only.flags.writeable = False
    for given in (x, x.T.copy().T, read_only):
        results = pair(given, n)
        assert [type(r) for r in results] == [np.ndarray, np.ndarray]
        same(tuple(map(torch.from_numpy, results)), X, N)
    mixed = pair(x, N)
    assert all(isinstance(r, torch.Tensor) for r in mixed)


class Own(torch.Tensor):
    """A tensor that says when an operator is applied to it."""


def test_tensors_of_other_kinds(pair: Any) -> None:
    same(pair(X.detach().as_subclass(Own), N), X, N)
    for wrong in (X.detach().to("meta"), X.detach().to_sparse()):
        with pytest.raises((wse_mlir.CompilerError, RuntimeError, TypeError)):
            pair(wrong, N)
    with pytest.raises(wse_mlir.CompilerError, match="float64"):
        pair(X.detach().double(), N)
    with pytest.raises(wse_mlir.CompilerError, match=r"\[3, 4\]"):
        pair(X.detach().t(), N)
    with pytest.raises(wse_mlir.CompilerError, match="2 tensors"):
        pair(X.detach())


def test_negative_views_of_one_element() -> None:
    """The imaginary part of a conjugate is contiguous if there is only one, and its memory holds the negative."""
    compiled = wse_mlir.compile(nn.Identity(), (torch.zeros(1),))
    x = torch.tensor([2.0 + 3.0j]).conj().imag
    assert x.is_neg() and compiled(x).item() == -3.0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.uint8, torch.bool, torch.int64])
def test_element_types(dtype: torch.dtype) -> None:
    x = torch.tensor([[0, 1, 1], [1, 0, 1]]).to(dtype)
    compiled = wse_mlir.compile(Twice(), (x,))
    (result,) = compiled(x)
    assert result.dtype == dtype and torch.equal(result, torch.cat((x, x)))


class Twice(nn.Module):
    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [torch.cat((x, x))]


@pytest.mark.parametrize("shape", [(0, 3), (), (1,), (2, 0)])
def test_no_elements_and_no_dimensions(shape: tuple[int, ...]) -> None:
    x = torch.ones(shape)
    compiled = wse_mlir.compile(nn.ReLU(), (x,))
    assert torch.equal(compiled(x), x)
    array = compiled(x.numpy())
    assert isinstance(array, np.ndarray) and array.shape == shape


class Counter(nn.Module):
    """A state, which calls update."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total += x
        return self.total * 2


def test_states_are_kept_between_calls_of_both_kinds() -> None:
    compiled = wse_mlir.compile(Counter(), (torch.ones(3),))
    assert compiled(torch.ones(3)).tolist() == [2, 2, 2]
    assert compiled(torch.ones(6)[::2]).tolist() == [4, 4, 4]
    assert compiled(np.ones(3, np.float32)).tolist() == [6, 6, 6]
    compiled.reset()
    assert compiled(torch.ones(3)).tolist() == [2, 2, 2] and compiled.state["total"].tolist() == [1, 1, 1]


class Filler(nn.Module):
    """Writes into its input."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x.mul_(2)
        return x + 1


def test_inputs_that_the_model_changes() -> None:
    compiled = wse_mlir.compile(Filler(), (torch.ones(3),))
    x = torch.ones(3)
    assert compiled(x).tolist() == [3, 3, 3] and x.tolist() == [2, 2, 2]


def test_calls_of_several_threads(pair: Any) -> None:
    """Every thread gets the results of its own arguments."""
    barrier = threading.Barrier(4)

    def calls(number: int) -> None:
        barrier.wait(60)
        for turn in range(100):
            x = X.detach() + number * 1000 + turn
            same(pair(x, N + turn), x, N + turn)

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(calls, number) for number in range(4)]:
            done.result()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_models_on_threads_called_from_threads(threads: int) -> None:
    """Calls at the same time share one pool; results are those of one thread, bit by bit."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(65, 127), nn.GELU(), nn.Linear(127, 33), nn.Softmax(-1)).eval()
    x = torch.randn(3001, 65)
    alone = wse_mlir.compile(model, (x,), num_threads=1)(x)
    compiled = [wse_mlir.compile(model, (x,), num_threads=threads) for _ in range(2)]
    with torch.no_grad(), ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda k: compiled[k % 2](x), range(24)))
        assert torch.allclose(alone, model(x), atol=1e-6)
    assert all(torch.equal(result, alone) for result in results)


def test_views_that_are_negative_of_what_lies_in_memory() -> None:
    compiled = wse_mlir.compile(nn.Tanh(), (torch.ones(1),))
    one = torch.conj(torch.tensor([1j])).imag
    assert one.is_neg() and one.is_contiguous() and one.shape == (1,)
    assert torch.allclose(compiled(one), torch.tensor([-1.0]).tanh())


def test_outputs_of_inference_mode_are_tensors_of_it(pair: Any) -> None:
    with torch.inference_mode():
        assert all(result.is_inference() for result in pair(X.detach(), N))
    assert not any(result.is_inference() for result in pair(X.detach(), N))
