"""Code that is compiled with `debug=True` leads from instructions to lines of the user's own Python files."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
import torch
from torch import nn

import wse_mlir
from wse_mlir.frontend.imported import import_model
from wse_mlir.passes.cpu.processor import processor
from wse_mlir.passes.infra.timing import Timer
from wse_mlir.runtime.cpu.target import CpuTarget
from wse_mlir.runtime.native.codegen import NativeCode
from wse_mlir.runtime.native.object_file import section_names


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Linear(16, 16)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        product = self.inner(x)  # line: product
        return torch.softmax(product, dim=-1)  # line: softmax


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = Block()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.block(x)
        return y.cumsum(0)  # line: sums


LINES = {
    found[1]: number
    for number, line in enumerate(Path(__file__).read_text().splitlines(), 1)
    if (found := re.search(r"# line: (\w+)$", line))
}


@pytest.fixture(scope="module")
def code() -> NativeCode:
    return native_code(Model(), torch.zeros(4, 16))


def native_code(model: nn.Module, *args: torch.Tensor, debug: bool = True) -> NativeCode:
    imported = import_model(model.eval(), args)
    CpuTarget().lower(imported, {}, Timer())
    return NativeCode(imported.module, processor(), "'main'", ("main",), debug=debug)


def test_assembly_names_the_lines(code: NativeCode) -> None:
    assembly = code.assembly()
    directory, name = str(Path(__file__).parent), Path(__file__).name
    files = dict(re.findall(rf'\.file\s+(\d+) "{directory}" "({name})"', assembly))
    assert list(files.values()) == [name]
    located = {int(line) for file, line in re.findall(r"\.loc\s+(\d+) (\d+) ", assembly) if file in files}
    assert set(LINES.values()) <= located


def test_objects_have_a_line_table(code: NativeCode) -> None:
    sections = section_names(code.object())
    assert {".debug_line", ".debug_info", ".debug_abbrev"} <= set(sections)


@pytest.mark.skipif(shutil.which("objdump") is None, reason="objdump reads line tables")
def test_the_line_table_names_the_lines(code: NativeCode, tmp_path: Path) -> None:
    (tmp_path / "code.o").write_bytes(code.object())
    command = ["objdump", "--dwarf=decodedline", str(tmp_path / "code.o")]
    table = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = {int(line) for line in re.findall(rf"^{Path(__file__).name}\s+(\d+)\s+0x", table, re.M)}
    assert set(LINES.values()) <= found


def test_without_debug_there_is_nothing() -> None:
    plain = native_code(Model(), torch.zeros(4, 16), debug=False)
    assert not any("debug" in name for name in section_names(plain.object()))
    assert ".loc" not in plain.assembly()


def test_models_without_lines_of_their_own_compile() -> None:
    code = native_code(nn.Sequential(nn.Linear(4, 4), nn.ReLU()), torch.zeros(2, 4))
    assert ".debug_line" in section_names(code.object())


def test_compile_with_debug_computes_the_same() -> None:
    model, x = Model().eval().requires_grad_(False), torch.rand(4, 16)
    plain, debug = wse_mlir.compile(model, (x,)), wse_mlir.compile(model, (x,), debug=True)
    assert torch.equal(plain(x), debug(x))
