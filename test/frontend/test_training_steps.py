"""Steps of training as one program: losses and parameters as in eager PyTorch, and what is refused."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from zoo import error

import wse_mlir


class Odd(nn.Module):
    """Tied weights, running statistics, a parameter that no loss depends on, one that is not trained."""

    def __init__(self) -> None:
        super().__init__()
        self.embedding, self.norm = nn.Embedding(9, 8), nn.BatchNorm1d(8)
        self.encoder = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True)
        self.head, self.unused, self.fixed = nn.Linear(8, 9, bias=False), nn.Linear(3, 3), nn.Linear(8, 8)
        self.head.weight = self.embedding.weight
        self.fixed.requires_grad_(False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(torch.tanh(self.fixed(self.encoder(self.embedding(x)))[:, -1])))


def test_losses_parameters_and_buffers_are_those_of_eager_steps() -> None:
    step = wse_mlir.TrainingStep(Odd(), nn.functional.cross_entropy, learning_rate=0.1, weight_decay=0.01)
    batches = [(torch.randint(0, 9, (4, 5)), torch.randint(0, 9, (4,))) for _ in range(3)]
    eager = copy.deepcopy(step)
    compiled = wse_mlir.compile(step, batches[0])
    for batch in batches:
        assert error(compiled(*batch), eager(*batch)) <= 1e-4
    state = compiled.state
    trained = {name for name, p in eager.named_parameters() if p.requires_grad and "unused" not in name}
    assert set(state) == trained | {name for name, _ in eager.named_buffers()}
    assert all(error(value, eager.state_dict()[name]) <= 1e-4 for name, value in state.items())


def test_eager_steps_are_those_of_the_optimizer() -> None:
    model = nn.Sequential(nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 1))
    other = copy.deepcopy(model)
    step = wse_mlir.TrainingStep(model, nn.functional.mse_loss, learning_rate=0.2, weight_decay=0.1)
    optimizer = torch.optim.SGD(other.parameters(), lr=0.2, weight_decay=0.1)
    x, y = torch.randn(7, 6), torch.randn(7, 1)
    for _ in range(3):
        optimizer.zero_grad()
        loss = nn.functional.mse_loss(other(x), y)
        loss.backward()
        optimizer.step()
        torch.testing.assert_close(step(x, y), loss.detach())
    torch.testing.assert_close(model.state_dict(), other.state_dict())


@pytest.mark.parametrize(
    ("trained", "loss", "said"),
    [
        (False, nn.functional.mse_loss, "no parameter of the model requires a gradient"),
        (True, lambda a, b: (a - b) ** 2, "is not one number"),
        (True, lambda a, b: (a.detach() - b).sum(), "does not depend on any parameter"),
    ],
)
def test_what_has_no_gradients_is_refused(trained: bool, loss: object, said: str) -> None:
    model = nn.Linear(3, 2).requires_grad_(trained)
    step = wse_mlir.TrainingStep(model, loss, learning_rate=0.1)  # pyright: ignore[reportArgumentType]
    with pytest.raises(wse_mlir.CompilerError, match=said):
        wse_mlir.compile(step, (torch.randn(4, 3), torch.randn(4, 2)))
