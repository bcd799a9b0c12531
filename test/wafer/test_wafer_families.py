"""The model families of bench/ at tiny, odd sizes on simulated wafers, and bench/wafer.py."""

from __future__ import annotations

import copy
import json
import runpy
import sys
from pathlib import Path

import pytest
import torch
from cpu_families import FAMILIES
from zoo import error

import wse_mlir

BENCH = Path(__file__).parents[2] / "bench" / "wafer.py"
LONG = ("mobilenet", "convnext", "resnet18")  # lowered in 20 seconds
CASES = [(family, "5x3") for family in FAMILIES if family not in LONG]
CASES += [("matmul", "2x7"), ("mlp", "2x7"), ("gpt-token", "4x2")]
SLOW = [(family, "5x3") for family in LONG] + [(family, "8x8") for family in FAMILIES]


CASES_OF_PARTS = ("llama-token", "gpt-prefill", "lenet")  # planned with effort=high; all of them in test-full


@pytest.mark.parametrize(
    ("family", "grid"), [*CASES, *(pytest.param(*case, marks=pytest.mark.slow) for case in SLOW)]
)
def test_results_are_those_of_pytorch(family: str, grid: str) -> None:
    require_pytorchs_results(family, grid)


@pytest.mark.parametrize(
    "family",
    [
        pytest.param(f, marks=[] if f in CASES_OF_PARTS else pytest.mark.slow)
        for f in FAMILIES
        if f not in LONG
    ],
)
def test_results_of_plans_by_parts_of_dimensions(family: str) -> None:
    require_pytorchs_results(family, "5x3", effort="high")


def require_pytorchs_results(family: str, grid: str, **options: str) -> None:
    """Of two calls, as states go on; planned bytes are those that are taken."""
    case = FAMILIES[family].case("tiny")
    model = copy.deepcopy(case.model)
    compiled = wse_mlir.compile(case.model, case.args, target="tiny", grid=grid, **options)
    for _ in range(2):  # states go on
        results, expected = compiled(*case.args), model(*case.args)
        pairs = zip(*(x if isinstance(x, tuple) else (x,) for x in (results, expected)), strict=True)
        assert all(error(a, b) <= 1e-3 for a, b in pairs if isinstance(a, torch.Tensor))
    (planned,) = (c["chosen"]["bytes"] for c in compiled.report["choices"] if c["message"].startswith("grid"))
    assert planned == pytest.approx(compiled.report["sram"]["buffers"], rel=0.1)


def test_the_bench_has_a_row_for_each_family(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out.json"
    asked = [
        "--families",
        "matvec,mlp",
        "--sizes",
        "tiny",
        "--target",
        "tiny",
        "--grid",
        "4x4",
        "--programs",
        "2",
        "--json",
        str(out),
    ]
    monkeypatch.syspath_prepend(str(BENCH.parent))
    monkeypatch.setattr(sys, "argv", ["wafer.py", *asked])
    runpy.run_path(str(BENCH), run_name="__main__")
    rows = json.loads(out.read_text())
    assert list(rows) == ["matvec tiny", "mlp tiny"] and all(row["pes"] == 16 for row in rows.values())
    for row in rows.values():
        assert 0 < row["utilisation"] <= 1 and sum(row["shares"].values()) == pytest.approx(1)
        assert 0.5 < row["planned"] / row["cycles"] < 2
        assert 0 < row["classes"] <= 16 * row["programs"] and 0 < row["code"] < row["ir_bytes"] < 1 << 20
        assert row["lowering"] > 0 and row["simulating"] > 0 and row["peak_mib"] > 0
    shown = capsys.readouterr().out.splitlines()
    assert len(shown) == 3 and shown[0].split()[:3] == ["family", "PEs", "programs"]
    assert [row["programs"] for row in rows.values()] == [1, 2]


def test_products_are_told_apart_from_what_is_around_them(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On one PE nothing is combined or moved, and a product takes what it takes alone."""
    asked = ["--products", "--families", "mlp", "--sizes", "tiny", "--target", "tiny", "--grid", "1x1"]
    monkeypatch.syspath_prepend(str(BENCH.parent))
    monkeypatch.setattr(sys, "argv", ["wafer.py", *asked])
    runpy.run_path(str(BENCH), run_name="__main__")
    title, _, *rows = capsys.readouterr().out.splitlines()
    assert title == "mlp tiny, 1x1 PEs" and len(rows) == 2
    assert [row.split(")")[1].split()[:3] for row in rows] == [["3", "13", "21*"], ["3", "7", "13*"]]
    for row in rows:
        inside, moving, alone, ratio = (float(cell.replace(",", "")) for cell in row.split()[-4:])
        assert inside > 0 and moving == 0 and inside == alone and ratio == 1
