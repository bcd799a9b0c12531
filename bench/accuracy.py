"""Simulated cycles of measured configurations: `python bench/accuracy.py --rows bench/data/calibration.csv --json OUT`.

Rows have the columns target, program, algorithm, P, M, K, N, dtype and cycles (which may be empty); others are ignored.
Each is one linalg operation, lowered by the ordinary pipeline with the grid and the algorithm forced, and timed as it
was measured: a `matmul` or `matvec` on P x P PEs back to back, one repetition in the steady state, mean over the PEs; a
`reduce` of P vectors of M elements over a row of P PEs onto the first one, until that one has the sum.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wse_mlir import CompilerError
from wse_mlir.runtime.wafer.simulate import simulate_module

# Steps of a product are alike, and one repetition of hundreds of them is steady; sums of vectors overlap with the next.
REPEAT = {"matmul": 1, "matvec": 3, "reduce": 1}
_HEADER = (("algorithm", -30), ("P", 4), ("M", 6), ("K", 6), ("N", 6), ("measured", 12), ("simulated", 12))


@dataclass(frozen=True)
class Outcome:
    """One row's cycles, or why there are none."""

    cycles: float | None
    seconds: float
    failure: str = ""


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


def reduction(vectors: int, elements: int, dtype: str) -> str:
    """MLIR of the sum of some vectors."""
    a, c = f"tensor<{vectors}x{elements}x{dtype}>", f"tensor<{elements}x{dtype}>"
    return f"""func.func @main(%a: {a}) -> {c} {{
  %zero = arith.constant 0.0 : {dtype}
  %empty = tensor.empty() : {c}
  %init = linalg.fill ins(%zero : {dtype}) outs(%empty : {c}) -> {c}
  %sum = linalg.reduce ins(%a : {a}) outs(%init : {c}) dimensions = [0]
    (%in: {dtype}, %acc: {dtype}) {{
      %s = arith.addf %in, %acc : {dtype}
      linalg.yield %s : {dtype}
    }}
  return %sum : {c}
}}
"""


def simulate(row: Mapping[str, str]) -> Outcome:
    """Cycles of one row."""
    begun = time.perf_counter()
    try:
        cycles, failure = _cycles(row), ""
    except (CompilerError, KeyError, ValueError) as error:
        cycles, failure = None, str(error)
    return Outcome(cycles, time.perf_counter() - begun, failure)


def _cycles(row: Mapping[str, str]) -> float:
    if row["program"] not in REPEAT:
        raise CompilerError(f"program '{row['program']}' is none of {', '.join(REPEAT)}")
    p, reduces = int(row["P"]), row["program"] == "reduce"
    if reduces:
        text = reduction(p, int(row["M"]), row["dtype"])
    else:
        text = product(int(row["M"]), int(row["K"]), int(row["N"]), row["dtype"])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "row.mlir"
        path.write_text(text)
        simulated = simulate_module(
            path, row["target"], timing_only=True, repeat=REPEAT[row["program"]], critical_path=False,
            grid=f"{p}x{1 if reduces else p}", algorithm=row["algorithm"],
        )  # fmt: skip
    cycles = simulated.report.cycles
    return cycles.makespan if reduces else cycles.device


def error(measured: float | None, simulated: float | None) -> float:
    """Relative error, NaN where something is missing."""
    return simulated / measured - 1 if measured and simulated is not None else math.nan


def run(rows: Sequence[Mapping[str, str]], workers: int) -> list[dict[str, Any]]:
    """Simulates every row, some at a time, and prints a line for each in order."""
    print(
        " ".join(f"{name:>{width}}" if width > 0 else f"{name:<{-width}}" for name, width in _HEADER),
        "   error      s",
    )
    results: list[dict[str, Any]] = []
    with ProcessPoolExecutor(workers) as pool:
        for number, (row, outcome) in enumerate(zip(rows, pool.map(simulate, rows), strict=True)):
            measured = float(row["cycles"]) if row.get("cycles") else None
            simulated = None if outcome.cycles is None else round(outcome.cycles, 1)
            results.append({"row": number, "measured": measured, "simulated": simulated})
            print(_line(row, measured, outcome), flush=True)
            if outcome.failure:
                print(f"row {number}: {outcome.failure}", file=sys.stderr)
    return results


def _line(row: Mapping[str, str], measured: float | None, outcome: Outcome) -> str:
    sizes = " ".join(f"{row[name]:>{width}}" for name, width in _HEADER[1:5])
    cycles = " ".join("-".rjust(12) if c is None else f"{c:12.1f}" for c in (measured, outcome.cycles))
    deviation = error(measured, outcome.cycles)
    shown = "" if math.isnan(deviation) else f"{deviation:+.1%}"
    return f"{row['algorithm']:30} {sizes} {cycles} {shown:>8} {outcome.seconds:6.1f}"


def summary(results: Sequence[Mapping[str, Any]]) -> str:
    """Largest and median magnitude of the errors."""
    errors = [abs(e) for r in results if not math.isnan(e := error(r["measured"], r["simulated"]))]
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
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="rows at a time")
    options = parser.parse_args()
    with options.rows.open(newline="") as file:
        results = run(list(csv.DictReader(file)), options.workers)
    print(summary(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if any(r["simulated"] is None for r in results):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
