"""Files of values that hold something else than arrays of numbers: one line each, and nothing in them runs."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.frontend.mlir_values import read_arrays
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.verify.inputs import detach


def header(text: str) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


ENTRIES = {
    "giant": header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999, 99999999999), }\n"),
    "negative": header("{'descr': '<f4', 'fortran_order': False, 'shape': (-4, 64), }\n"),
    "a call": header("__import__('os').mkdir('ran')\n"),
    "deep": header("(" * 20_000 + ")" * 20_000 + "\n"),
    "no array": b"%s {0}",
    "a pickle": b"\x80\x04cos\nmkdir\n(Vran\ntR.",
}


@pytest.mark.parametrize("kind", ENTRIES)
def test_what_is_no_array_is_refused(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with zipfile.ZipFile("values.npz", "w") as archive:
        archive.writestr("w.npy", ENTRIES[kind])
    with pytest.raises(
        CompilerError, match=r"values\.npz: the values cannot be read: .*\n  hint: numpy.savez"
    ) as caught:
        read_arrays(Path("values.npz"))
    assert len(str(caught.value).splitlines()) == 2 and not Path("ran").exists()
    assert read_arrays(Path("values.npz"), {"another"}) == {}


def test_objects_and_other_files_are_refused(tmp_path: Path) -> None:
    np.savez(tmp_path / "objects.npz", w=np.array([object()]))
    (tmp_path / "text.npz").write_text("hello")
    (tmp_path / "empty.npz").write_bytes(b"")
    for name in ("objects.npz", "text.npz", "empty.npz"):
        with pytest.raises(CompilerError, match="the values cannot be read") as caught:
            read_arrays(tmp_path / name)
        assert "load it unsafely" not in str(caught.value)


def test_values_of_a_program_that_do_not_fit_it(tmp_path: Path) -> None:
    text = "func.func @main(%a: tensor<2xf32>) -> tensor<2xf32> {\n  return %a : tensor<2xf32>\n}"
    beside = tmp_path / "program.npz"
    for arrays, words in (
        ({"other": np.zeros(2, np.float32)}, "'argument0' is missing"),
        ({"argument0": np.zeros(3, np.float32)}, r"'argument0' has shape \[3\]"),
        ({"argument0": np.zeros(2, np.float64)}, "missing or of another type"),
    ):
        np.savez(beside, **arrays)
        with pytest.raises(CompilerError, match=words):
            detach(ir.Module.parse(text, create_context()), beside)
