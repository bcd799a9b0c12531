"""Results are written whole or not at all."""

import os
from pathlib import Path

import pytest

from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.tools import output


def test_text_and_bytes(tmp_path: Path) -> None:
    output.write_atomically(tmp_path / "a", "text")
    output.write_atomically(tmp_path / "b", b"\x00")
    assert (tmp_path / "a").read_text() == "text" and (tmp_path / "b").read_bytes() == b"\x00"


def test_a_failure_keeps_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "kept"
    path.write_text("before")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(CompilerError, match=r"cannot write '.*kept': disk full"):
        output.write_atomically(path, "after")
    assert path.read_text() == "before" and [p.name for p in tmp_path.iterdir()] == ["kept"]


def test_a_device_is_written_to_and_a_link_is_followed(tmp_path: Path) -> None:
    output.write_atomically(Path(os.devnull), "text")
    assert Path(os.devnull).is_char_device()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    (tmp_path / "real").write_text("before")
    output.write_atomically(tmp_path / "link", "after")
    assert (tmp_path / "link").is_symlink() and (tmp_path / "real").read_text() == "after"


@pytest.mark.parametrize("name", ["no/such/folder", "."])
def test_an_unwritable_place_is_named(tmp_path: Path, name: str) -> None:
    with pytest.raises(CompilerError, match="cannot write"):
        output.check_writable(tmp_path / name)
