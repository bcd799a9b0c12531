"""A user's mistake gets one readable message: what is wrong, where, what to do. No trace, no partial file."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import wse_mlir

BIN = Path(sys.executable).parent
LINEAR = nn.Linear(8, 4).eval()


def tool(*command: str, stdin: str = "", cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BIN / command[0], *command[1:]], input=stdin, cwd=cwd, capture_output=True, text=True
    )


def assert_one_message(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    assert done.returncode == 1
    assert "Traceback" not in done.stderr and len(done.stderr.splitlines()) <= 8, done.stderr
    for part in parts:
        assert part in done.stderr, done.stderr


def test_a_wrong_path(tmp_path: Path) -> None:
    assert_one_message(
        tool("wse", "run", "nowhere.py", "--json", "out.json", cwd=tmp_path), "no file 'nowhere.py'"
    )
    assert_one_message(tool("wse-opt", "nowhere.mlir", "-o", "out.mlir", cwd=tmp_path), "nowhere.mlir")
    assert not list(tmp_path.iterdir())
    with pytest.raises(wse_mlir.CompilerError, match=r"nowhere\.pt2"):
        wse_mlir.compile("nowhere.pt2", ())


@pytest.mark.parametrize("target", ["cpu", "tiny"])
def test_a_wrong_shape_a_wrong_dtype_a_wrong_count(target: str) -> None:
    compiled = wse_mlir.compile(LINEAR, (torch.zeros(2, 8),), target=target)
    with pytest.raises(wse_mlir.CompilerError, match=r"(?s)3.*8"):
        compiled(torch.zeros(3, 8))
    with pytest.raises(wse_mlir.CompilerError, match=r"(?s)f32.*f64|float32.*float64"):
        compiled(torch.zeros(2, 8, dtype=torch.float64))
    with pytest.raises(wse_mlir.CompilerError):
        compiled()


class Unsupported(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.svdvals(x)  # the user's line


@pytest.mark.parametrize("target", ["cpu", "tiny"])
def test_an_operator_that_is_not_supported_is_named_at_the_users_line(target: str) -> None:
    line = Unsupported.forward.__code__.co_firstlineno + 1
    with pytest.raises(wse_mlir.CompilerError) as caught:
        wse_mlir.compile(Unsupported(), (torch.zeros(4, 4),), target=target)
    assert "svd" in str(caught.value) and f"test_bad_input.py:{line}" in str(caught.value)


def test_an_operator_that_the_wafer_lacks_points_to_the_cpu() -> None:
    with pytest.raises(wse_mlir.CompilerError) as caught:
        wse_mlir.compile(lambda x: x.sum(0), (torch.zeros(0, 8),), target="tiny")
    assert "sum" in str(caught.value) and "cpu" in str(caught.value)


def test_a_model_that_does_not_fit_gets_the_inequality() -> None:
    with pytest.raises(wse_mlir.CompilerError) as caught:
        wse_mlir.compile(nn.Linear(4096, 4096).eval(), (torch.zeros(1, 4096),), target="tiny")
    message = str(caught.value)
    assert ">" in message and "B" in message and "more PEs" in message


def test_a_malformed_pipeline_has_a_caret() -> None:
    done = tool("wse-opt", "-", "--pass-pipeline=builtin.module(func.func(wse-fuse)", stdin="module {}")
    assert_one_message(done, "^")
    with pytest.raises(wse_mlir.CompilerError, match="no-such-pass"):
        wse_mlir.opt("module {}", "builtin.module(no-such-pass)")


def test_ir_that_does_not_parse(tmp_path: Path) -> None:
    (tmp_path / "bad.mlir").write_text("func.func @f( {\n")
    assert_one_message(tool("wse-opt", "bad.mlir", "-o", "out.mlir", cwd=tmp_path), "bad.mlir:1:")
    assert not (tmp_path / "out.mlir").exists()
    with pytest.raises(wse_mlir.CompilerError, match=r"bad\.mlir:1"):
        wse_mlir.compile(str(tmp_path / "bad.mlir"), ())


def test_a_broken_machine_file_is_located(tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    path.write_text("name = 'broken'\n[fabric\n")
    with pytest.raises(wse_mlir.CompilerError, match=r"broken\.toml"):
        wse_mlir.compile(LINEAR, (torch.zeros(2, 8),), target=str(path))
    with pytest.raises(wse_mlir.CompilerError, match="tiny"):
        wse_mlir.compile(LINEAR, (torch.zeros(2, 8),), target="tinny")


def test_files_of_other_kinds(tmp_path: Path) -> None:
    script = tmp_path / "model.pt"
    torch.jit.script(LINEAR).save(str(script))
    (tmp_path / "model.tflite").write_bytes(b"\x1c\x00\x00\x00TFL3")
    for path, kind in ((script, "TorchScript"), (tmp_path / "model.tflite", "TFLite")):
        with pytest.raises(wse_mlir.CompilerError) as caught:
            wse_mlir.import_model(str(path), (torch.zeros(2, 8),))
        assert kind in str(caught.value) and "torch.export" in str(caught.value)


def test_an_unknown_option_lists_those_there_are() -> None:
    with pytest.raises(wse_mlir.CompilerError, match="speed"):
        wse_mlir.compile(LINEAR, (torch.zeros(2, 8),), speed="ludicrous")


def message(function: Callable[[], object]) -> str:
    with pytest.raises(wse_mlir.CompilerError) as caught:
        function()
    assert len(str(caught.value).splitlines()) <= 3
    return str(caught.value)


def test_tensors_that_are_not_dense_memory() -> None:
    compiled = wse_mlir.compile(LINEAR, (torch.zeros(2, 8),))
    x = torch.zeros(2, 8)
    nested = torch.nested.nested_tensor([torch.zeros(8), torch.zeros(8)])
    given = {
        "device 'meta'": x.to("meta"),
        "sparse_coo": x.to_sparse(),
        "nested": nested,
        "mkldnn": x.to_mkldnn(),
    }
    for word, tensor in given.items():
        text = message(lambda tensor=tensor: compiled(tensor))
        assert word in text and "argument 0 ('input')" in text
    single = wse_mlir.compile(LINEAR, (torch.zeros(1, 8),))
    backwards = x.numpy()[::-1]
    for call in (
        lambda: compiled(backwards),
        lambda: single(backwards[:1]),
        lambda: compiled(x.numpy().astype(">f4")),
    ):
        assert "np.array(x, 'float32', order='C')" in message(call)
    assert "by name: input" in message(lambda: compiled(input=x))


def test_options_that_are_no_text() -> None:
    for name, value, shown in (("features", 3, "3"), ("features", ["+avx2"], "a list"), ("cpu", 5, "5")):
        text = message(lambda o={name: value}: wse_mlir.compile(LINEAR, (torch.zeros(2, 8),), **o))
        assert f"{name} is {shown}, no text" in text
    wse_mlir.compile(LINEAR, (torch.zeros(2, 8),), num_threads=np.int64(2))  # type: ignore[arg-type]


class Grown(nn.Module):
    def __init__(self, sums: bool) -> None:
        super().__init__()
        self.sums = sums

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.expand(1 << 18, 1 << 18, 4) * 2
        return y.cumsum(0).cumsum(1).sum() if self.sums else y


def test_arrays_that_no_memory_holds() -> None:
    x = torch.zeros(1, 1, 4)
    assert "1024.0 GiB" in message(lambda: wse_mlir.compile(Grown(False), (x,))(x))
    assert "GiB" in message(lambda: wse_mlir.compile(Grown(True), (x,))(x))


def test_exports_that_fail_say_so_once(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    x = torch.zeros(2, 8)
    assert "reduction dim" in message(lambda: wse_mlir.compile(LINEAR, (torch.zeros(2, 9),)))
    width = {1: torch.export.Dim("width")}
    text = message(lambda: wse_mlir.compile(LINEAR, (x,), dynamic_shapes=(width,)))
    assert "constant (8)" in text and "dynamic_shapes" in text
    assert "TorchScript" in message(lambda: wse_mlir.compile(torch.jit.script(LINEAR), (x,)))
    (tmp_path / "junk.pt2").write_bytes(b"junk")
    assert "junk.pt2" in message(lambda: wse_mlir.compile(str(tmp_path / "junk.pt2"), (x,)))
    assert "Traceback" not in capfd.readouterr().err
