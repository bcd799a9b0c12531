"""Programs for test_lifetimes.py: each is run in a process of its own, which has to end by itself and in peace."""

import gc
import sys
import threading
import time
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

import wse_mlir

N = torch.export.Dim("n", min=2, max=4096)
X = torch.linspace(-1, 1, 24).view(6, 4)


class Layer(torch.nn.Module):
    calls: torch.Tensor

    def __init__(self, factor: float = 2.0) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)
        torch.nn.init.constant_(self.linear.weight, factor)
        torch.nn.init.zeros_(self.linear.bias)
        self.register_buffer("calls", torch.zeros(1))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        self.calls.add_(1)
        return torch.sort(self.linear(x), dim=0)[0], self.calls


class Long(torch.nn.Module):
    """A call of seconds on thousands of rows."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sort(x @ x.T, dim=1)[0].sum(1)


def expected(factor: float = 2.0) -> torch.Tensor:
    return torch.sort(torch.nn.functional.linear(X, torch.full((4, 4), factor)), dim=0)[0]


def makers(folder: Path) -> dict[str, Callable[[], Any]]:
    """Ways to a compiled `Layer`."""
    model = Layer().eval()
    wse_mlir.compile(model, (X,), cache=False).save(folder / "saved")

    def backed() -> Any:
        torch._dynamo.reset()
        return torch.no_grad()(torch.compile(Layer().eval(), backend="wse_mlir"))

    return {
        "compiled": lambda: wse_mlir.compile(model, (X,), cache=False),
        "open": lambda: wse_mlir.compile(model, (X,), dynamic_shapes=({0: N},), cache=False),
        "loaded": lambda: wse_mlir.load(folder / "saved"),
        "torch.compile": backed,
    }


def right(outputs: Any) -> None:
    assert torch.allclose(outputs[0], expected(), atol=1e-5)


def collected(folder: Path) -> None:
    """Last references go in the middle of calls of other threads; results and states outlive what made them."""
    for name, make in makers(folder).items():
        holder, kept = [make()], []
        state = None if name == "torch.compile" else holder[0].state["calls"]
        begun = threading.Barrier(4)

        def run(holder: list[Any] = holder, kept: list[Any] = kept, begun: Any = begun) -> None:
            mine = holder[0]
            begun.wait()
            for _ in range(30):
                kept.append(mine(X))

        threads = [threading.Thread(target=run) for _ in range(3)]
        for thread in threads:
            thread.start()
        begun.wait()
        holder.clear()
        if name == "torch.compile":
            torch._dynamo.reset()
        gc.collect()
        for thread in threads:
            thread.join()
        if name == "loaded":
            (folder / "saved").unlink()
        gc.collect()
        junk = [torch.full((6, 4), float("nan")) for _ in range(500)]
        assert len(kept) == 90 and len(junk) == 500
        for outputs in kept:
            right(outputs)
        if state is not None:
            assert state.item() == 90
            assert sorted(outputs[1].item() for outputs in kept) == list(range(1, 91)), name


def cycles(folder: Path) -> None:
    """The collector runs at every allocation and frees compiled objects that are in circles, inside of calls and of
    compilations; finalizers call other compiled objects and compile."""
    make = makers(folder)["loaded"]
    other, called = make(), []

    class Circle:
        def __init__(self) -> None:
            self.compiled, self.me = make(), self
            weakref.finalize(self, lambda: called.append(other(X)))

        def __del__(self) -> None:
            right(self.compiled(X))

    def circles() -> None:
        for _ in range(6):
            Circle()
            right(other(X))

    gc.set_threshold(1, 1, 1)
    threads = [threading.Thread(target=circles) for _ in range(2)]
    for thread in threads:
        thread.start()
    wse_mlir.compile(
        "func.func @main(%x: tensor<4xf32>) -> tensor<4xf32> { return %x : tensor<4xf32> }", cache=False
    )
    for thread in threads:
        thread.join()
    gc.set_threshold(700, 10, 10)
    gc.collect()
    assert len(called) == 12
    for outputs in called:
        right(outputs)


def leaving(folder: Path) -> None:
    """The process ends while daemon threads are inside of native code, for longer than it takes to end.

    Only there: a daemon thread that is inside of PyTorch when the process ends makes PyTorch abort, compiled or not.
    """
    rows = torch.randn(4000, 4)
    long = wse_mlir.compile(Long(), (X,), dynamic_shapes=({0: N},), cache=False)
    shared = wse_mlir.compile(Long(), (rows,), num_threads=2, cache=False)
    shared.save(folder / "long")
    loaded = wse_mlir.load(folder / "long")
    for call in (long, shared, loaded):
        threading.Thread(target=call, args=(rows,), daemon=True).start()
    time.sleep(0.3)


if __name__ == "__main__":
    {"collected": collected, "cycles": cycles, "leaving": leaving}[sys.argv[1]](Path(sys.argv[2]))
    print("right", flush=True)
