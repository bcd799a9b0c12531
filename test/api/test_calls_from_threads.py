"""One compiled object, called from many threads: every call gets its own answer, and a state its whole update."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch

import wse_mlir

THREADS, CALLS = 4, 25


def in_threads(work: Callable[[int], Any]) -> list[Any]:
    """What `work` of each thread's number returns; all begin together."""
    barrier = threading.Barrier(THREADS, timeout=60)

    def begin(number: int) -> Any:
        barrier.wait()
        return work(number)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(begin, range(THREADS)))


def all_answers_are_own(compiled: Callable[..., Any], model: torch.nn.Module, shape: tuple[int, ...]) -> bool:
    """Each thread calls with numbers of its own."""

    def calls(number: int) -> bool:
        inputs = [torch.full(shape, float(number * CALLS + k)) / 50 for k in range(CALLS)]
        return all(torch.allclose(compiled(x), model(x), atol=1e-4) for x in inputs)

    return all(in_threads(calls))


@pytest.fixture(scope="module")
def model() -> Iterator[torch.nn.Module]:
    torch.manual_seed(0)
    yield torch.nn.Sequential(torch.nn.Linear(16, 64), torch.nn.Tanh(), torch.nn.Linear(64, 8)).eval()


@pytest.mark.parametrize(
    "options", [{}, {"num_threads": 2}, {"target": "tiny"}], ids=["cpu", "pool", "wafer"]
)
@torch.no_grad()
def test_answers_are_own(model: torch.nn.Module, options: dict[str, Any], tmp_path: Path) -> None:
    """On a wafer, calls used to find others' data in the PEs. The object from a file is tried too."""
    compiled = wse_mlir.compile(model, (torch.rand(4, 16),), cache=False, **options)
    assert all_answers_are_own(compiled, model, (4, 16))
    compiled.save(tmp_path / "model.wse")
    assert all_answers_are_own(wse_mlir.load(tmp_path / "model.wse"), model, (4, 16))


@torch.no_grad()
def test_answers_of_large_calls_that_overlap() -> None:
    """Temporary memory is each call's own."""
    torch.manual_seed(0)
    model = torch.nn.TransformerEncoderLayer(32, 2, 64, batch_first=True).eval()
    x = torch.rand(2, 64, 32)
    compiled = wse_mlir.compile(model, (x,), cache=False)
    assert compiled.report["memory"]["arena_bytes"] > 0, "or this shows nothing"
    inputs = [torch.rand(2, 64, 32) for _ in range(THREADS)]
    expected = [model(x) for x in inputs]
    answers = in_threads(lambda n: [compiled(inputs[n]) for _ in range(CALLS)])
    for own, wanted in zip(answers, expected, strict=True):
        assert all(torch.allclose(a, wanted, atol=1e-5) for a in own)


class Counter(torch.nn.Module):
    """Counts calls in a state of many elements, and adds up what it is given in another."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("calls", torch.zeros(500))
        self.register_buffer("total", torch.zeros(500))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.calls.add_(1)
        self.total.add_(x)
        return self.calls + 0, self.total + 0


@pytest.mark.parametrize("target", ["cpu", "tiny"])
def test_a_call_updates_its_state_as_a_whole(target: str) -> None:
    compiled = wse_mlir.compile(Counter(), (torch.ones(500),), target=target, cache=False)
    seen = [
        pair
        for own in in_threads(lambda n: [compiled(torch.ones(500)) for _ in range(CALLS)])
        for pair in own
    ]
    assert sorted(float(calls[0]) for calls, _ in seen) == [float(k) for k in range(1, THREADS * CALLS + 1)]
    for calls, total in seen:
        assert torch.equal(calls, total) and (calls == calls[0]).all()
    compiled.reset()
    assert float(compiled(torch.ones(500))[0][0]) == 1.0


def test_resets_and_reports_beside_calls() -> None:
    """A reset falls between two calls."""
    compiled = wse_mlir.compile(Counter(), (torch.ones(500),), cache=False)

    def work(number: int) -> bool:
        if number == 0:
            for _ in range(CALLS):
                compiled.reset()
                assert compiled.report["target"] == "cpu"
            return True
        return all(
            (calls == calls[0]).all() for calls, _ in (compiled(torch.ones(500)) for _ in range(4 * CALLS))
        )

    assert all(in_threads(work))


@torch.no_grad()
def test_calls_while_parameters_change() -> None:
    """Each call sees all of the old parameters or all of the new ones."""
    model = torch.nn.Linear(64, 64)
    for parameter in model.parameters():
        parameter.fill_(1.0)
    compiled = wse_mlir.compile(model, (torch.ones(8, 64),), cache=False)
    weights = [
        {name: torch.full_like(p, value) for name, p in model.named_parameters()} for value in (1.0, 2.0)
    ]

    def work(number: int) -> set[float]:
        if number == 0:
            for k in range(CALLS):
                compiled.update_parameters(weights[k % 2])
            return set()
        return {float(v) for _ in range(4 * CALLS) for v in compiled(torch.ones(8, 64)).unique()}

    assert set().union(*in_threads(work)) <= {65.0, 130.0}
    compiled.update_parameters(weights[1])
    assert float(compiled(torch.ones(8, 64)).unique()) == 130.0


def test_functions_of_torch_compile_in_threads(model: torch.nn.Module) -> None:
    """Inference, and training steps of threads that each have their own tensors."""
    torch._dynamo.reset()
    compiled = torch.compile(model, backend="wse_mlir")
    with torch.no_grad():
        compiled(torch.rand(4, 16))
        assert all_answers_are_own(compiled, model, (4, 16))
    first = torch.rand(4, 16, requires_grad=True)
    compiled(first).sum().backward()

    def gradient(number: int) -> bool:
        x = torch.full((4, 16), number / 4, requires_grad=True)
        (own,) = torch.autograd.grad(compiled(x).square().sum(), x)
        (wanted,) = torch.autograd.grad(model(x).square().sum(), x)
        return torch.allclose(own, wanted, atol=1e-4)

    assert all(in_threads(lambda n: all(gradient(n * CALLS + k) for k in range(CALLS))))
    torch._dynamo.reset()
