"""Handwritten digits: a small network, trained in seconds on the scans that scikit-learn ships.

    wse run examples/digits.py --json main.json

`load` is what `wse run`, `wse verify` and `wse compile` look for in a Python file.
"""

import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from wse_mlir import Workload

SEED = 20
EPOCHS = 60


class DigitsNet(nn.Module):
    """Two hidden layers with layer normalisation; takes (N, 64) pixels in 0..1, returns (N, 10) log-odds."""

    def __init__(self) -> None:
        super().__init__()
        self.hidden1 = nn.Linear(64, 96)
        self.norm = nn.LayerNorm(96)
        self.hidden2 = nn.Linear(96, 48)
        self.output = nn.Linear(48, 10)

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.hidden1(pixels))
        x = self.norm(x)
        x = nn.functional.gelu(self.hidden2(x))
        return self.output(x)


def digits() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Training pixels and labels, then the held-back ones; pixels are (N, 64) in 0..1."""
    data = load_digits()
    split = train_test_split(data.data / 16.0, data.target, test_size=360, random_state=SEED)
    train_x, test_x, train_y, test_y = (torch.from_numpy(part) for part in split)
    return train_x.float(), train_y, test_x.float(), test_y


def train(model: nn.Module, pixels: torch.Tensor, labels: torch.Tensor) -> None:
    """Trains in place with Adam on batches of 64."""
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(EPOCHS):
        order = torch.randperm(len(pixels))
        for batch in order.split(64):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(pixels[batch]), labels[batch])
            loss.backward()
            optimizer.step()


def load() -> Workload:
    """The trained network with the held-back digits, in batches of 60."""
    torch.manual_seed(SEED)
    train_x, train_y, test_x, test_y = digits()
    model = DigitsNet()
    train(model, train_x, train_y)
    return Workload(
        model=model.eval(),
        batches=[(batch,) for batch in test_x.split(60)],
        labels=test_y,
    )
