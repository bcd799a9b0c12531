"""`wse simulate`: what it computes, reports, writes and refuses."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

from wse_mlir.runtime.wafer import simulator_runs
from wse_mlir.tools.wse import app

MATMUL = """
!a = tensor<13x20xf32>
!b = tensor<20x9xf32>
!c = tensor<13x9xf32>
func.func @product(%a: !a, %b: !b) -> !c {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : !c
  %init = linalg.fill ins(%zero : f32) outs(%empty : !c) -> !c
  %c = linalg.matmul ins(%a, %b : !a, !b) outs(%init : !c) -> !c
  return %c : !c
}
"""
SUM = """
#in = affine_map<(i, k) -> (i, k)>
#out = affine_map<(i, k) -> (i)>
func.func @sums(%x: tensor<4x4096xf32>) -> tensor<4xf32> {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<4xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<4xf32>) -> tensor<4xf32>
  %s = linalg.generic {indexing_maps = [#in, #out], iterator_types = ["parallel", "reduction"]}
      ins(%x : tensor<4x4096xf32>) outs(%init : tensor<4xf32>) {
    ^bb0(%v: f32, %sum: f32):
      %next = arith.addf %sum, %v : f32
      linalg.yield %next : f32
  } -> tensor<4xf32>
  return %s : tensor<4xf32>
}
"""

ENGINES = ["flow", "wavelet"]


@pytest.fixture(autouse=True)
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("product.mlir").write_text(MATMUL)
    Path("sums.mlir").write_text(SUM)


def simulate(*words: str) -> Result:
    return CliRunner().invoke(app, ["simulate", *words])


def report(*words: str) -> dict:
    done = simulate(*words, "--json", "out.json")
    assert done.exit_code == 0, done.output
    return json.loads(Path("out.json").read_text())


def test_results_are_checked_and_explained() -> None:
    done = simulate("product.mlir", "--grid", "4x3", "--explain")
    assert done.exit_code == 0, done.output
    for part in (
        "product.mlir:9",
        "4 x 3 PEs",
        "Results match the CPU's",
        "Chosen at product.mlir:9",
        "FLOPs (f32)",
    ):
        assert part in done.output


@pytest.mark.parametrize("engine", ["flow", "wavelet"])
def test_the_report_is_a_json_file_with_its_maps_beside_it(engine: str) -> None:
    data = report("sums.mlir", "--grid", "8x4", "--engine", engine)
    assert data["grid"] == [8, 4] and data["engine"] == engine and data["options"] == {"grid": "8x4"}
    assert data["check"]["matches"] and max(data["check"]["errors"]) < 1e-5
    assert data["cycles"]["host_io"] > 0 and data["cycles"]["makespan"] >= data["cycles"]["device"] > 0
    split = data["split"]
    parts = split["compute"] + split["communication"] + split["waiting"]
    assert parts == pytest.approx(data["cycles"]["device"])
    maps = np.load(data["arrays"]["file"])
    assert {name: list(maps[name].shape) for name in maps.files} == data["arrays"]["shapes"]
    assert maps["links"].shape == (4, 8, 4) and maps["ramps"].shape == (4, 8, 2)
    assert maps["links"].sum() == data["link_loads"]["words"] > 0
    assert maps["total"].mean() == pytest.approx(data["cycles"]["device"])
    assert maps["compute"].mean() == pytest.approx(split["compute"])
    assert maps["phase_cycles"].shape[0] == len(data["phases"])


def test_timing_needs_no_data_and_agrees_with_it() -> None:
    with_data, without = (
        report("sums.mlir", "--grid", "8x4"),
        report("sums.mlir", "--grid", "8x4", "--timing-only"),
    )
    assert without["timing_only"] and without["check"] is None
    assert with_data["cycles"] == without["cycles"] and with_data["split"] == without["split"]


def test_timing_only_allocates_no_tensor() -> None:
    """The operand and the result would take 32 TB each."""
    size = 4_000_000
    Path("huge.mlir").write_text(
        f"func.func @f(%a: tensor<{size}x{size}xf16>) -> tensor<{size}x{size}xf16> {{\n"
        f"  %b = arith.addf %a, %a : tensor<{size}x{size}xf16>\n"
        f"  return %b : tensor<{size}x{size}xf16>\n}}\n"
    )
    Path("roomy.toml").write_text(_machine_with_memory(1 << 31))
    data = report("huge.mlir", "--grid", "400x400", "--target", "roomy.toml", "--timing-only")
    assert data["flops"] == size * size and data["pes"] == 160_000


def _machine_with_memory(size: int) -> str:
    from wse_mlir.wse_target import machine_file

    text = (Path(machine_file.__file__).parent / "machines" / "wse3.toml").read_text()
    return text.replace("bytes = { value = 49152", f"bytes = {{ value = {size - 1}", 1)


@pytest.mark.parametrize("engine", ENGINES)
def test_repetitions_report_one(engine: str) -> None:
    once = report("sums.mlir", "--grid", "8x4", "--engine", engine)
    often = report("sums.mlir", "--grid", "8x4", "--engine", engine, "--repeat", "4")
    assert often["repetitions"] == 4
    assert 0.5 * once["cycles"]["device"] < often["cycles"]["device"] <= 1.2 * once["cycles"]["makespan"]
    assert often["flops"] == once["flops"] and often["link_loads"]["words"] == once["link_loads"]["words"]
    assert often["cycles"]["total"] > 3 * often["cycles"]["makespan"] * 0.9


@pytest.mark.parametrize("engine", ENGINES)
def test_the_critical_path_is_the_makespan(engine: str) -> None:
    data = report("sums.mlir", "--grid", "8x4", "--engine", engine)
    path = data["critical_path"]
    assert path["cycles"] == pytest.approx(data["cycles"]["makespan"])
    assert sum(phase["cycles"] for phase in path["phases"]) == pytest.approx(path["cycles"])
    assert path["pes"] > 1
    operations = {name for phase in path["phases"] for name in phase["operations"]}
    assert any(name.startswith("vector") for name in operations)
    assert any("words of" in name for name in operations)
    assert all(
        a["end"] == pytest.approx(b["begin"])
        for a, b in zip(path["segments"], path["segments"][1:], strict=False)
    )


def test_a_trace_of_a_window() -> None:
    words = (
        "sums.mlir",
        "--grid",
        "8x4",
        "--timeline",
        "t.json",
        "--timeline-pes",
        "1:3,0:2",
        "--timeline-cycles",
        "0:400",
    )
    assert simulate(*words, "--engine", "wavelet").exit_code == 0
    trace = json.loads(Path("t.json").read_text())
    names = {e["args"]["name"] for e in trace["traceEvents"] if e["name"] == "process_name"}
    assert names == {"PE (1, 0)", "PE (2, 0)", "PE (1, 1)", "PE (2, 1)"}
    operations = [e for e in trace["traceEvents"] if e["ph"] == "X"]
    assert operations and all(e["ts"] < 400 and e["ts"] + e["dur"] > 0 for e in operations)


@pytest.mark.skipif(importlib.util.find_spec("matplotlib") is None, reason="an optional extra")
def test_pictures() -> None:
    assert simulate("sums.mlir", "--grid", "8x4", "--pictures", "maps").exit_code == 0
    for name in ("cycles", "links", "work"):
        assert Path(f"maps/{name}.png").read_bytes().startswith(b"\x89PNG")


def test_pictures_without_matplotlib(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    refused("sums.mlir", "--pictures", "maps", says=("matplotlib", "wse-mlir[pictures]"))


def test_models_from_python_and_exported_ones() -> None:
    Path("model.py").write_text(
        "import torch\ndef load():\n    torch.manual_seed(0)\n"
        "    return torch.nn.Linear(8, 6).eval(), (torch.ones(3, 8),)\n"
    )
    from_python = report("model.py:load", "--grid", "2x2")
    program = torch.export.export(torch.nn.Linear(8, 6).eval(), (torch.ones(3, 8),))
    torch.export.save(program, "model.pt2")
    exported = report("model.pt2", "--grid", "2x2")
    assert from_python["check"]["matches"] and exported["check"]["matches"]
    assert from_python["cycles"] == exported["cycles"]
    assert from_python["flops"] == exported["flops"] >= 2 * 3 * 8 * 6


def test_a_long_program_is_not_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator_runs, "MOST_EVENTS", 10)
    data = report("sums.mlir", "--grid", "8x4")
    assert data["critical_path"] is None and "not looked for" in data["critical_path_note"]


def refused(*words: str, says: tuple[str, ...]) -> None:
    done = simulate(*words)
    assert done.exit_code == 1
    message = done.stderr
    assert message.startswith("error: ") and "Traceback" not in message and "internal" not in message
    for part in says:
        assert part in message, message


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("product.mlir", "--algorithm", "mesh_gem"), ("mesh_gem",)),
        (("product.mlir", "--algorithm", "mesh_gemm{"), ("mesh_gemm{",)),
        (("product.mlir", "--grid", "9x9"), ("9x9", "8x8")),
        (("product.mlir", "--grid", "wide"), ("'wide'", "WIDTHxHEIGHT")),
        (("product.mlir", "--target", "cpu"), ("'cpu' is not a wafer",)),
        (("product.mlir", "--target", "wse4"), ("wse4", "wse3")),
        (("product.mlir", "--repeat", "0"), ("0 times", "from 1 to")),
        (("product.mlir", "--repeat", "99999999999"), ("99999999999 times", "from 1 to")),
        (("nothing.mlir",), ("nothing.mlir", "no such file")),
        (("empty.mlir",), ("empty.mlir", "function")),
        (("broken.mlir",), ("broken.mlir:1", "MLIR")),
        (("open.mlir",), ("left open", "static")),
        (("product.mlir", "--timeline-pes", "0:1,0:1"), ("--timeline OUT.json",)),
        (("product.mlir", "--timeline", "t.json", "--timeline-pes", "0:1"), ("X0:X1,Y0:Y1",)),
        (("product.mlir", "--timeline", "t.json", "--timeline-cycles", "9:1"), ("'9:1'",)),
        (("product.mlir", "--grid", "2x2", "--timeline", "t.json", "--timeline-pes", "5:6,0:1"), ("2x2", "0:2,0:2")),
        (("product.mlir", "--json", "no/where.json"), ("no/where.json",)),
        (("product.mlir", "--trace", "t.json"), ("full trace of a failure", "--timeline FILE")),
        (("product.mlir", "--trace-pes", "0:1,0:1"), ("full trace of a failure", "--timeline-pes")),
        (("product.mlir", "other.mlir"), ("one model", "other.mlir")),
        (("product.mlir", "--json", "-", "--timeline", "-"), ("standard output", "one result")),
        (("product.mlir", "--accumulate", "f64"), ("f64",)),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)  # fmt: skip
def test_mistakes_get_one_message(words: tuple[str, ...], says: tuple[str, ...]) -> None:
    Path("empty.mlir").write_text("module {}\n")
    Path("broken.mlir").write_text("func.func @f( {\n")
    Path("open.mlir").write_text(
        "func.func @f(%a: tensor<?x2xf32>) -> tensor<?x2xf32> {\n  return %a : tensor<?x2xf32>\n}\n"
    )
    refused(*words, says=says)
    assert not Path("t.json").exists()
