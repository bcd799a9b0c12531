"""Models whose libraries the tests of this folder call, beside those of zoo.py."""

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from zoo import family


@dataclass(frozen=True)
class Case:
    """A model with the arguments of a call; `steps` calls in a row where it keeps state."""

    model: nn.Module
    args: tuple[torch.Tensor, ...]
    kwargs: dict[str, Any] = field(default_factory=dict)
    steps: int = 1


class OpenBatch(nn.Module):
    """Both inputs have the same open size, and so has the output."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 5)

    def forward(self, left: torch.Tensor, right: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"scores": torch.relu(self.linear(left)) + right, "mean": right.mean(0)}


class Outer(nn.Module):
    """A small input makes a large output."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, None] * x


class Accumulate(nn.Module):
    """Changes its second input."""

    def forward(self, x: torch.Tensor, total: torch.Tensor) -> torch.Tensor:
        total.add_(x.sum(0))
        return x * 2


class EveryType(nn.Module):
    """A result of every element type."""

    def forward(
        self,
        flag: torch.Tensor,
        byte: torch.Tensor,
        tiny: torch.Tensor,
        short: torch.Tensor,
        word: torch.Tensor,
        long: torch.Tensor,
        half: torch.Tensor,
        brain: torch.Tensor,
        single: torch.Tensor,
        double: torch.Tensor,
    ) -> tuple[torch.Tensor, ...]:
        whole = tuple(x + x for x in (byte, tiny, short, word, long))
        return (torch.logical_not(flag), *whole, half * 3, brain * 3, single * 3, double * 3)


def every_type() -> Case:
    whole = [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]
    real = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
    args = [torch.tensor([[True, False, True], [False, False, True]])]
    args += [torch.randint(0, 60, (2, 3)).to(dtype) for dtype in whole]
    args += [torch.randn(2, 3).to(dtype) for dtype in real]
    return Case(EveryType(), tuple(args))


class Cache(nn.Module):
    """What two functions of one library share: weights, and a cache that one fills and the other reads and extends."""

    def __init__(self, width: int = 16, length: int = 6) -> None:
        super().__init__()
        self.embed = nn.Linear(width, width)
        self.register_buffer("rows", torch.zeros(length, width))


class Prefill(nn.Module):
    def __init__(self, cache: Cache) -> None:
        super().__init__()
        self.cache = cache

    def forward(self, prompt: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        self.cache.rows.index_copy_(0, positions, self.cache.embed(prompt))
        return self.cache.rows.sum(0)


class Decode(nn.Module):
    def __init__(self, cache: Cache) -> None:
        super().__init__()
        self.cache = cache

    def forward(self, token: torch.Tensor, position: torch.Tensor) -> torch.Tensor:
        self.cache.rows.index_copy_(0, position, self.cache.embed(token))
        return torch.softmax(token @ self.cache.rows.T, -1) @ self.cache.rows


class Peek(nn.Module):
    """Reads the cache and changes nothing."""

    def __init__(self, cache: Cache) -> None:
        super().__init__()
        self.cache = cache

    def forward(self, scale: torch.Tensor) -> torch.Tensor:
        return self.cache.rows * scale


def cases() -> dict[str, Case]:
    """Models by the name of their function."""
    torch.manual_seed(3)
    batch = torch.export.Dim("batch", max=64)
    made = {
        name: Case(f.model, f.args, steps=f.steps)
        for name, f in ((n, family(n)) for n in ("mlp", "lenet", "decode"))
    }
    made["open_batch"] = Case(
        OpenBatch(),
        (torch.randn(3, 8), torch.randn(3, 5)),
        {"dynamic_shapes": {"left": {0: batch}, "right": {0: batch}}},
    )
    made["outer"] = Case(Outer(), (torch.randn(4),), {"dynamic_shapes": {"x": {0: torch.export.Dim("n")}}})
    made["accumulate"] = Case(Accumulate(), (torch.randn(3, 4), torch.randn(4)))
    made["every_type"] = every_type()
    for case in made.values():
        case.model.eval().requires_grad_(False)
    return made
