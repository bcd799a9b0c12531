"""`wse targets` with a machine that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from wse_mlir.tools.list_targets import print_targets
from wse_mlir.wse_target import machine_file


def test_a_broken_machine_does_not_hide_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "odd.toml"
    path.write_text("")
    monkeypatch.setitem(machine_file._registered, "odd", path)
    print_targets()
    shown = capsys.readouterr().out
    assert "odd" in shown and "broken" in shown and "wse3" in shown and "tiny" in shown
