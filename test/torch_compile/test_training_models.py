"""Training through `torch.compile`: forward and backward are native code, optimisers are PyTorch's own."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator

import pytest
import torch
from beside_eager import compiled
from sklearn.datasets import load_digits
from torch import nn

STEPS = 100
BATCH = 32
EXACT_STEPS = 20

Optimiser = Callable[[Iterator[nn.Parameter]], torch.optim.Optimizer]


def multilayer_perceptron() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 10)
    )


def convolutional() -> nn.Module:
    return nn.Sequential(
        nn.Unflatten(1, (1, 8)),
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.MaxPool2d(3, stride=2, padding=1),
        nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(64, 10),
    )


class Transformer(nn.Module):
    """Reads an image's 16 squares of 4 pixels as tokens: how dark they are, in 17 levels."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(17, 16)
        self.positions = nn.Parameter(torch.randn(16, 16) * 0.1)
        self.encoder = nn.TransformerEncoderLayer(16, 2, 32, dropout=0.0, batch_first=True, activation="gelu")
        self.norm = nn.LayerNorm(16)
        self.head = nn.Linear(16 * 16, 10)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        darkness = nn.functional.avg_pool2d(images, 2).flatten(1)
        tokens = (darkness * 16).round().long()
        x = self.encoder(self.tokens(tokens) + self.positions)
        return self.head(self.norm(x).flatten(1))


def batches() -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Images of digits, [batch, 8, 8] in 0..1, and what they show."""
    pixels, shown = load_digits(return_X_y=True)
    images, labels = torch.tensor(pixels, dtype=torch.float32).reshape(-1, 8, 8) / 16, torch.tensor(shown)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    for step in range(STEPS):
        chosen = order.roll(-step * BATCH)[:BATCH]
        yield images[chosen], labels[chosen]


def train(
    model: nn.Module,
    call: Callable[..., torch.Tensor],
    optimiser: Optimiser,
    dtype: torch.dtype = torch.float32,
) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The loss of each step, and the statistics after the first 20."""
    model.train()
    steps = optimiser(model.parameters())
    losses: list[torch.Tensor] = []
    statistics: list[torch.Tensor] = []
    for images, labels in batches():
        loss = call(images.to(dtype), labels)
        steps.zero_grad()
        loss.backward()
        steps.step()
        losses.append(loss.detach())
        if len(losses) == EXACT_STEPS:
            statistics = [buffer.double() for buffer in model.buffers()]
    return torch.stack(losses).double(), statistics


def trained_in_double(
    model: nn.Module, initial: dict[str, torch.Tensor], optimiser: Optimiser, noise: float = 0.0
) -> torch.Tensor:
    """The losses of eager PyTorch in f64, of a model's copy whose parameters start `noise` of themselves off."""
    model = copy.deepcopy(model)
    model.load_state_dict(initial)
    model.double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1 + noise * torch.randn_like(parameter))

    def loss(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(model(images), labels)

    return train(model, loss, optimiser, torch.float64)[0]


def sgd(parameters: Iterator[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.05, momentum=0.9)


def adam(parameters: Iterator[nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=0.003)


@pytest.mark.parametrize("build", [multilayer_perceptron, convolutional, Transformer])
def test_losses_are_those_of_eager(build: Callable[[], nn.Module]) -> None:
    """With SGD and with Adam; batch norm gathers the same statistics and evaluates alike with them.

    Each of the first 20 losses agrees to 1e-4 of itself, and so do the statistics by then. Over all 100 training
    amplifies rounding, by steps where it flips a maximum of a pool: no loss is further from eager's in double
    precision than 1e-3 of the first one and what 1e-6 of the parameters makes of it.
    """
    model = build()
    initial = copy.deepcopy(model.state_dict())

    def loss(images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return nn.functional.cross_entropy(model(images), labels)

    call = compiled(loss)
    evaluate = compiled(model)
    for optimiser in (sgd, adam):
        expected, statistics = train(model, loss, optimiser)
        model.load_state_dict(initial)
        actual, gathered = train(model, call, optimiser)
        error = (actual - expected).abs()
        assert (error <= 1e-4 * expected)[:EXACT_STEPS].all(), (error / expected)[:EXACT_STEPS]
        exact = trained_in_double(model, initial, optimiser)
        near = [trained_in_double(model, initial, optimiser, noise=1e-6) for _ in range(4)]
        allowed = 1e-3 * exact[0] + max((losses - exact).abs().max() for losses in near)
        assert (actual - exact).abs().max() <= allowed, (actual - exact).abs() / exact[0]
        assert expected[-10:].mean() < 0.5 * expected[0], "nothing was learnt"
        torch.testing.assert_close(gathered, statistics, rtol=1e-4, atol=1e-4)
        if statistics:  # in evaluation the model is another one
            images, _ = next(batches())
            model.eval()
            with torch.no_grad():
                torch.testing.assert_close(evaluate(images), model(images), rtol=1e-4, atol=1e-4)
        model.load_state_dict(initial)


@pytest.mark.parametrize("optimiser", [sgd, lambda p: torch.optim.AdamW(p, lr=0.1, foreach=True)])
def test_optimiser_steps_can_be_compiled(optimiser: Optimiser) -> None:
    ours, theirs = (
        [nn.Parameter(torch.linspace(-1, 1, 6).reshape(2, 3)), nn.Parameter(torch.ones(4))] for _ in range(2)
    )
    steps = [optimiser(iter(parameters)) for parameters in (ours, theirs)]
    step = compiled(steps[0].step, fullgraph=False)
    for turn in range(3):
        for parameter in (*ours, *theirs):
            parameter.grad = torch.cos(parameter.detach() * (turn + 1))
        step()
        steps[1].step()
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)
