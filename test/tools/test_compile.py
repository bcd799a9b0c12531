"""`wse compile`: what each kind of file holds, and that it goes on from there to the same numbers."""

import hashlib
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result
from wse_mlir.pipelines.tools.wse import app

import wse_mlir

NET = """
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.first = torch.nn.Linear(12, 16)
        self.second = torch.nn.Linear(16, 5)
        self.table = torch.nn.Parameter(torch.randn(5, 6).bfloat16())
        self.register_buffer("calls", torch.zeros(2))

    def forward(self, images):
        self.calls.add_(1)
        hidden = torch.relu(self.first(images))
        return self.second(hidden) * self.calls[0], self.second(hidden).bfloat16() @ self.table

def load():
    return Net().eval(), (torch.randn(3, 12),)
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)


def compile_to(out: str, *words: str, model: str = "net.py") -> Result:
    return CliRunner().invoke(app, ["compile", model, "-o", out, *words])


def made(out: str, *words: str, model: str = "net.py") -> str:
    done = compile_to(out, *words, model=model)
    assert done.exit_code == 0, done.output
    return done.stdout


def net() -> torch.nn.Module:
    namespace: dict = {}
    exec(NET, namespace)
    return namespace["load"]()[0]


@pytest.mark.parametrize("words", [(), ("--weights", "embedded"), ("--emit", "linalg"), ("--debug",)])
def test_mlir_can_be_read_back_and_computes_the_same(words: tuple[str, ...]) -> None:
    made("out.mlir", *words)
    assert Path("out.npz").exists() == ("embedded" not in words)
    assert ("linalg.generic" in Path("out.mlir").read_text()) or "linalg" not in words
    compiled, model, x = wse_mlir.compile("out.mlir"), net(), torch.randn(3, 12)
    for _ in range(2):  # state goes along
        for actual, expected in zip(compiled(x), model(x), strict=True):
            assert actual.dtype == expected.dtype
            torch.testing.assert_close(actual, expected, rtol=1e-2, atol=1e-4)
    text = wse_mlir.opt(Path("out.mlir").read_text(), "builtin.module(canonicalize)")
    assert "func.func @main" in str(text)


STAGES = {
    "imported": "linalg.matmul",
    "tensor": "linalg.generic",
    "bufferized": "memref.",
    "llvm": "llvm.func",
    "logical": "wse.all_reduce|wse.scatter",
    "placed": "#wse.layout",
    "executable": "wse.program",
}


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_can_be_printed(stage: str) -> None:
    target = "tiny" if stage in ("logical", "placed", "executable") else "cpu"
    text = made("-", "--emit=mlir", "--stage", stage, "--target", target)
    assert re.search(STAGES[stage], text)
    assert not re.search(r"\bloc\(", text) and not Path("out.npz").exists()
    assert "#loc" in made("-", "--emit=mlir", "--stage", stage, "--target", target, "--debug")


def test_the_report_says_what_was_made() -> None:
    made("out.mlir", "--json", "out.json")
    data = json.loads(Path("out.json").read_text())
    assert data["emit"] == "mlir" and data["stage"] == "imported" and data["models"] == {"net": "net.py"}
    assert [f["role"] for f in data["files"]] == ["output", "weights"]
    for file in data["files"]:
        content = Path(file["path"]).read_bytes()
        assert file["bytes"] == len(content) and file["sha256"] == hashlib.sha256(content).hexdigest()
    assert data["seconds"]["import"] > 0 and data["stages"] == {"net": ["imported"]}


def test_the_same_model_gives_the_same_files() -> None:
    made("a.mlir")
    made("b.mlir")
    assert Path("a.mlir").read_bytes() == Path("b.mlir").read_bytes()
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes()
    assert np.load("a.npz")["second.bias"].tolist() == net().second.bias.tolist()


def test_llvm_and_assembly_are_for_the_processor_asked_for() -> None:
    made("wide.ll", "--cpu", "x86-64-v3")
    text = Path("wide.ll").read_text()
    assert "@net_main(" in text and "@wse_packed_net_main(" in text and "<8 x float>" in text
    made("wide.s", "--cpu", "x86-64-v3")
    made("narrow.s", "--cpu", "x86-64")
    assert "%ymm" in Path("wide.s").read_text() and "%ymm" not in Path("narrow.s").read_text()
