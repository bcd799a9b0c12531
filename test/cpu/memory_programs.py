"""Programs for test_out_of_memory.py: each is run in a process of its own, which may have little memory."""

import resource
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import torch

import wse_mlir

N = torch.export.Dim("n", min=2, max=1 << 40)


class Table(torch.nn.Module):
    """Temporaries of n * n, a check of indices, and an output of an open size."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.nn.Embedding(10, 4)

    def forward(self, x: torch.Tensor, index: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        products = x[:, None] * x[None, :]
        return torch.sort(products, dim=1)[0].sum(0), self.table(index)


class Cube(torch.nn.Module):
    """Its temporary has n * n * n elements: of 64 bits, from 1,664,511 on, more bytes than 64 bits count."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.sort(x[:, None, None] * x[None, :, None] * x[None, None, :], dim=2)[0].sum((0, 1))


def limit(gigabytes: int) -> None:
    """Lets the process map so much more."""
    with open("/proc/self/statm") as statm:
        mapped = int(statm.read().split()[0]) * resource.getpagesize()
    most = mapped + (gigabytes << 30)
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def refused(call: Callable[[], object], *words: str) -> None:
    try:
        call()
    except MemoryError as error:
        assert isinstance(error, wse_mlir.CompilerError) and isinstance(error, wse_mlir.OutOfMemory)
        assert all(word in str(error) for word in words), str(error)
        return
    raise AssertionError("there was enough memory")


def little(folder: Path) -> None:
    model, index = Table().eval(), torch.tensor([1, 3])
    example = (torch.randn(6), index)
    compiled = wse_mlir.compile(model, example, dynamic_shapes=({0: N}, None), cache=False)
    compiled.save(folder / "saved")
    loaded = wse_mlir.load(folder / "saved")
    expected = model(*example)

    def fits(run: Callable[..., object]) -> None:
        for found, value in zip(run(*example), expected, strict=True):  # type: ignore[call-overload]
            assert torch.allclose(found, value, atol=1e-4)

    fits(compiled)
    limit(1)
    large = torch.ones(30000)

    def by_turns() -> None:
        for _ in range(20):  # 70 GB would not fit, were what failed not freed
            refused(lambda: compiled(large, index), "aten.mul", "3600000064 bytes", "memory_programs.py:")
            refused(lambda: loaded(large, index), "3600000064 bytes")
            fits(compiled)
            fits(loaded)

    threads = [threading.Thread(target=by_turns) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    by_turns()
    try:
        compiled(torch.ones(3), torch.tensor([0, 11]))
    except wse_mlir.IndexOutOfRange:
        fits(compiled)
        print("right")


def wrapped(folder: Path) -> None:
    model, x = Cube(), torch.randn(3)
    compiled = wse_mlir.compile(model, (x,), dynamic_shapes=({0: N},), cache=False)
    refused(lambda: compiled(torch.ones(1 << 21)), "more bytes than there are addresses")  # 4 * 2^63
    refused(lambda: compiled(torch.ones(1 << 22)), "more bytes than there are addresses")  # 0, if it wraps
    assert torch.allclose(compiled(x), model(x), atol=1e-5)
    backed = torch.compile(model, backend="wse_mlir", dynamic=True)
    assert torch.allclose(backed(x), model(x), atol=1e-5)
    refused(lambda: backed(torch.ones(1 << 22)), "more bytes than there are addresses")
    assert torch.allclose(backed(x), model(x), atol=1e-5)
    print("right")


if __name__ == "__main__":
    {"little": little, "wrapped": wrapped}[sys.argv[1]](Path(sys.argv[2]))
