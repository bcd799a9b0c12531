"""Models whose executables the tests of this folder run; a workload file, so that the command line can open it."""

from pathlib import Path

import torch
from typer.testing import CliRunner

from wse_mlir import Workload
from wse_mlir.tools.wse import app

DTYPES = (
    torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.bool,
    torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
)  # fmt: skip


class Every(torch.nn.Module):
    """A result of every element type."""

    def forward(self, *given: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(~x if x.dtype == torch.bool else x + x for x in given)


class Tally(torch.nn.Module):
    """Two states of different types."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.zeros(4))
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.total.add_(x)
        self.calls.add_(1)
        return self.total * 2


class Rows(torch.nn.Module):
    """Any number of rows."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first = torch.nn.Linear(6, 40)
        self.second = torch.nn.Linear(40, 3)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.second(torch.nn.functional.gelu(self.first(images)))


class Write(torch.nn.Module):
    """Changes its first input."""

    def forward(self, cache: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        cache.add_(x)
        return cache * x


def every() -> Workload:
    torch.manual_seed(2)
    return Workload(Every(), [tuple((torch.randn(2, 3) * 3).to(dtype) for dtype in DTYPES)])


def tally() -> Workload:
    return Workload(Tally(), [(torch.tensor([1.0, 2.0, 3.0, 4.0]),)])


def rows() -> Workload:
    torch.manual_seed(3)
    count = torch.export.Dim("count")
    return Workload(Rows().eval(), [(torch.randn(5, 6),)], dynamic_shapes=({0: count},))


def write() -> Workload:
    return Workload(Write(), [(torch.ones(3), torch.tensor([1.0, 2.0, 3.0]))])


def build(out: Path, *functions: str, options: tuple[str, ...] = ()) -> Path:
    """An executable of these functions, made by the command line."""
    sources = [f"{__file__}:{name}" for name in functions]
    done = CliRunner().invoke(app, ["compile", *sources, "-o", str(out), *options])
    assert done.exit_code == 0, done.output
    return out.resolve()
