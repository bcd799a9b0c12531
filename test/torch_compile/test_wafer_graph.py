"""`torch.compile(..., options={"target": ...})`: graphs on simulated wafers."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch
from torch import nn

import wse_mlir
from wse_mlir.passes.infra.diagnostics import CompilerError

WAFER = {"target": "tiny", "grid": "2x2"}


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    torch._dynamo.reset()
    torch.manual_seed(5)
    yield
    torch._dynamo.reset()


def on_wafer(function: Any, **options: Any) -> Any:
    return torch.compile(function, backend="wse_mlir", options={**WAFER, **options})


def perceptron() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 9), nn.GELU(), nn.Linear(9, 3))


def close(actual: torch.Tensor, expected: torch.Tensor) -> bool:
    return torch.allclose(actual, expected, rtol=1e-3, atol=1e-5)


def test_parameters_stay_on_the_device_and_are_loaded_again_when_they_change() -> None:
    model, x = perceptron().eval(), torch.randn(5, 6)
    compiled = on_wafer(model)
    with torch.no_grad():
        assert close(compiled(x), model(x))
        (graph,) = wse_mlir.torch_compile_report().graphs
        transfers = graph.device["cycles"]["host_io"]
        model[0].weight.data[0, 0] += 3  # which PyTorch's count of writes does not see
        assert close(compiled(x), model(x))
        model[2].bias.mul_(-2)
        assert close(compiled(x), model(x))
    (graph,) = wse_mlir.torch_compile_report().graphs
    assert graph.kind == "inference" and graph.device["machine"] == "tiny" and graph.device["pes"] == 4
    assert graph.device["cycles"]["host_io"] == transfers
    assert "last call on tiny" in str(graph)
    assert json.loads(json.dumps(wse_mlir.torch_compile_report().as_dict()))["graphs"][0]["device"]


def test_a_model_learns() -> None:
    model, eager = perceptron(), perceptron()
    eager.load_state_dict(model.state_dict())
    x, labels = torch.randn(8, 6), torch.randint(0, 3, (8,))
    losses = []
    for trained, call in ((model, on_wafer(model)), (eager, eager)):
        steps = torch.optim.SGD(trained.parameters(), lr=0.3)
        losses.append([])
        for _ in range(3):
            steps.zero_grad()
            loss = nn.functional.cross_entropy(call(x), labels)
            loss.backward()
            steps.step()
            losses[-1].append(loss.item())
    assert losses[0] == pytest.approx(losses[1], rel=1e-4) and losses[1][-1] < losses[1][0]
    for ours, theirs in zip(model.parameters(), eager.parameters(), strict=True):
        assert close(ours, theirs)
    assert {g.kind for g in wse_mlir.torch_compile_report().graphs if g.device} == {"forward", "backward"}


def _strange(x: torch.Tensor, y: torch.Tensor, number: int) -> tuple[Any, ...]:
    total = x @ y.T + number
    return total.T, x[1:], total[:, 1].half(), number, None, (y > 0), y.to(torch.uint8)


def test_arguments_and_results_of_any_form() -> None:
    x, y = torch.randn(6, 4).T, torch.rand(3, 12)[:, ::2] * 200
    for number in (2, 3):
        results, expected = on_wafer(_strange)(x, y, number), _strange(x, y, number)
        for actual, wanted in zip(results, expected, strict=True):
            if isinstance(wanted, torch.Tensor):
                assert (actual.dtype, actual.shape, actual.stride()) == (
                    wanted.dtype,
                    wanted.shape,
                    wanted.stride(),
                )
                assert torch.allclose(actual.double(), wanted.double(), rtol=1e-2)
            else:
                assert actual == wanted
    assert on_wafer(_strange)(x, y, 2)[1].data_ptr() == x[1:].data_ptr(), "a view of an input stays one"


def test_each_size_has_a_program() -> None:
    model, compiled = perceptron().eval(), None
    with torch.no_grad():
        compiled = torch.compile(model, backend="wse_mlir", options=WAFER, dynamic=True)
        for rows in (5, 3):
            x = torch.randn(rows, 6)
            assert close(compiled(x), model(x))
    (graph,) = wse_mlir.torch_compile_report().graphs
    assert len(graph.specialisations) == 2 and "fixed sizes" in graph.specialised_because


def test_calls_from_threads_take_turns() -> None:
    model = perceptron().eval()
    compiled, inputs = on_wafer(model), [torch.randn(5, 6) for _ in range(4)]
    with torch.no_grad():
        compiled(inputs[0])

    def called(x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            return compiled(x)

    with ThreadPoolExecutor(4) as threads:
        for x, result in zip(inputs, threads.map(called, inputs), strict=True):
            assert close(result, model(x))


def test_what_is_not_supported_runs_in_pytorch_where_that_is_asked_for() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.qr(x * 2)[1].abs().cumsum(0)

    x = torch.randn(4, 4)
    with pytest.raises(Exception, match="linalg_qr"):
        on_wafer(function)(x)
    torch._dynamo.reset()
    assert close(on_wafer(function, fallback="eager")(x), function(x))
    (graph,) = wse_mlir.torch_compile_report().graphs
    assert graph.device and any("qr" in str(x) for x in graph.eager)


def test_the_cpu_may_be_named() -> None:
    x = torch.randn(3)
    assert torch.compile(torch.sin, backend="wse_mlir", options={"target": "cpu"})(x).allclose(x.sin())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "tinny"}, "no target is named 'tinny'"),
        ({"target": 3}, "not an object of type int"),
        ({"target": "tiny", "num_threads": 2}, "has no option 'num_threads'"),
        ({"target": "tiny", "grid": "90x90"}, "90x90 does not fit"),
        ({"grid": "2x2"}, "has no option 'grid'"),
    ],
)
def test_mistakes(options: dict[str, Any], message: str) -> None:
    with pytest.raises(Exception, match=message) as raised:
        torch.compile(torch.sin, backend="wse_mlir", options=options)(torch.randn(3))
    causes = [raised.value, raised.value.__cause__, getattr(raised.value, "inner_exception", None)]
    assert any(isinstance(cause, CompilerError) for cause in causes)


def test_what_has_no_lowering_runs_as_compiled_code_between_parts_on_the_wafer() -> None:
    def function(x: torch.Tensor, y: torch.Tensor, none: torch.Tensor) -> torch.Tensor:
        return torch.tanh(torch.relu(x) @ y) + none.prod(0)

    args = torch.randn(4, 8), torch.randn(8, 6), torch.randn(0, 6)
    with pytest.raises(Exception, match="a tensor without elements cannot be spread"):
        on_wafer(function)(*args)
    torch._dynamo.reset()
    assert close(on_wafer(function, fallback="cpu")(*args), function(*args))
    with pytest.raises(Exception, match="option 'fallback' is 'cpu', which is none of its values"):
        torch.compile(function, backend="wse_mlir", options={"fallback": "cpu"})(*args)
