"""`wse compile`: what each kind of file holds, and that it goes on from there to the same numbers."""

import hashlib
import json
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

import wse_mlir
from wse_mlir.tools.wse import app

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
    "routed": "wse.route",
    "executable": "wse.program",
}


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_can_be_printed(stage: str) -> None:
    target = "tiny" if stage in ("logical", "placed", "routed", "executable") else "cpu"
    text = made("-", "--emit=mlir", "--stage", stage, "--target", target)
    assert re.search(STAGES[stage], text)
    assert not re.search(r"\bloc\(", text) and not Path("out.npz").exists()


def test_locations_are_printed_on_request() -> None:
    assert 'loc("net.py":' in made("-", "--emit=mlir", "--stage=tensor", "--debug").replace(
        str(Path.cwd()) + "/", ""
    )


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
    assert "define void @wse_packed_net_main(" in text and "<8 x float>" in text
    made("wide.s", "--cpu", "x86-64-v3")
    made("narrow.s", "--cpu", "x86-64")
    assert "%ymm" in Path("wide.s").read_text() and "%ymm" not in Path("narrow.s").read_text()


def test_exported_and_onnx_models_become_programs() -> None:
    import onnx
    from onnx import helper, numpy_helper

    weight = np.arange(8, dtype=np.float32).reshape(4, 2)
    program = torch.export.export(Product(weight), (torch.ones(3, 4),))
    torch.export.save(program, "exported.pt2")
    sizes = [
        helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in (("x", [3, 4]), ("y", [3, 2]))
    ]
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    graph = helper.make_graph([node], "g", sizes[:1], sizes[1:], [numpy_helper.from_array(weight, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), "graph.onnx")
    words = ["compile", "exported.pt2", "named=graph.onnx", "-o", "both", "--json", "both.json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert json.loads(Path("both.json").read_text())["models"] == {
        "exported": "exported.pt2",
        "named": "graph.onnx",
    }
    x = np.random.default_rng(0).standard_normal((3, 4), np.float32)
    np.save("x.npy", x)
    for name in ("exported", "named"):
        subprocess.run(["./both", "-f", name, "x.npy", "y.npy"], env={}, check=True)
        np.testing.assert_allclose(np.load("y.npy"), x @ weight, rtol=1e-5, atol=1e-5)


class Product(torch.nn.Module):
    def __init__(self, weight: np.ndarray) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.from_numpy(weight))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x @ self.weight


@pytest.mark.parametrize("target", ["cpu", "tiny"])
def test_saved_models_can_be_loaded(target: str) -> None:
    made("net.wse", "--target", target)
    x = torch.randn(3, 12)
    for actual, expected in zip(wse_mlir.load("net.wse")(x), net()(x), strict=True):
        torch.testing.assert_close(actual, expected, rtol=2e-2, atol=1e-3)


def test_every_intermediate_is_kept_in_order() -> None:
    made("out.so", "--keep-intermediates", "kept")
    kept = sorted(p.name for p in Path("kept").iterdir())
    assert kept[:8] == [
        "01-imported.mlir", "02-tensor.mlir", "03-bufferized.mlir", "04-llvm.mlir",
        "05-unoptimised.ll", "06-optimised.ll", "07-code.s", "08-code.o",
    ]  # fmt: skip
    assert "net.py" in Path("kept/03-bufferized.mlir").read_text() and {
        "out.c",
        "out.h",
        "commands.txt",
    } <= set(kept)
    assert Path("kept/08-code.o").read_bytes()[:4] == b"\x7fELF"


def test_a_pipeline_of_ones_own() -> None:
    text = made("-", "--emit=mlir", "--pipeline", "builtin.module(func.func(wse-generalize))")
    assert "linalg.generic" in text and "linalg.matmul" not in text
    assert "define" in made("-", "--emit=llvm", "--pipeline=reference")
    short = compile_to("-", "--emit=llvm", "--pipeline", "builtin.module(canonicalize)")
    assert short.exit_code == 1 and "may not remain at the stage 'llvm'" in short.stderr


def test_a_program_may_have_any_name_but_a_library_gives_its_name_to_symbols() -> None:
    made("2-nets", "--emit=executable", "--weights=beside")
    assert subprocess.run(["./2-nets", "--help"], env={}, capture_output=True, check=False).returncode == 0
    assert Path("model_2_nets.weights").exists()
    done = compile_to("2-nets.so")
    assert done.exit_code == 1 and "'2_nets' cannot be the name of a library" in done.stderr


def test_a_header_has_the_place_it_is_given() -> None:
    Path("include").mkdir()
    made("out.o", "--header", "include/mine.h")
    assert "wse_abi" in Path("include/mine.h").read_text().lower() and not Path("out.h").exists()
