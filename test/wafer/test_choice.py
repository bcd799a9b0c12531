"""What the compiler picks when it is left alone is what the simulator finds fastest, on both sides of each crossing.

Everything goes the ordinary way from MLIR to a simulation; alternatives are forced by the option `algorithm`, or by the
attribute `wse.iterators` where they split loops.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

import pytest

from wse_mlir.frontend.imported import import_model
from wse_mlir.runtime.wafer.simulate import Simulated, simulate_module

MEASURED = Path(__file__).parents[2] / "bench" / "data" / "calibration.csv"
REDUCTIONS = ("chain", "tree", "two_phase", "auto_tree", "star")
MATVEC = ("mesh_gemv", "chain_allreduce_gemv", "gemv_collectives")
MATMUL = ("mesh_gemm", "cannon", "summa_collectives", "summa_multicast_pipelined")
Split = tuple[str, ...]  # grid axis of each loop, "" for none


@pytest.fixture
def simulated(tmp_path: Path):
    """(text of @main, grid, algorithm) -> simulation for time on WSE-3."""

    def run(text: str, grid: tuple[int, int], algorithm: str = "") -> Simulated:
        file = tmp_path / "main.mlir"
        file.write_text(text)
        return simulate_module(
            import_model(str(file)), "wse3", grid=f"{grid[0]}x{grid[1]}", algorithm=algorithm,
            timing_only=True, critical_path=False,
        )  # fmt: skip

    return run


def generic(
    maps: str, kinds: str, inputs: Mapping[str, str], result: str, element: str, body: str, split: Split
) -> str:
    """A function of one `linalg.generic` that sums into zeros."""
    types = ", ".join(inputs.values())
    forced = ", ".join(f'"{axis}"' for axis in split)
    attributes = f"attrs = {{wse.iterators = [{forced}]}}" if split else ""
    scalars = "".join(f"%s{i}: {element}, " for i in range(len(inputs)))
    return f"""func.func @main({", ".join(f"{name}: {kind}" for name, kind in inputs.items())}) -> {result} {{
  %zero = arith.constant 0.0 : {element}
  %empty = tensor.empty() : {result}
  %init = linalg.fill ins(%zero : {element}) outs(%empty : {result}) -> {result}
  %c = linalg.generic {{indexing_maps = [{maps}], iterator_types = [{kinds}]}}
      ins({", ".join(inputs)} : {types}) outs(%init : {result}) {attributes} {{
    ^bb0({scalars}%sum: {element}):
      {body}
      linalg.yield %total : {element}
  }} -> {result}
  return %c : {result}
}}"""


def line_sum(pes: int, words: int) -> str:
    """As many tiles as there are PEs along y, summed."""
    maps = "affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (j)>"
    return generic(
        maps, '"reduction", "parallel"', {"%a": f"tensor<{pes}x{words}xf32>"}, f"tensor<{words}xf32>", "f32",
        "%total = arith.addf %sum, %s0 : f32", ("y", ""),
    )  # fmt: skip


def product(m: int, k: int, n: int, element: str, split: Split = ()) -> str:
    """C[m, n] = A[m, k] B[k, n]; n = 0 for a matrix times a vector."""
    if n:
        maps = "affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (k, j)>, affine_map<(i, j, k) -> (i, j)>"
        kinds, b, c = '"parallel", "parallel", "reduction"', f"{k}x{n}", f"{m}x{n}"
    else:
        maps = "affine_map<(i, k) -> (i, k)>, affine_map<(i, k) -> (k)>, affine_map<(i, k) -> (i)>"
        kinds, b, c = '"parallel", "reduction"', f"{k}", f"{m}"
    body = f"%p = arith.mulf %s0, %s1 : {element}\n      %total = arith.addf %sum, %p : {element}"
    inputs = {"%a": f"tensor<{m}x{k}x{element}>", "%b": f"tensor<{b}x{element}>"}
    return generic(maps, kinds, inputs, f"tensor<{c}x{element}>", element, body, split)


def cycles(found: Simulated) -> float:
    return found.report.cycles.makespan


def picked(found: Simulated) -> str:
    """Name of what was chosen for the program's one operation."""
    return found.choices[-1]["chosen"]["name"]


