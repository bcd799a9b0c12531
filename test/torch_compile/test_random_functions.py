"""Functions drawn at random: views, writes through them, broadcasting, reductions, arguments of any strides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from beside_eager import compiled, copied, same_as_eager
from hypothesis import assume, given, settings
from hypothesis import strategies as st

Tensor = torch.Tensor


def _added(a: Tensor, b: Tensor) -> Tensor:
    return a + b if a.shape == b.shape else a + b.sum()


def _written(a: Tensor, b: Tensor) -> Tensor:
    return a.add_(b) if a.shape == b.shape else a.mul_(0.5)


def _written_part(a: Tensor, b: Tensor) -> Tensor:
    a[..., :1].copy_(b.mean())
    return a


STEPS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "add": _added,
    "multiply": lambda a, b: a * b.mean(),
    "sine": lambda a, b: a.sin(),
    "compare": lambda a, b: torch.where(a > 0, a, b.amax()),
    "transpose": lambda a, b: a.transpose(-1, 0) if a.dim() else a,
    "every other": lambda a, b: a[..., ::2] if a.dim() else a,
    "last": lambda a, b: a[-1] if a.dim() else a,
    "flatten": lambda a, b: a.flatten(),
    "new axis": lambda a, b: a.unsqueeze(1) if 0 < a.dim() < 3 else a,
    "repeat": lambda a, b: a.expand(2, *a.shape) if a.dim() < 3 else a,
    "flip": lambda a, b: a.flip(0) if a.dim() else a,
    "sum": lambda a, b: a.sum(-1) if a.dim() else a,
    "write": _written,
    "write a part": _written_part,
    "join": lambda a, b: torch.cat([a.flatten(), b.flatten()])[:12],
    "scalar": lambda a, b: a + a.dim() * 0.5,
}
STRIDES: list[Callable[[], Tensor]] = [
    lambda: torch.randn(3, 4),
    lambda: torch.randn(4, 3).t(),
    lambda: torch.randn(6, 8)[::2, ::2],
    lambda: torch.randn(20)[2:14].view(3, 4),
    lambda: torch.randn(3, 1).expand(3, 4),
]


@dataclass(frozen=True)
class Program:
    """Each step takes two of the values that there are, and adds its result to them; the last three are returned."""

    steps: tuple[tuple[str, int, int], ...]

    def __call__(self, x: Tensor, y: Tensor) -> tuple[Tensor, ...]:
        values = [x, y]
        for name, i, j in self.steps:
            values.append(STEPS[name](values[i % len(values)], values[j % len(values)]))
        return tuple(values[-3:])


indices = st.integers(0, 7)
programs = st.lists(st.tuples(st.sampled_from(sorted(STEPS)), indices, indices), min_size=2, max_size=7)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(programs, st.sampled_from(STRIDES), st.sampled_from(STRIDES), st.booleans())
def test_random_functions(
    steps: list[tuple[str, int, int]], x: Callable[[], Tensor], y: Callable[[], Tensor], gradients: bool
) -> None:
    torch._dynamo.reset()
    torch.manual_seed(0)
    program = Program(tuple(steps))
    overlapping = STRIDES[-1] in (x, y)  # AOTAutograd refuses more writes into them than PyTorch does
    assume(not (overlapping and any("write" in name for name, _, _ in steps)))
    arguments = [make().requires_grad_(gradients) for make in (x, y)]
    try:
        results = program(*copied(arguments))
        sum((v.sum() for v in results if v.requires_grad), torch.zeros((), requires_grad=True)).backward()
    except RuntimeError:  # a write that PyTorch refuses: into a leaf, into what overlaps itself
        assume(False)
    same_as_eager(program, *arguments, by=compiled(program.__call__))
