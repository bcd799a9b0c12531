"""What is not supported is an error that says how to run it in PyTorch, and what runs where is reported."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from beside_eager import compiled, same_as_eager
from torch import nn
from torch._dynamo.exc import BackendCompilerFailed
from torch.fx import GraphModule

import wse_mlir
from wse_mlir.frontend.provenance import node_provenance
from wse_mlir.passes.infra.timing import Timer
from wse_mlir.torch_backend import native_graph
from wse_mlir.torch_backend.native_graph import compile_graph

EAGER = {"options": {"fallback": "eager"}}


def with_eigenvalues(x: torch.Tensor) -> torch.Tensor:
    y = (x * 2).relu()
    z = torch.linalg.eigvalsh(y @ y.t())
    return z.sin() + 1


def test_an_unsupported_operator_is_named_with_its_line_and_the_way_out() -> None:
    with pytest.raises(BackendCompilerFailed) as raised:
        compiled(with_eigenvalues)(torch.randn(3, 3))
    message = str(raised.value)
    line = with_eigenvalues.__code__.co_firstlineno + 2
    assert f"test_fallback.py:{line}" in message and "eigh" in message
    assert '"fallback": "eager"' in message
    assert isinstance(raised.value.inner_exception, wse_mlir.CompilerError)


def test_what_is_not_supported_runs_in_pytorch_when_asked_for() -> None:
    x = torch.randn(3, 3, requires_grad=True)
    same_as_eager(with_eigenvalues, x, by=compiled(with_eigenvalues, **EAGER))
    report = wse_mlir.torch_compile_report()
    forward = report.graphs[0]
    assert [x.name for x in forward.eager] and all("eigh" in x.name for x in forward.eager)
    assert {"aten.mul", "aten.relu", "aten.sin"} <= {x.name for x in forward.compiled}
    line = with_eigenvalues.__code__.co_firstlineno + 2
    assert f"test_fallback.py:{line}" in forward.eager[0].where and forward.eager[0].reason
    assert "eigh" in str(report) and json.dumps(report.as_dict())


def test_random_operators_run_in_pytorch() -> None:
    model = nn.Sequential(nn.Linear(6, 32), nn.Dropout(0.5), nn.ReLU(), nn.Linear(32, 2))
    with pytest.raises(BackendCompilerFailed, match="random"):
        compiled(model)(torch.randn(4, 6))
    torch._dynamo.reset()
    call = compiled(model, **EAGER)
    x = torch.randn(4, 6, requires_grad=True)
    torch.manual_seed(1)
    first = call(x)
    assert not torch.equal(first, call(x))
    torch.manual_seed(1)
    assert torch.equal(first, call(x))
    first.sum().backward()
    # The gradient of the last layer's weight is the sum of what dropout let through: half of it is zero.
    kept = model[3].weight.grad[0] != 0
    assert 0 < kept.sum() <= 32
    model.eval()
    same_as_eager(model, x, by=call)


def test_falling_back_with_open_sizes() -> None:
    call = compiled(with_eigenvalues, dynamic=True, **EAGER)
    for n in (3, 4):
        same_as_eager(with_eigenvalues, torch.randn(n, 5), by=call)


def test_nothing_falls_back_where_all_is_supported() -> None:
    same_as_eager(torch.sin, torch.randn(3), by=compiled(torch.sin, **EAGER))
    assert not wse_mlir.torch_compile_report().graphs[0].eager


def test_dynamo_can_still_be_told_to_suppress_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger("torch._dynamo.convert_frame"), "disabled", True)
    call = compiled(with_eigenvalues, fullgraph=False)
    with torch._dynamo.config.patch(suppress_errors=True):
        same_as_eager(with_eigenvalues, torch.randn(3, 3), by=call)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"threads": 2}, "no option 'threads'.*\n.*fallback, target, num_threads, cpu, features"),
        ({"fallback": "inductor"}, "option 'fallback' is 'inductor'"),
        ({"num_threads": 999}, "num_threads is 999"),
        ({"cpu": "pentium-nope"}, "pentium-nope"),
    ],
)
def test_wrong_options(options: dict[str, object], expected: str) -> None:
    with pytest.raises(BackendCompilerFailed, match=expected):
        torch.compile(torch.sin, backend="wse_mlir", options=options)(torch.randn(3))


def test_modes_are_refused() -> None:
    with pytest.raises(BackendCompilerFailed, match="no modes"):
        torch.compile(torch.sin, backend="wse_mlir", mode="max-autotune")(torch.randn(3))


def test_another_device_is_refused() -> None:
    with pytest.raises(BackendCompilerFailed, match="device 'meta'"):
        compiled(torch.sin)(torch.randn(3, device="meta"))


def test_code_for_another_processor_is_made() -> None:
    same_as_eager(torch.exp, torch.randn(9), by=compiled(torch.exp, options={"cpu": "x86-64-v3"}))


@pytest.mark.parametrize("known", [True, False])
def test_parts_that_fail_late_run_in_pytorch(monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    """A pass may fail on what could be imported; the operator it names is left out, or else the whole part."""

    def failing(graph: GraphModule, options: Mapping[str, Any], timer: Timer) -> Any:
        cosines = graph.graph.find_nodes(op="call_function", target=torch.ops.aten.cos.default)
        if cosines:
            where = str(node_provenance(cosines[0], {}))
            raise wse_mlir.CompilerError("a pass failed", where=where if known else "")
        return compile_graph(graph, options, timer)

    monkeypatch.setattr(native_graph, "compile_graph", failing)

    def function(x: torch.Tensor) -> torch.Tensor:
        return x.sin().cos().exp()

    same_as_eager(function, torch.randn(3), by=compiled(function, **EAGER))
    (report,) = wse_mlir.torch_compile_report().graphs
    assert all(x.reason == "a pass failed" for x in report.eager)
    expected = {"aten.cos"} if known else {"aten.sin", "aten.cos", "aten.exp"}
    assert {x.name for x in report.eager} == expected


@pytest.mark.parametrize(
    ("function", "x", "expected"),
    [
        (lambda x: x.to(torch.float8_e4m3fn).float(), torch.ones(3), "type torch.float8_e4m3fn"),
        (
            lambda x: x.float(),
            torch.ones(3, dtype=torch.uint16),
            "an input has elements of type torch.uint16",
        ),
        (lambda x: x * 2, torch.ones(3, dtype=torch.complex64), "an input is a complex tensor"),
        (lambda x: torch.fft.rfft(x).abs(), torch.ones(3), "complex numbers"),
        (lambda x: x[x > 0], torch.ones(3), "size depends on the values"),
        (lambda x: torch.cond(x.sum() > 0, torch.sin, torch.cos, (x,)), torch.ones(3), "control flow"),
    ],
)
def test_refused_kinds_of_values_run_in_pytorch_when_asked_for(
    function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, expected: str
) -> None:
    with torch._dynamo.config.patch(capture_dynamic_output_shape_ops=True):
        with pytest.raises(BackendCompilerFailed, match=expected):
            compiled(function)(x)
        torch._dynamo.reset()
        assert torch.equal(compiled(function, **EAGER)(x), function(x))


def test_sparse_gradients_run_in_pytorch_when_asked_for() -> None:
    table, words = torch.nn.Embedding(10, 4, sparse=True), torch.tensor([1, 2, 1])
    with pytest.raises(Exception, match="is a sparse_coo tensor"):
        compiled(table)(words).sum().backward()
    torch._dynamo.reset()
    compiled(table, **EAGER)(words).sum().backward()
    assert table.weight.grad is not None
    expected = torch.zeros(10, 4)
    expected[1], expected[2] = 2, 1
    assert torch.equal(table.weight.grad.to_dense(), expected)
