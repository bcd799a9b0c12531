"""Simulated cycles of measured configurations: `python bench/accuracy.py --rows bench/data/calibration.csv --json OUT`.

Rows have the columns target, program, algorithm, P, M, K, N, dtype and cycles (which may be empty); others are ignored.
A `matmul` or `matvec` is one linalg operation on P x P PEs, lowered by the ordinary pipeline with the algorithm forced.
It is timed as it was measured: back to back, one repetition in the steady state, mean over the PEs. A `reduce` sums M
elements over a row of P PEs onto the first one by the library's collective, and lasts until that one has the sum.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import statistics
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wse_mlir.passes.wafer.library.algorithm import choose
from wse_mlir.passes.wafer.library.fragment import CollectiveRequest, Line, Tile
from wse_mlir.pipelines.simulate import simulate_module
from wse_mlir.wse_target.image import Access, Buffer, PEClass, Program
from wse_mlir.wse_target.machine import load_machine
from wse_mlir.wse_target.quasi_affine import const
from wse_mlir.wse_target.sim import Simulation

# Steps of a product are alike, and one repetition of hundreds of them is steady; sums of vectors overlap with the next.
REPEAT = {"matmul": 1, "matvec": 3}


def product(m: int, k: int, n: int, dtype: str) -> str:
    """MLIR of C = A B, summed in the elements' type as the measured programs do."""
    a, b, c = f"tensor<{m}x{k}x{dtype}>", f"tensor<{k}x{n}x{dtype}>", f"tensor<{m}x{n}x{dtype}>"
    return f"""func.func @main(%a: {a}, %b: {b}) -> {c} {{
  %zero = arith.constant 0.0 : {dtype}
  %empty = tensor.empty() : {c}
  %init = linalg.fill ins(%zero : {dtype}) outs(%empty : {c}) -> {c}
  %sum = linalg.matmul ins(%a, %b : {a}, {b}) outs(%init : {c}) -> {c}
  return %sum : {c}
}}
"""


def product_cycles(row: Mapping[str, str]) -> float:
    """Cycles of one repetition of a product."""
    sizes = (int(row["M"]), int(row["K"]), int(row["N"]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "product.mlir"
        path.write_text(product(*sizes, row["dtype"]))
        simulated = simulate_module(
            path, row["target"], timing_only=True, repeat=REPEAT[row["program"]], critical_path=False,
            grid=f"{row['P']}x{row['P']}", algorithm=row["algorithm"],
        )  # fmt: skip
    return simulated.report.cycles.device


def reduce_cycles(row: Mapping[str, str]) -> float:
    """Cycles until the first PE of a row has the sum."""
    count, dtype, machine = int(row["M"]), row["dtype"], load_machine(row["target"])
    line = Line("x", (int(row["P"]), 1))
    tile = Tile(Access("tile", const(0), (1,)), (const(count),), dtype)  # type: ignore[arg-type]
    fragment = choose("reduce", row["algorithm"]).build(CollectiveRequest(line, tile, machine, "sum_"))
    program = Program(
        "reduce", line.grid, (), (), {"tile": Buffer("tile", 0, (count,), tile.dtype)},
        tuple(PEClass(f"part{i}", part.where, part.body) for i, part in enumerate(fragment.parts)),
        dict(zip(fragment.colours, machine.usable_colours, strict=False)), fragment.routes,
        positions=dict(fragment.positions),
    )  # fmt: skip
    return Simulation(program, machine, timing_only=True).call([]).report.cycles.makespan


PROGRAMS = {"matmul": product_cycles, "matvec": product_cycles, "reduce": reduce_cycles}


def error(measured: float | None, simulated: float) -> float:
    """Relative error, NaN where nothing was measured."""
    return simulated / measured - 1 if measured else math.nan


def run(rows: Sequence[Mapping[str, str]]) -> list[dict[str, Any]]:
    """Simulates every row, and prints a line for each."""
    print(
        f"{'algorithm':30} {'P':>4} {'M':>6} {'K':>6} {'N':>6} {'measured':>12} {'simulated':>12} {'error':>8} {'s':>6}"
    )
    results: list[dict[str, Any]] = []
    for number, row in enumerate(rows):
        begun = time.perf_counter()
        if row["program"] not in PROGRAMS:
            raise SystemExit(f"row {number}: program '{row['program']}' is none of {', '.join(PROGRAMS)}")
        simulated = PROGRAMS[row["program"]](row)
        measured = float(row["cycles"]) if row.get("cycles") else None
        results.append({"row": number, "measured": measured, "simulated": round(simulated, 1)})
        sizes = " ".join(f"{row[name]:>{width}}" for name, width in (("P", 4), ("M", 6), ("K", 6), ("N", 6)))
        shown = f"{measured:12.1f}" if measured else " " * 12
        deviation = f"{error(measured, simulated):+8.1%}" if measured else " " * 8
        seconds = time.perf_counter() - begun
        print(
            f"{row['algorithm']:30} {sizes} {shown} {simulated:12.1f} {deviation} {seconds:6.1f}", flush=True
        )
    return results


def summary(results: Sequence[Mapping[str, Any]]) -> str:
    """Largest and median magnitude of the errors."""
    errors = [abs(error(r["measured"], r["simulated"])) for r in results if r["measured"]]
    if not errors:
        return "no row is measured"
    return f"{len(errors)} rows: median error {statistics.median(errors):.1%}, largest {max(errors):.1%}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=Path, default=Path(__file__).parent / "data" / "calibration.csv")
    parser.add_argument("--json", type=Path, help="where to write [{row, measured, simulated}, ...]")
    options = parser.parse_args()
    with options.rows.open(newline="") as file:
        results = run(list(csv.DictReader(file)))
    print(summary(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
