"""Parameters are taken from a model or a state dict, as a whole or not at all."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import wse_mlir

torch.manual_seed(0)
X = torch.rand(4, 70)


class Model(nn.Module):
    """With tied weights, buffers of all kinds, a state, a plain tensor, and a layer that is not used."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(70, 70), nn.Linear(70, 70)
        self.second.weight = self.first.weight
        self.unused = nn.Linear(3, 3)
        self.register_buffer("scale", torch.rand(70))
        self.register_buffer("offset", torch.rand(70), persistent=False)
        self.register_buffer("calls", torch.zeros(1))
        self.constant = torch.rand(70)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls += 1
        return self.second(self.first(x).tanh()) * self.scale + self.offset + self.constant


def changed(model: Model) -> Model:
    """Another one with the same constant and temporary buffer."""
    other = Model().requires_grad_(False)
    other.constant, other.offset = model.constant, model.offset
    return other


@pytest.fixture(scope="module", params=["cpu", "loaded", "tiny"])
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Any]:
    torch.manual_seed(1)  # each test begins with 0
    model = Model().requires_grad_(False)
    target = "tiny" if request.param == "tiny" else "cpu"
    compiled = wse_mlir.compile(model, (X,), target=target, cache=False)
    if request.param == "loaded":
        path = tmp_path_factory.mktemp("saved") / "model.wse"
        compiled.save(path)
        compiled = wse_mlir.load(path)
    return model, compiled


def agrees(compiled: Any, model: Model) -> bool:
    return torch.allclose(compiled(X), model(X), atol=1e-4)


def test_a_state_dict_a_model_and_an_exported_program(made: tuple[Model, Any]) -> None:
    model, compiled = made
    for source in (lambda m: m.state_dict(), lambda m: m, lambda m: dict(m.state_dict())):
        other = changed(model)
        assert not agrees(compiled, other)
        compiled.update_parameters(source(other))
        assert agrees(compiled, other)
    before = float(compiled.state["calls"])
    compiled(X)
    assert float(compiled.state["calls"]) == before + 1  # the state goes on


def without(state: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: tensor for name, tensor in state.items() if name not in names}


def wrong_sources() -> list[tuple[Any, str]]:
    state = dict(changed(Model()).state_dict())
    return [
        (42, "cannot be taken from a int"),
        ("a path", "there is no model|loaded from a file"),
        ([], "cannot be taken from a list"),
        ({}, "lacks .*'first.bias'"),
        (
            nn.Linear(70, 70),
            "(?s)lacks .*'first.bias'.* and has 'bias', 'weight', which the compiled model has not",
        ),
        ({**state, "third.weight": X}, "has 'third.weight', which the compiled model has not"),
        (without(state, "scale"), "lacks 'scale'"),
        (without(state, "first.weight", "second.weight"), "lacks '(first|second).weight'"),
        (
            {**state, "scale": torch.rand(71)},
            r"'scale' was torch.float32 \[70\] and is torch.float32 \[71\] now",
        ),
        ({**state, "scale": torch.rand(70).double()}, "is torch.float64"),
        (
            {**state, "second.weight": torch.rand(70, 70)},
            "were one tensor when the model was compiled, and differ",
        ),
        ({**state, "scale": None}, "no state dict: 'scale' is None"),
        ({**state, "scale": torch.rand(70, device="meta")}, "on device 'meta'"),
        ({**state, "scale": torch.rand(70).to_sparse()}, "of layout torch.sparse"),
    ]


def test_what_does_not_fit_changes_nothing(made: tuple[Model, Any]) -> None:
    _, compiled = made
    before = compiled(X)
    for source, message in wrong_sources():
        with pytest.raises(wse_mlir.CompilerError, match=message):
            compiled.update_parameters(source)
    assert torch.equal(compiled(X), before)


def test_one_name_of_tied_weights_is_enough(made: tuple[Model, Any]) -> None:
    model, compiled = made
    other = changed(model)
    for left_out in ("second.weight", "first.weight"):
        compiled.update_parameters(without(other.state_dict(), left_out))
        assert agrees(compiled, other)


def test_models_from_files_take_state_dicts(tmp_path: Path) -> None:
    model = nn.Linear(8, 8).requires_grad_(False)
    x = torch.rand(2, 8)
    torch.export.save(torch.export.export(model, (x,)), tmp_path / "model.pt2")
    compiled = wse_mlir.compile(str(tmp_path / "model.pt2"), cache=False)
    with pytest.raises(wse_mlir.CompilerError, match="loaded from a file"):
        compiled.update_parameters()
    other = nn.Linear(8, 8).requires_grad_(False)
    compiled.update_parameters(other.state_dict())
    assert torch.allclose(compiled(x), other(x), atol=1e-5)
    compiled.update_parameters(torch.export.export(model, (x,)))
    assert torch.allclose(compiled(x), model(x), atol=1e-5)
