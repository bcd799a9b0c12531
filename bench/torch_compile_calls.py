"""What a call of a compiled function costs: a network so small that little else is left.

python bench/torch_compile_calls.py
"""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import nn

ROUNDS, CALLS = 7, 1000


def microseconds(call: Callable[[], object]) -> float:
    """The best mean of several rounds."""
    for _ in range(50):
        call()
    rounds = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        for _ in range(CALLS):
            call()
        rounds.append((time.perf_counter() - started) / CALLS)
    return min(rounds) * 1e6


def main() -> None:
    """Prints a row for each way to run the network."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8))
    x = torch.randn(4, 16)
    print(f"{'microseconds a call':22}{'inference':>12}{'training step':>16}")
    for backend in (None, "eager", "aot_eager", "wse_mlir"):
        torch._dynamo.reset()
        function = model if backend is None else torch.compile(model, backend=backend)

        def infer(function: Callable[..., torch.Tensor] = function) -> None:
            with torch.no_grad():
                function(x)

        def step(function: Callable[..., torch.Tensor] = function) -> None:
            function(x).sum().backward()
            model.zero_grad()

        name = "not compiled" if backend is None else backend
        print(f"{name:22}{microseconds(infer):12.1f}{microseconds(step):16.1f}")


if __name__ == "__main__":
    main()
