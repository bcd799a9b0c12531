"""Models at the corners of the interface: nothing in, nothing out, the same tensor twice, empty tensors, open sizes
with state and with inputs that change."""

import subprocess
from pathlib import Path

import pytest
import torch
from library_models import Case
from library_programs import C99, CPP
from test_library_calls import run_client
from torch import nn

from wse_mlir import CompilerError
from wse_mlir.artifacts.aot.library import Library, LibraryFunction, build_library
from wse_mlir.artifacts.aot.naming import unique_identifiers
from wse_mlir.frontend.imported import import_model

ODD_NAME = '/* "größe\\" */ ??('


class NothingIn(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(70))

    def forward(self) -> torch.Tensor:
        return self.weight * 2


class NothingOut(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.randn(3))

    def forward(self, x: torch.Tensor) -> None:
        self.total.add_(x)


class Echo(nn.Module):
    """An input as an output, twice, and one that is not used."""

    def forward(self, x: torch.Tensor, unused: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"x": x, ODD_NAME: x, "int8_t": x.sum()}


class Empty(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(0, 4))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.weight])


class OpenCounter(nn.Module):
    """Open size, a state with first values, and an input that changes."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.randn(4))

    def forward(self, accumulated: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        self.total.add_(rows.sum(0))
        accumulated.add_(self.total)
        return rows + self.total


class OpenEcho(nn.Module):
    """Results that are no computation: an input, twice, a state and a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("total", torch.randn(4))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        self.total.add_(1)
        return x, x, self.total, torch.arange(80), x[:, 1:]


CASES = {
    "nothing_in": Case(NothingIn(), ()),
    "nothing_out": Case(NothingOut(), (torch.randn(3),)),
    "echo": Case(Echo(), (torch.randn(2, 3), torch.randn(4))),
    "empty": Case(Empty(), (torch.randn(2, 4),)),
    "open_counter": Case(
        OpenCounter(),
        (torch.randn(4), torch.randn(7, 4)),
        {"dynamic_shapes": {"accumulated": None, "rows": {0: torch.export.Dim("n", max=90)}}},
    ),
    "open_echo": Case(
        OpenEcho(), (torch.randn(7, 4),), {"dynamic_shapes": {"x": {0: torch.export.Dim("n", max=90)}}}
    ),
}


@pytest.fixture(scope="module")
def corners(tmp_path_factory: pytest.TempPathFactory) -> Library:
    functions = [
        LibraryFunction(name, import_model(case.model.requires_grad_(False), case.args, **case.kwargs))
        for name, case in CASES.items()
    ]
    return build_library(functions, tmp_path_factory.mktemp("corners") / "libcorners.so", weights="beside")


def test_corners_are_called_like_all_others(corners: Library) -> None:
    known = run_client(corners.path, CASES, {name: case.args for name, case in CASES.items()})
    functions = known["functions"]
    assert functions["nothing_in"]["input"] == [] and functions["nothing_out"]["output"] == []
    assert [name for name, *_ in functions["echo"]["output"]] == ["x", ODD_NAME, "int8_t"]
    assert functions["open_counter"]["input"][0][-1] == 1, "is written"


def test_the_header_is_clean_whatever_tensors_are_called(corners: Library) -> None:
    assert corners.header is not None and corners.header.read_bytes().isascii()
    for command in (C99, CPP):
        subprocess.run([*command, "-fsyntax-only", str(corners.header)], check=True)


def test_parameters_get_names_of_their_own() -> None:
    names = ["x", "x.1", "x_1", "class", "int8_t", "9", "größe", "WSE_OK", "state"]
    assert unique_identifiers(names, {"state"}) == [
        "x", "x_1", "x_1_2", "tensor_class", "tensor_int8_t", "tensor_9", "gr__e", "tensor_WSE_OK", "state_2",
    ]  # fmt: skip


def test_there_are_limits(tmp_path: Path) -> None:
    x = torch.randn((1,) * 17)
    function = LibraryFunction("main", import_model(nn.ReLU(), (x,)))
    with pytest.raises(CompilerError, match="'input' of 'main' has 17 dimensions, more than 16"):
        build_library([function], tmp_path / "libdeep.so")
    assert list(tmp_path.iterdir()) == []
