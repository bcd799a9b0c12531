"""LeNet on the digits, trained in PyTorch and run on a wafer of 8 x 8 PEs.

    python examples/lenet.py        # accuracy beside PyTorch's, cycles, how busy the PEs are
    wse run examples/lenet.py --target tiny --grid 8x8

Convolutions and poolings are split over pictures, rows, columns or channels, whatever takes fewest cycles, and PEs get
the margins that windows reach into from their neighbours. `wse show examples/lenet.py --target tiny --plan` tells more.
"""

import argparse
import sys
from pathlib import Path

import torch
from torch import nn

import wse_mlir
from wse_mlir import Workload

sys.path.insert(0, str(Path(__file__).resolve().parent))

from digits import SEED, digits

BATCH = 8


class LeNet(nn.Module):
    """Two convolutions with pooling, two dense layers; takes (N, 64) pixels in 0..1, returns (N, 10) log-odds."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Linear(64, 40), nn.ReLU(), nn.Linear(40, 10))

    def forward(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(pixels.reshape(-1, 1, 8, 8)).flatten(1))


def train(model: nn.Module, pixels: torch.Tensor, labels: torch.Tensor, epochs: int) -> None:
    """Trains in place with Adam on batches of 32."""
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    for _ in range(epochs):
        for batch in torch.randperm(len(pixels)).split(32):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(pixels[batch]), labels[batch]).backward()
            optimizer.step()


def load(epochs: int = 5) -> Workload:
    """The trained network with the held-back digits, in batches of 8."""
    torch.manual_seed(SEED)
    train_x, train_y, test_x, test_y = digits()
    model = LeNet()
    train(model, train_x, train_y, epochs)
    return Workload(model.eval(), [(batch,) for batch in test_x.split(BATCH)], labels=test_y)


def main() -> None:
    """Classifies held-back digits in PyTorch and on the wafer."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--grid", default="8x8", help="PEs, as WIDTHxHEIGHT")
    parser.add_argument("--batches", type=int, default=6, help="how many batches of 8 pictures")
    options = parser.parse_args()

    work = load()
    on_wafer = wse_mlir.compile(work.model, work.example_args, target="tiny", grid=options.grid)
    batches = work.batches[: options.batches]
    for name, network in (("PyTorch", work.model), ("wafer", on_wafer)):
        found = torch.cat([network(pixels).argmax(-1) for (pixels,) in batches])
        right = int((found == work.labels[: len(found)]).sum())
        print(f"{name}: {right} of {len(found)} digits are right")
    report = on_wafer.report
    print(
        f"{report['cycles']['device']:.0f} cycles a batch, PEs compute {report['utilisation']:.0%} of the time"
    )
    for layer in report["phases"]:
        print(f"  {layer['name']:28} {layer['makespan']:6.0f} cycles, {layer['utilisation']:4.0%}")


if __name__ == "__main__":
    main()
