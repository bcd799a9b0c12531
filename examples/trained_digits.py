"""The digits network, trained through `torch.compile` and made into a program of its own.

    python examples/trained_digits.py --scan scan.npy       # writes a scan that the network has not seen
    wse compile examples/trained_digits.py -o classify --emit=executable
    ./classify scan.npy --print

Forward and backward passes run as native code of this compiler; only the optimiser is PyTorch's. What `load` returns
takes one scan as it comes from the scanner, so that the executable needs nothing around it.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

from wse_mlir import Workload

sys.path.insert(0, str(Path(__file__).resolve().parent))

from digits import SEED, DigitsNet, digits, train


class Classifier(nn.Module):
    """From one scan, (8, 8) shades of 0 to 16, to the digit and how sure the network is of it."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, scan: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        pixels = scan.reshape(1, 64).to(torch.float32) / 16
        probabilities = torch.softmax(self.network(pixels), -1)
        return probabilities.argmax(-1), probabilities.amax(-1)


def trained() -> DigitsNet:
    """The network after training with `torch.compile(backend="wse_mlir")`."""
    torch.manual_seed(SEED)
    train_x, train_y, _, _ = digits()
    network = DigitsNet()
    train(torch.compile(network, backend="wse_mlir"), train_x, train_y)
    return network.eval()


def scans() -> torch.Tensor:
    """The held-back digits as the scanner gives them: (N, 8, 8) bytes."""
    _, _, test_x, _ = digits()
    return (test_x * 16).to(torch.uint8).reshape(-1, 8, 8)


def load() -> Workload:
    """The classifier with the held-back scans, one a call."""
    _, _, _, test_y = digits()
    return Workload(Classifier(trained()), [(scan,) for scan in scans()], labels=test_y)


def main() -> None:
    """Writes a held-back scan to a file and says which digit it is."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--scan", default="scan.npy", help="where to write it")
    parser.add_argument("--number", type=int, default=0, help="which of the held-back ones")
    options = parser.parse_args()
    np.save(options.scan, scans()[options.number].numpy())
    print(f"{options.scan} is a scan of a {int(digits()[3][options.number])}")


if __name__ == "__main__":
    main()