# Sides of the crossing of chain and tree, from far to close to it.
@pytest.mark.parametrize(
    ("pes", "words", "better", "worse"),
    [
        (16, 1, "tree", "chain"), (16, 16, "tree", "chain"), (16, 64, "chain", "tree"), (16, 1024, "chain", "tree"),
        (64, 8, "tree", "chain"), (64, 96, "tree", "chain"), (64, 192, "chain", "tree"), (64, 1024, "chain", "tree"),
    ],
)  # fmt: skip
def test_chain_and_tree(simulated, pes: int, words: int, better: str, worse: str) -> None:
    text = line_sum(pes, words)
    forced = {name: cycles(simulated(text, (1, pes), name)) for name in REDUCTIONS}
    assert forced[better] < forced[worse]
    assert cycles(simulated(text, (1, pes))) <= 1.05 * min(forced.values())


@pytest.mark.parametrize(
    ("grid", "m", "k", "best"),
    [
        ((16, 16), 64, 64, "split loop 0 over y"),
        ((16, 16), 256, 256, "split loop 0 over y, loop 1 over x, combined along x"),
        ((4, 64), 64, 64, "split loop 0 over y, loop 1 over x, combined along x"),
        ((4, 64), 64, 1024, "split loop 0 over x, loop 1 over y, combined along y"),
        ((64, 64), 512, 512, "split loop 0 over y, loop 1 over x, combined along x"),
    ],
)
def test_matrix_times_vector(simulated, grid: tuple[int, int], m: int, k: int, best: str) -> None:
    """Small ones are not worth a sum over PEs, large ones are: a PE that has one row adds up in one place."""
    found = simulated(product(m, k, 0, "f16"), grid)
    assert picked(found) == best
    forced = [cycles(simulated(product(m, k, 0, "f16"), grid, name)) for name in MATVEC]
    splits: list[Split] = [("y", ""), ("x", ""), ("x y", ""), ("y", "x"), ("x", "y"), ("", "y"), ("", "x")]
    forced += [cycles(simulated(product(m, k, 0, "f16", split), grid)) for split in splits]
    assert cycles(found) <= 1.05 * min(forced)


SPLITS: list[Split] = [
    ("x y", "", ""),
    ("y", "x", ""),
    ("x", "", "y"),
    ("", "x", "y"),
    ("y", "", "x"),
    ("", "y", "x"),
]


@pytest.mark.parametrize("size", [16, 128])
def test_matrix_products_whose_rows_and_columns_fit_a_pe(simulated, size: int) -> None:
    """Nothing has to move: the host brings rows of A and columns of B."""
    found = simulated(product(size, size, size, "f16"), (4, 4))
    assert "combined" not in picked(found)
    forced = [cycles(simulated(product(size, size, size, "f16"), (4, 4), name)) for name in MATMUL]
    forced += [cycles(simulated(product(size, size, size, "f16", split), (4, 4))) for split in SPLITS]
    assert cycles(found) <= 1.05 * min(forced)


@pytest.mark.parametrize(
    ("side", "size", "element", "best", "others"),
    [
        (12, 480, "f16", "summa_multicast_pipelined", ("mesh_gemm", "summa_collectives", "cannon")),
        (52, 520, "f32", "mesh_gemm", ("summa_multicast_pipelined", "summa_collectives")),
    ],
)
def test_matrix_products_whose_rows_and_columns_do_not_fit(
    simulated, side: int, size: int, element: str, best: str, others: tuple[str, ...]
) -> None:
    """Large tiles favour multicasts, small ones on a large grid rings."""
    text = product(size, size, size, element)
    found = simulated(text, (side, side))
    assert picked(found) == best
    for other in others:
        assert cycles(found) < cycles(simulated(text, (side, side), other)), other


def measured_step(algorithm: str, tile: int) -> float:
    """Measured cycles a step of a product of square tiles of `tile`, from the row of the largest grid."""
    with MEASURED.open(newline="") as file:
        rows = [r for r in csv.DictReader(file) if r["algorithm"] == algorithm]
    found = [r for r in rows if int(r["M"]) == tile * int(r["P"])]
    largest = max(found, key=lambda r: int(r["P"]))
    return float(largest["cycles"]) / int(largest["P"])


@pytest.mark.parametrize(
    ("tile", "slower", "faster"),
    [(12, "summa_collectives", "mesh_gemm"), (16, "mesh_gemm", "summa_multicast_pipelined")],
)
def test_algorithms_are_as_far_apart_as_measurements_say(
    simulated, tile: int, slower: str, faster: str
) -> None:
    """MeshGEMM takes a quarter of what SUMMA over the library takes, and more than pipelined SUMMA on large tiles."""
    side = 64
    text = product(side * tile, side * tile, side * tile, "f16")
    ratio = cycles(simulated(text, (side, side), slower)) / cycles(simulated(text, (side, side), faster))
    assert ratio == pytest.approx(measured_step(slower, tile) / measured_step(faster, tile), rel=0.08)
    assert ratio > 1
