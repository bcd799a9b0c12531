"""bench/accuracy.py on rows small enough for a test."""

from __future__ import annotations

import csv
import json
import runpy
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).parents[2] / "bench" / "accuracy.py"
HEADER = ["target", "program", "algorithm", "P", "M", "K", "N", "dtype", "cycles"]
ROWS = [
    ["wse3", "matmul", "mesh_gemm", "6", "12", "12", "12", "f16", ""],
    ["wse3", "matvec", "mesh_gemv{group=4}", "8", "1", "24", "16", "f16", "300"],
    ["wse2", "reduce", "chain", "512", "4096", "", "", "f32", "7218"],
]


def bench(rows: list[list[str]], folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, float]]:
    table, out = folder / "rows.csv", folder / "out.json"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([HEADER, *rows])
    monkeypatch.setattr(sys, "argv", ["accuracy.py", "--rows", str(table), "--json", str(out)])
    runpy.run_path(str(BENCH), run_name="__main__")
    return json.loads(out.read_text())


def test_rows_come_out_in_order_with_and_without_a_measurement(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    results = bench(ROWS, tmp_path, monkeypatch)
    assert [r["row"] for r in results] == [0, 1, 2]
    assert [r["measured"] for r in results] == [None, 300.0, 7218.0]
    assert all(r["simulated"] > 0 for r in results)
    assert results[2]["simulated"] == pytest.approx(7218, rel=0.01)


def test_a_row_that_cannot_be_simulated_is_named_and_the_others_come_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [
        ["wse3", "fft", "any", "6", "12", "12", "12", "f16", ""],
        ["wse3", "matmul", "mesh_gemm", "2000", "12", "12", "12", "f16", ""],
        ROWS[0],
    ]
    with pytest.raises(SystemExit):
        bench(rows, tmp_path, monkeypatch)
    results = json.loads((tmp_path / "out.json").read_text())
    assert [r["simulated"] is None for r in results] == [True, True, False]
    said = capfd.readouterr().err
    assert "row 0: program 'fft' is none of matmul, matvec, reduce" in said
    assert "row 1: " in said and "2000x2000" in said
