"""What `wse compile` cannot do is said in one message, and leaves the folder as it was."""

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from wse_mlir.tools.wse import app

NET = """
import torch

class Spectrum(torch.nn.Module):
    def forward(self, x):
        return torch.fft.fft(x).real

def load():
    torch.manual_seed(0)
    return torch.nn.Linear(6, 4).eval(), (torch.ones(2, 6),)

def spectrum():
    return Spectrum(), (torch.ones(8),)

def large():
    return torch.nn.Linear(2048, 2048).eval(), (torch.ones(1024, 2048),)

def stateful():
    class Count(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.register_buffer("n", torch.zeros(2))
        def forward(self, x):
            self.n.add_(x)
            return self.n * 1
    return Count(), (torch.ones(2),)
"""


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("net.py").write_text(NET)
    Path("text.mlir").write_text("func.func @f(\n")
    Path("folder").mkdir()
    Path("folder.so").mkdir()


REFUSED = {
    "net.py -o folder": "'folder': it is a folder",
    "net.py -o folder.so": "it is a folder",
    "net.py -o nowhere/net.so": "there is no folder",
    "net.py -o net.so --json nowhere/net.json": "there is no folder",
    "net.py -o net.so --header nowhere/net.h": "there is no folder",
    "net.py -o net.mlir --keep-intermediates net.py": "cannot keep files in 'net.py'",
    "net.py -o net.py --emit asm": "'net.py' is the model itself",
    "net.py:load -o net.s --json net.py": "'net.py' is the model itself",
    "text=text.mlir -o ./text.mlir": "'text.mlir' is the model itself",
    "net.py -o net.pdf": "does not tell what to make",
    "net.py -o net.so --emit object": "named like 'shared', but --emit=object is asked for",
    "net.py -o - --emit shared": "'shared' is not text",
    "none.py -o net.so": "no file 'none.py'",
    "none.onnx -o net.so": "no such file",
    "net.py:other -o net.so": "does not define other()",
    "text.mlir -o net.so": "text.mlir:",
    "net.py:spectrum -o net.so": "fft",
    "net.py -o net.so --cpu pentium9": "there is no processor 'pentium9'",
    "net.py -o net.s --features +warp": "there is no processor feature",
    "net.py -o net.so --num-threads 0": "num_threads",
    "net.py -o net.so --target wse4": "no target is named 'wse4'",
    "net.py -o net.so --target tiny": "--emit=shared is for the CPU, not for 'tiny'",
    "net.py -o net.mlir --target tiny --cpu x86-64": "target 'tiny' has no option 'cpu'",
    "net.py -o net.mlir --target tiny --stage llvm": "pipeline 'wafer' has no stage 'llvm'",
    "net.py -o net.mlir --stage place": "pipeline 'cpu' has no stage 'place'",
    "net.py -o net.ll --stage tensor": "--stage has no meaning for --emit=llvm",
    "net.py -o net.ll --header net.h": "--header has no meaning for --emit=llvm",
    "net.py -o net.ll --weights embedded": "holds code alone",
    "net.py -o net.so --weights none": "cannot do without weights",
    "net.py -o - --weights beside": "no place for weights beside it",
    "net.py -o net.mlir --stage bufferized --weights embedded": "at the stages imported and tensor",
    "net.py -o net.so --pipeline loops": "--pipeline has no meaning for --emit=shared",
    "net.py -o net.ll --pipeline wse-fusee": "wse-fusee",
    "net.py a=net.py -o net.mlir": "takes one model, and 2 are given",
    "net.py net.py:stateful net.py -o net.so": "two models are named 'net'",
    "net.py:large -o net.mlir --target tiny --stage executable": "does not fit",
}


@pytest.mark.parametrize("words", REFUSED, ids=REFUSED)
def test_one_message_and_no_file(words: str) -> None:
    before = sorted(Path().rglob("*"))
    done = CliRunner().invoke(app, ["compile", *words.split()])
    assert done.exit_code == 1 and done.stdout == ""
    assert (
        done.stderr.startswith("error: ")
        and "\nerror: " not in done.stderr
        and "Traceback" not in done.stderr
    )
    assert REFUSED[words] in done.stderr
    assert sorted(p for p in Path().rglob("*") if "__pycache__" not in p.parts) == before


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("PATH", "", "there is no C compiler"),
        ("CC", "no-such-cc", "'no-such-cc'"),
        ("CC", "false", "did not succeed"),
    ],
)
@pytest.mark.parametrize("kind", ["object", "shared", "executable"])
def test_without_a_working_c_compiler(
    kind: str, setting: str, value: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.setenv(setting, value)
    before = sorted(Path().rglob("*"))
    done = CliRunner().invoke(app, ["compile", "net.py", "-o", "out", "--emit", kind])
    assert done.exit_code == 1 and message in done.stderr
    assert sorted(p for p in Path().rglob("*") if "__pycache__" not in p.parts) == before


def test_a_folder_that_may_not_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.access", lambda path, mode: False)
    done = CliRunner().invoke(app, ["compile", "net.py", "-o", "net.mlir"])
    assert done.exit_code == 1 and "no permission to write" in done.stderr


def test_intermediates_up_to_a_failure_are_kept_and_the_stage_is_named() -> None:
    check = "wse-check-stage{stage=%s}"
    passes = [check % "imported", "func.func(wse-generalize)", check % "tensor", check % "llvm"]
    words = ["net.py", "-o", "net.ll", "--pipeline", f"builtin.module({','.join(passes)})"]
    done = CliRunner().invoke(app, ["compile", *words, "--keep-intermediates", "kept"])
    assert done.exit_code == 1
    assert (
        "may not remain at the stage 'llvm'" in done.stderr
        and "'net' had reached the stage 'tensor'" in done.stderr
    )
    assert sorted(p.name for p in Path("kept").iterdir()) == ["01-imported.mlir", "02-tensor.mlir"]
    assert "aten.linear" in Path("kept/02-tensor.mlir").read_text()  # locations are kept


def test_values_beside_ir_are_checked() -> None:
    assert CliRunner().invoke(app, ["compile", "net.py", "-o", "net.mlir"]).exit_code == 0
    values = dict(np.load("net.npz"))
    np.savez("net.npz", **{**values, "bias": values["bias"].astype(np.float64)})
    done = CliRunner().invoke(app, ["compile", "net.mlir", "-o", "net.s"])
    assert done.exit_code == 1 and "net.npz" in done.stderr and "'bias' is float64 [4]" in done.stderr
    Path("net.npz").write_bytes(b"PK nothing")
    done = CliRunner().invoke(app, ["compile", "net.mlir", "-o", "net.s"])
    assert done.exit_code == 1 and "the values cannot be read" in done.stderr
    Path("net.npz").unlink()
    assert (
        CliRunner().invoke(app, ["compile", "net.mlir", "-o", "net.s"]).exit_code == 0
    )  # code needs no values
    done = CliRunner().invoke(app, ["compile", "net.mlir", "-o", "net.so"])
    assert done.exit_code == 1 and "has no data" in done.stderr and ".npz beside it" in done.stderr
