"""bench/layers.py: measured layers on rows small enough for a test."""

from __future__ import annotations

import csv
import json
import runpy
import sys
from pathlib import Path

import pytest
from measured_layers.row import Row, groups_of
from measured_layers.simulate import cycles

BENCH = Path(__file__).parents[2] / "bench" / "layers.py"
HEADER = ["program", "P", "dim", "heads", "kv_heads", "head_dim", "ffn", "seq", "kv"]
DECODE = ["decode", "6", "24", "4", "2", "6", "48", "", "24"]
PREFILL = ["prefill", "4", "16", "4", "2", "4", "24", "16", ""]


def bench(
    rows: list[list[str]],
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *options: str,
    header: list[str] = HEADER,
) -> list[dict[str, float]]:
    table, out = folder / "rows.csv", folder / "out.json"
    with table.open("w", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    monkeypatch.setattr(
        sys, "argv", ["layers.py", "--rows", str(table), "--json", str(out), "--workers", "1", *options]
    )
    try:
        runpy.run_path(str(BENCH), run_name="__main__")
    finally:
        found = json.loads(out.read_text())
    return found


def row(program: str, side: int, tile: tuple[int, int, int] = (4, 8, 4)) -> Row:
    dim, ffn, length = (side * size for size in tile)
    return Row(program, side, dim, ffn, length, 1, 1, dim)


def test_both_programs_come_out_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = bench([DECODE, PREFILL], tmp_path, monkeypatch)
    assert [set(r) for r in results] == [{"row", "simulated"}] * 2
    assert [r["row"] for r in results] == [0, 1]
    assert 1000 < results[0]["simulated"] < results[1]["simulated"]
    assert bench([DECODE], tmp_path, monkeypatch)[0] == results[0]


def test_rows_that_cannot_be_simulated_are_named_and_the_others_come_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    rows = [
        ["train", *DECODE[1:]],
        [*DECODE[:2], "many", *DECODE[3:]],
        [*DECODE[:-1], ""],
        ["decode", "4", "2000", "4", "2", "500", "2000", "", "2000"],
        ["decode", "2000", *DECODE[2:]],
        DECODE,
    ]
    with pytest.raises(SystemExit):
        bench(rows, tmp_path, monkeypatch)
    results = json.loads((tmp_path / "out.json").read_text())
    assert [r["simulated"] is None for r in results] == [True] * 5 + [False]
    said = capfd.readouterr().err.splitlines()
    assert "row 0: program 'train' is none of decode, prefill" in said
    assert "row 1: column 'dim' is 'many', but has to be a whole number, 1 or more" in said
    assert "row 2: column 'kv' is '', but has to be a whole number, 1 or more" in said
    assert any(line.startswith("row 3: ") and "does not fit the SRAM" in line for line in said)
    assert any(line.startswith("row 4: ") and "2000x2000" in line for line in said)


def test_a_missing_column_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        bench([DECODE[:-1]], tmp_path, monkeypatch, header=HEADER[:-1])
    assert "row 0: column 'kv' is missing" in capfd.readouterr().err


@pytest.mark.parametrize(("program", "side"), [("decode", 6), ("prefill", 4)])
def test_engines_agree(program: str, side: int) -> None:
    flow, wavelet = (cycles(row(program, side), engine=engine) for engine in ("flow", "wavelet"))  # type: ignore[arg-type]
    assert flow == pytest.approx(wavelet, rel=0.02)


@pytest.mark.parametrize("grown", [(6, 8, 4), (4, 12, 4), (4, 8, 6)])
def test_larger_decodes_take_longer(grown: tuple[int, int, int]) -> None:
    assert cycles(row("decode", 6)) < cycles(row("decode", 6, grown))


@pytest.mark.slow
@pytest.mark.parametrize("grown", [(6, 8, 4), (4, 12, 4), (4, 8, 6)])
def test_larger_prefills_take_longer(grown: tuple[int, int, int]) -> None:
    assert cycles(row("prefill", 4)) < cycles(row("prefill", 4, grown))


def test_sizes_that_the_side_does_not_divide_are_padded() -> None:
    padded = Row.of(dict(zip(HEADER, ["decode", "6", "20", "1", "1", "20", "44", "", "19"], strict=True)))
    assert cycles(padded) == cycles(row("decode", 6))


def test_lines_are_cut_into_the_published_groups() -> None:
    assert [groups_of(side) for side in (360, 375, 420, 540, 660)] == [20, 15, 20, 20, 22]
    assert [groups_of(side) for side in (480, 16, 7)] == [20, 4, 1]
    fields = dict(zip(HEADER, DECODE, strict=True))
    assert Row.of(fields | {"groups": "3"}).group == 2


@pytest.mark.slow
def test_a_prefill_is_the_sum_of_its_parts_and_of_scores_that_grow_evenly() -> None:
    asked = row("prefill", 28, (9, 27, 9))
    assert cycles(asked) == pytest.approx(cycles(asked, whole=True), rel=0.005)
