"""The model families that every backend is tried on; small, seeded, in eval mode."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn

from wse_mlir.compare.agreement import relative_error


@dataclass(frozen=True)
class Family:
    """A model with arguments; `steps` calls are made in a row, for models that keep state."""

    model: nn.Module
    args: tuple[torch.Tensor, ...]
    steps: int = 1


class LeNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 6, 5, padding=2), nn.BatchNorm2d(6), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(6, 16, 3), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Linear(16 * 3 * 3, 40), nn.ReLU(), nn.Linear(40, 10))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(image).flatten(1))


class ResidualBlock(nn.Module):
    def __init__(self, channels: int = 8) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = torch.relu(self.norm1(self.conv1(x)))
        return torch.relu(self.norm2(self.conv2(inner)) + x)


class DecodeStep(nn.Module):
    """One token of attention with a key/value cache that lives in buffers."""

    def __init__(self, width: int = 32, heads: int = 4, length: int = 12) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width) for _ in range(4))
        self.register_buffer("keys", torch.zeros(heads, length, width // heads))
        self.register_buffer("values", torch.zeros(heads, length, width // heads))

    def forward(self, token: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        q, k, v = (f(token).view(self.heads, 1, -1) for f in (self.query, self.key, self.value))
        self.keys.index_copy_(1, position, k)
        self.values.index_copy_(1, position, v)
        scores = q @ self.keys.transpose(1, 2) / q.shape[-1] ** 0.5
        visible = torch.arange(self.keys.shape[1]) <= position
        weights = torch.softmax(scores.masked_fill(~visible, float("-inf")), dim=-1)
        return self.out((weights @ self.values).reshape(1, -1))


class ScaledByState(nn.Module):
    """A state among the weights: what depends on it is another at every call."""

    scale: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 16)
        self.register_buffer("scale", torch.ones(16, 8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x @ (self.linear.weight * self.scale).T
        self.scale.mul_(2)
        return y


def _mlp() -> Family:
    model = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 24), nn.Tanh(), nn.Linear(24, 10))
    return Family(model, (torch.randn(9, 64),))


def _lenet() -> Family:
    model = LeNet()
    norm = model.features[1]
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2.0)
    return Family(model, (torch.randn(2, 1, 16, 16),))


def _residual() -> Family:
    return Family(ResidualBlock(), (torch.randn(1, 8, 14, 14),))


def _encoder() -> Family:
    model = nn.TransformerEncoderLayer(32, 4, dim_feedforward=64, batch_first=True, activation="gelu")
    return Family(model, (torch.randn(2, 7, 32),))


def _decode() -> Family:
    return Family(DecodeStep(), (torch.randn(1, 32), torch.tensor([0])), steps=3)


def _lstm() -> Family:
    return Family(nn.LSTMCell(20, 24), (torch.randn(3, 20), (torch.randn(3, 24), torch.randn(3, 24))))


FAMILIES: dict[str, Callable[[], Family]] = {
    "mlp": _mlp,
    "lenet": _lenet,
    "residual": _residual,
    "encoder": _encoder,
    "decode": _decode,
    "lstm": _lstm,
}


def family(name: str) -> Family:
    """The family of that name with seeded parameters and inputs."""
    torch.manual_seed(7)
    made = FAMILIES[name]()
    made.model.eval().requires_grad_(False)
    return made


def error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """The error that "matches" means; shapes, dtypes, and the places of NaN and infinities must agree."""
    assert actual.shape == expected.shape and actual.dtype == expected.dtype
    return relative_error(actual, expected)
