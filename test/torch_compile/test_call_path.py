"""What happens in a call: no computation by PyTorch, threads side by side, two compiled functions of one module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import torch
from beside_eager import compiled, same_as_eager
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode

from wse_mlir import torch_compile_report
from wse_mlir.frontend.graphs import import_graph
from wse_mlir.passes.infra.timing import Timer
from wse_mlir.torch_backend.compiler import GraphCompiler
from wse_mlir.torch_backend.native_graph import compile_graph

MOVES = {"detach", "alias", "view", "as_strided", "empty_strided", "empty", "copy_", "clone", "permute", "t"}


class Recording(TorchDispatchMode):
    """Counts the operators that PyTorch runs while it is entered."""

    def __init__(self) -> None:
        super().__init__()
        self.operators: Counter[str] = Counter()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        self.operators[func._schema.name.removeprefix("aten::")] += 1
        return func(*args, **(kwargs or {}))


def network() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 3), nn.Softmax(-1))


def test_compiled_graphs_compute_nothing_in_pytorch(monkeypatch: pytest.MonkeyPatch) -> None:
    model = network()
    graphs: list[Callable[[list[Any]], Any]] = []
    calls: list[Counter[str]] = []

    def counting(call: Callable[[list[Any]], Any]) -> Callable[[list[Any]], Any]:
        def counted(args: list[Any]) -> Any:
            with Recording() as recording:
                results = call(args)
            calls.append(recording.operators)
            return results

        counted._boxed_call = True  # type: ignore[attr-defined]
        graphs.append(call)
        return counted

    original = GraphCompiler._compile
    monkeypatch.setattr(GraphCompiler, "_compile", lambda *given: counting(original(*given)))
    function = compiled(model)
    x = torch.randn(4, 5, requires_grad=True)
    for _ in range(2):
        function(x).sum().backward()
    with torch.no_grad():
        function(x)
    assert len(graphs) == 3 and len(calls) == 5
    computed = [set(c) - MOVES for c in calls]
    assert not any(computed), computed
    assert all(calls), "allocations are seen, so that the test can see more"


def run_in_threads(work: Callable[[int], None], count: int) -> None:
    """Runs `work(0)`, `work(1)`, ... at the same time; raises the first error."""
    with ThreadPoolExecutor(count) as pool:
        for future in [pool.submit(work, index) for index in range(count)]:
            future.result()


def test_threads_call_one_function_at_the_same_time() -> None:
    model = network()
    function = compiled(model)
    inputs = [torch.randn(4, 5) for _ in range(4)]
    with torch.no_grad():
        expected = [model(x) for x in inputs]
        function(inputs[0])

    def work(index: int) -> None:
        with torch.no_grad():
            for _ in range(200):
                assert torch.allclose(function(inputs[index]), expected[index], atol=1e-5)

    run_in_threads(work, len(inputs))


def test_threads_that_compile_at_the_same_time() -> None:
    def function(x: torch.Tensor, k: int) -> torch.Tensor:
        return (x * k).relu().sum(0)

    call = compiled(function)
    x = torch.randn(4, 5)
    run_in_threads(lambda index: same_as_eager(function, x, index, by=call), 3)


def test_threads_that_compile_for_other_sizes_at_the_same_time() -> None:
    """TorchDynamo lets one thread compile at a time, but does not know of code that is made for sizes one by one."""

    def function(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return (x @ y).relu()

    call = compiled(function, dynamic=True)
    call(torch.randn(2, 3), torch.randn(3, 4))

    def work(index: int) -> None:
        for columns in (2, 5, 2):
            x, y = torch.randn(5 + index, 3), torch.randn(3, columns)
            assert torch.allclose(call(x, y), function(x, y), atol=1e-5)

    run_in_threads(work, 3)


def test_graphs_come_from_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WSE_CACHE", "1")
    monkeypatch.setenv("WSE_CACHE_DIR", str(tmp_path))
    x = torch.randn(4, 5, requires_grad=True)
    model = network()
    steps = []
    for _ in range(2):
        torch._dynamo.reset()
        same_as_eager(model, x, by=compiled(model))
        steps.append([set(report.seconds) for report in torch_compile_report().graphs])
        model.zero_grad()
    assert all("passes" in names for names in steps[0])
    assert not any("passes" in names for names in steps[1])


def test_one_module_in_two_compiled_functions() -> None:
    model = network()
    first, second = compiled(model), compiled(lambda x: model(x) * 2)
    x = torch.randn(4, 5)
    same_as_eager(model, x, by=first)
    assert torch.allclose(second(x), model(x) * 2, atol=1e-5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1)
    assert torch.allclose(first(x), model(x), atol=1e-5)
    assert torch.allclose(second(x), model(x) * 2, atol=1e-5)


def test_a_replaced_parameter_is_seen() -> None:
    model = network()
    function = compiled(model)
    x = torch.randn(4, 5)
    same_as_eager(model, x, by=function)
    model.load_state_dict({k: v + 1 for k, v in model.state_dict().items()}, assign=True)
    same_as_eager(model, x, by=function)


def test_a_call_empties_its_list_of_arguments() -> None:
    """So that activations die with the backward call that read them."""
    x = torch.randn(3)
    with FakeTensorMode() as mode:
        graph = make_fx(lambda y: (y.exp(),))(mode.from_tensor(x))
    args = [x]
    (result,) = compile_graph(graph, {}, Timer())(args)
    assert args == [] and torch.allclose(result, x.exp())


def test_inputs_of_values_without_elements_stay_inputs() -> None:
    with FakeTensorMode() as mode:
        x, w = mode.from_tensor(torch.empty(0, 2)), mode.from_tensor(torch.empty(2, 3))
    graph = make_fx(lambda x, w: x @ w, tracing_mode="fake")(x, w)
    assert [argument.shape for argument in import_graph(graph).arguments] == [(0, 2), (2, 3)]
