"""A small network that tells squares, discs, crosses and stripes apart, trained in seconds on drawings of its own.

wse compile classify=shapes.py -o libshapes.so
"""

import torch
from torch import nn

from wse_mlir import Workload

SIDE = 12  # pixels
SHAPES = ("square", "disc", "cross", "stripes")  # as in main.c
STEPS = 120


class ShapesNet(nn.Module):
    """Takes one drawing, (12, 12) with 1 for ink; returns the probability of each shape, (4,)."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(16 * 9, len(SHAPES)),
        )  # fmt: skip

    def forward(self, drawing: torch.Tensor) -> torch.Tensor:
        return torch.softmax(self.layers(drawing[None, None]), -1)[0]


def draw(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Random drawings, (count, 1, 12, 12), and the positions of their shapes in `SHAPES`."""
    labels = torch.randint(len(SHAPES), (count,))
    radius, y, x = (torch.empty(count, 1, 1).uniform_(*span) for span in ((2.5, 4.5), (5, 6), (5, 6)))
    rows, columns = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    dy, dx = (rows - y).abs(), (columns - x).abs()
    inside = torch.maximum(dy, dx) <= radius
    drawings = torch.stack(
        [inside, dy**2 + dx**2 <= radius**2, inside & (torch.minimum(dy, dx) <= 1), inside & (rows % 2 == 0)]
    )
    chosen = drawings[labels, torch.arange(count)]
    smudged = chosen ^ (torch.rand(chosen.shape) < 0.03)
    return smudged[:, None].float(), labels


def load() -> Workload:
    """The trained network with some drawings it has not seen."""
    torch.manual_seed(0)
    net = ShapesNet()
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-2)
    for _ in range(STEPS):
        drawings, labels = draw(64)
        optimizer.zero_grad()
        nn.functional.cross_entropy(net.layers(drawings), labels).backward()
        optimizer.step()
    drawings, labels = draw(200)
    return Workload(net.eval().requires_grad_(False), [(d[0],) for d in drawings], labels=labels)
