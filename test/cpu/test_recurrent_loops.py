"""Recurrent models, whose steps become a loop, against PyTorch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.utils import _pytree

import wse_mlir
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.pipelines.rows import FOLD_STAGE, IMPORTED_STAGE, ROLL_STAGE


def check(model: nn.Module, *inputs: torch.Tensor) -> None:
    model = model.eval()
    with torch.no_grad():
        expected = model(*inputs)
    compiled: Any = wse_mlir.compile(model, inputs)
    for _ in range(2):  # buffers that carry the state start anew
        for got, want in zip(
            _pytree.tree_leaves(compiled(*inputs)), _pytree.tree_leaves(expected), strict=True
        ):
            assert got.shape == want.shape
            assert (got - want).abs().max() <= 1e-4 * want.abs().max()


def loops(model: nn.Module, *inputs: torch.Tensor) -> int:
    """Loops after the row that makes them."""
    module: Any = wse_mlir.import_model(model.eval(), inputs)
    stages = ",".join(stage.passes for stage in (IMPORTED_STAGE, FOLD_STAGE, ROLL_STAGE))
    run_pipeline(module, f"builtin.module({stages})")
    return str(module).count("scf.for")


@pytest.mark.parametrize(
    ("kind", "layers", "both", "batch_first", "length"),
    [
        (nn.LSTM, 1, False, True, 11),
        (nn.GRU, 1, True, True, 9),
        (nn.RNN, 2, False, False, 17),
        (nn.LSTM, 1, False, False, 1),
    ],
)
def test_layers(kind: type[nn.RNNBase], layers: int, both: bool, batch_first: bool, length: int) -> None:
    make: Any = kind
    model = make(5, 7, layers, bidirectional=both, batch_first=batch_first)
    shape = (2, length, 5) if batch_first else (length, 2, 5)
    check(model, torch.randn(*shape))


class Written(nn.Module):
    """A cell of the user's own, which joins input and state."""

    def __init__(self, keep: str) -> None:
        super().__init__()
        self.keep = keep
        self.update, self.candidate = nn.Linear(12, 7), nn.Linear(12, 7)

    def forward(self, x: torch.Tensor, state: torch.Tensor) -> Any:
        states = []
        for step in range(x.shape[1]):
            joined = torch.cat([x[:, step], state], -1)
            gate = torch.sigmoid(self.update(joined))
            state = gate * state + (1 - gate) * torch.tanh(self.candidate(joined))
            states.append(state)
        if self.keep == "some":
            return states[3], states[-1], torch.stack(states[2:5])
        return torch.stack(states, 1) if self.keep == "all" else state


@pytest.mark.parametrize("keep", ["all", "last", "some"])
def test_a_loop_over_time(keep: str) -> None:
    inputs = (torch.randn(3, 10, 5), torch.randn(3, 7))
    check(Written(keep), *inputs)


def test_the_steps_become_loops() -> None:
    assert loops(nn.LSTM(5, 7), torch.randn(12, 2, 5)) == 1
    assert loops(nn.GRU(5, 7, bidirectional=True), torch.randn(12, 2, 5)) == 2
    assert loops(Written("all"), torch.randn(3, 12, 5), torch.randn(3, 7)) == 1


def test_layers_of_their_own_weights_stay() -> None:
    model = nn.Sequential(
        *(layer for _ in range(12) for layer in (nn.Linear(8, 8), nn.Tanh(), nn.LayerNorm(8)))
    )
    assert loops(model, torch.randn(2, 8)) == 0
