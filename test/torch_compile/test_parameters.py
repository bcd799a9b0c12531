"""Weights of graphs without gradients are packed once, and again whenever they have changed."""

from __future__ import annotations

import copy
import gc
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from beside_eager import assert_close, compiled
from torch import nn
from zoo import ScaledByState

from wse_mlir.runtime.cpu.provisions import Preparation
from wse_mlir.torch_backend.parameters import PreparedParameters


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Grows by one whenever something is prepared."""
    counted: list[int] = []
    run = Preparation.run

    def counting(self: Preparation, parameters: Sequence[np.ndarray]) -> None:
        counted.append(1)
        run(self, parameters)

    monkeypatch.setattr(Preparation, "run", counting)
    yield counted


def network() -> nn.Module:
    """Layers with weights to be packed, a norm to be folded and a buffer."""
    layers = nn.Conv2d(3, 20, 3), nn.BatchNorm2d(20), nn.ReLU(), nn.Flatten(), nn.Linear(20 * 16, 24)
    return nn.Sequential(*layers).eval()


def image(batch: int = 9) -> torch.Tensor:
    return torch.randn(batch, 3, 6, 6)


def check(function: Callable[..., Any], model: nn.Module, x: torch.Tensor) -> None:
    with torch.no_grad():
        assert_close(function(x), model(x))


def test_parameters_are_prepared_once(runs: list[int]) -> None:
    model = network()
    function = compiled(model)
    for _ in range(4):
        check(function, model, image())
    assert len(runs) == 1


def add_in_place(model: nn.Module) -> None:
    with torch.no_grad():
        model[4].weight.mul_(2)  # type: ignore[index]


def add_in_inference_mode(model: nn.Module) -> None:
    with torch.inference_mode():
        model[4].weight[3:5].add_(2)  # type: ignore[index]


def change_a_buffer(model: nn.Module) -> None:
    model[1].running_mean.add_(1)  # type: ignore[index]


def write_behind_the_counter(model: nn.Module) -> None:
    model[0].weight.data.neg_()  # type: ignore[index]


def write_by_numpy(model: nn.Module) -> None:
    model[0].weight.detach().numpy()[:] *= 3  # type: ignore[index]


def give_other_memory(model: nn.Module) -> None:
    model[4].weight.data = torch.randn(24, 320)  # type: ignore[index]


def swap_a_parameter(model: nn.Module) -> None:
    model[4].weight = nn.Parameter(torch.randn(24, 320))  # type: ignore[index]


def load(model: nn.Module) -> None:
    model.load_state_dict({name: value + 1 for name, value in model.state_dict().items()})


def load_and_assign(model: nn.Module) -> None:
    model.load_state_dict({name: value + 1 for name, value in model.state_dict().items()}, assign=True)


def fused_step(model: nn.Module) -> None:
    """PyTorch counts no write here; nor does it change the elements that are looked at."""
    weight = model[4].weight  # type: ignore[index]
    weight.grad = torch.zeros_like(weight)
    weight.grad[1, 1:3] = 1
    torch.optim.SGD([weight], lr=0.5, fused=True).step()
    weight.grad = None


def training_step(model: nn.Module) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)
    compiled(model)(image()).square().mean().backward()
    optimizer.step()


CHANGES = [
    add_in_place,
    add_in_inference_mode,
    change_a_buffer,
    write_behind_the_counter,
    write_by_numpy,
    give_other_memory,
    swap_a_parameter,
    load,
    load_and_assign,
    fused_step,
    training_step,
]


def test_every_change_of_parameters_is_seen(runs: list[int]) -> None:
    model = network()
    function = compiled(model)
    x = image()
    check(function, model, x)
    for change in CHANGES:
        before = model(x).detach()
        change(model)
        assert (model(x) - before).abs().max() > 1e-2, change.__name__
        runs.clear()
        for _ in range(2):
            check(function, model, x)
        assert len(runs) == 1, change.__name__


def test_modules_that_share_a_graph_have_their_own(runs: list[int]) -> None:
    """As when each layer of a model is compiled by itself."""
    models = [nn.Linear(40, 24) for _ in range(3)]
    x = torch.randn(9, 40)
    function = compiled(lambda model, x: model(x).relu())
    for _ in range(3):
        for model in models:
            with torch.no_grad():
                assert_close(function(model, x), model(x).relu())
    assert len(runs) <= 3 + 1  # the first module may have a graph to itself


def test_one_module_in_two_graphs(runs: list[int]) -> None:
    model = network()
    functions = [compiled(model), compiled(lambda x: model(x) * 2)]
    x = image()
    with torch.no_grad():
        for _ in range(2):
            assert_close(functions[0](x), model(x))
            assert_close(functions[1](x), model(x) * 2)
        assert len(runs) == 2
        model[4].bias.fill_(5)  # type: ignore[index]
        assert_close(functions[0](x), model(x))
        assert_close(functions[1](x), model(x) * 2)


def test_tied_and_transposed_weights() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.randn(32, 48).T)
            self.wide = nn.Parameter(torch.randn(40, 96)[:, ::2])

        def forward(self, x: torch.Tensor) -> Any:
            return x @ self.weight.T, x @ self.weight.T @ self.wide.T, self.weight

    model = Tied()
    function = compiled(model)
    x = torch.randn(9, 32)
    for factor in (1, 2):
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.mul_(factor)
            for actual, expected in zip(function(x), model(x), strict=True):
                assert_close(actual, expected)


def test_parameters_of_inference_mode_are_prepared_in_each_call() -> None:
    with torch.inference_mode():
        model, x = nn.Linear(40, 24), torch.randn(9, 40)
        function = compiled(model)
        for _ in range(3):
            assert_close(function(x), model(x))
            model.weight[1:3, 1].mul_(2)


def test_buffers_that_a_model_writes() -> None:
    model = ScaledByState()
    reference, function, x = copy.deepcopy(model), compiled(model), torch.randn(12, 8)
    with torch.no_grad():
        for _ in range(3):
            assert_close(function(x), reference(x))


def test_batches_of_any_size(runs: list[int]) -> None:
    model = network()
    function = compiled(model)
    for batch in (4, 7, 5, 1, 4):
        check(function, model, image(batch))
    assert len(runs) == 3, "a graph for four, one for any, one for one"


def test_parts_of_a_graph(runs: list[int]) -> None:
    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(40, 24), nn.Linear(24, 40)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.last(torch.bernoulli(torch.ones_like(x @ self.first.weight.T)))

    model = Model()
    function = compiled(model, options={"fallback": "eager"})
    x = torch.randn(9, 40)
    for _ in range(3):
        check(function, model, x)
    assert len(runs) == 1, "what does not reach an output is gone"


def test_training_prepares_nothing(runs: list[int]) -> None:
    model = network().train()
    compiled(model)(image()).sum().backward()
    assert not runs


def test_threads_while_parameters_are_new(runs: list[int]) -> None:
    model = network()
    function = compiled(model)
    x = image()
    with torch.no_grad():
        check(function, model, x)
        for _ in range(3):
            model[4].weight.mul_(-1)  # type: ignore[index]
            runs.clear()
            with ThreadPoolExecutor(4) as pool:
                for future in [pool.submit(check, function, model, x) for _ in range(8)]:
                    future.result()
            assert len(runs) == 1


def test_weights_that_died_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[PreparedParameters] = []
    original = PreparedParameters.__init__

    def recording(self: PreparedParameters, *args: Any) -> None:
        original(self, *args)
        made.append(self)

    monkeypatch.setattr(PreparedParameters, "__init__", recording)
    model, x = network(), image()
    function = compiled(model)
    check(function, model, x)
    assert [len(prepared._known) for prepared in made] == [1]
    died = weakref.ref(model[4].weight)  # type: ignore[index]
    swap_a_parameter(model)
    gc.collect()
    assert died() is None and not made[0]._known
    check(function, model, x)
    give_other_memory(model)
    check(function, model, x)
    assert len(made[0]._known) == 1


@pytest.mark.parametrize(
    "options", [{"num_threads": 2}, {"features": "-avx512f"}, {"cpu": "x86-64"}], ids=str
)
def test_options(options: dict[str, Any], runs: list[int]) -> None:
    model = network()
    function = compiled(model, options=options)
    for _ in range(2):
        check(function, model, image())
    add_in_place(model)
    check(function, model, image())
    assert len(runs) == 2


def test_code_from_the_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, runs: list[int]) -> None:
    monkeypatch.setenv("WSE_CACHE", "1")
    monkeypatch.setenv("WSE_CACHE_DIR", str(tmp_path))
    for _ in range(2):
        torch._dynamo.reset()
        model = network()
        function = compiled(model)
        check(function, model, image())
        add_in_place(model)
        check(function, model, image())
    assert len(runs) == 4
