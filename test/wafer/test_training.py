"""Steps of training on a wafer: losses and parameters are those of eager PyTorch, and parameters stay on the PEs."""

from __future__ import annotations

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn
from zoo import error

import wse_mlir


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(12, 9), nn.LayerNorm(9), nn.GELU(), nn.Linear(9, 5))


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 3, 3, padding=1), nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(3, 4, 3, stride=2, bias=False), nn.ReLU(), nn.Flatten(), nn.Linear(4, 5),
    )  # fmt: skip


@pytest.mark.parametrize(("model", "size", "grid"), [(mlp, (6, 12), "3x2"), (cnn, (6, 1, 7, 7), "2x2")])
def test_losses_and_parameters_are_those_of_eager_steps(
    model: Callable[[], nn.Module], size: tuple[int, ...], grid: str
) -> None:
    step = wse_mlir.TrainingStep(model(), nn.functional.cross_entropy, learning_rate=0.1)
    batches = [(torch.randn(size), torch.randint(0, 5, (6,))) for _ in range(3)]
    eager = copy.deepcopy(step)
    compiled = wse_mlir.compile(step, batches[0], target="tiny", grid=grid)
    for batch in batches:
        assert error(compiled(*batch), eager(*batch)) <= 1e-3
    assert compiled._executable.held_states == set(step.state_dict()), "parameters go to the host"
    for name, value in compiled.state.items():
        assert error(value, eager.state_dict()[name]) <= 1e-3, name
