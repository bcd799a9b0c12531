"""How fast the simulator is, and how much memory it takes.

    python bench/simulator.py [--case NAME ...] [--json OUT]

Each case runs in a process of its own, so that its peak memory is known. Seconds are those of compilation and
simulation, host transfers included; drawing the arguments is left out. Events are operations on PEs.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SIDES = (32, 64, 128, 256, 512, 720)


@dataclass(frozen=True)
class Case:
    """A product on a wafer.

    Attributes:
        m / k / n: C[m, n] = A[m, k] x B[k, n]; n = 0 for a matrix times a vector.
        data: whether numbers are moved and multiplied, and the result compared with NumPy's.
        algorithm: "" leaves the choice to the compiler.
        limit: seconds that the case must not exceed; 0 for none.
    """

    m: int
    k: int
    n: int
    grid: tuple[int, int]
    algorithm: str
    data: bool = False
    limit: float = 0.0

    @property
    def text(self) -> str:
        """The product as MLIR."""
        a, b, c = (
            f"tensor<{self.m}x{self.k}xf16>",
            f"tensor<{self.k}x{self.n}xf16>",
            f"tensor<{self.m}x{self.n}xf16>",
        )
        operation = "linalg.matmul"
        if not self.n:
            b, c, operation = f"tensor<{self.k}xf16>", f"tensor<{self.m}xf16>", "linalg.matvec"
        return f"""func.func @main(%a: {a}, %b: {b}) -> {c} {{
  %zero = arith.constant 0.0 : f16
  %empty = tensor.empty() : {c}
  %init = linalg.fill ins(%zero : f16) outs(%empty : {c}) -> {c}
  %c = {operation} ins(%a, %b : {a}, {b}) outs(%init : {c}) -> {c}
  return %c : {c}
}}
"""


CASES: dict[str, Case] = {
    "gemm, timing": Case(8640, 8640, 8640, (720, 720), "mesh_gemm", limit=10.0),
    "gemm, data": Case(8640, 8640, 8640, (720, 720), "mesh_gemm", data=True, limit=120.0),
    "gemv, data": Case(14400, 14400, 0, (600, 600), "mesh_gemv", data=True, limit=5.0),
    **{f"gemm curve {p}": Case(12 * p, 12 * p, 12 * p, (p, p), "mesh_gemm") for p in SIDES},
    **{f"gemv curve {p}": Case(24 * p, 24 * p, 0, (p, p), "mesh_gemv", data=True) for p in SIDES},
    "gemv curve full wafer": Case(24 * 1170, 24 * 755, 0, (755, 1170), "mesh_gemv", data=True),
}  # fmt: skip


def measure(case: Case) -> dict[str, Any]:
    """Runs one case in this process; peak memory is the process's."""
    from wse_mlir.compare.reference_check import random_arguments
    from wse_mlir.frontend.imported import import_model
    from wse_mlir.runtime.wafer.simulate import simulate_module
    from wse_mlir.wse_target.sim.recording import expected_events

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "product.mlir"
        file.write_text(case.text)
        model = import_model(str(file))
        found = simulate_module(
            model, "wse3", grid=f"{case.grid[0]}x{case.grid[1]}", algorithm=case.algorithm,
            timing_only=not case.data, inputs="integers", check=False, critical_path=False,
        )  # fmt: skip
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    row = {
        "pes": found.report.pes,
        "events": expected_events(found.program),
        "cycles": found.report.cycles.device,
        "seconds": sum(seconds for step, seconds in found.seconds.items() if step != "draw arguments"),
        "steps": dict(found.seconds),
        "peak_mib": peak,
        "limit": case.limit,
    }
    if case.data:
        a, b = (array.astype(np.float32) for array in random_arguments(model, 0, "integers"))
        row["error"] = float(np.abs(found.outputs[0].astype(np.float32) - a @ b).max())
    return row


def in_own_process(name: str) -> dict[str, Any]:
    """One case's row; a failure is a row with its message."""
    done = subprocess.run([sys.executable, __file__, "--one", name], capture_output=True, text=True)
    if done.returncode:
        return {"failure": (done.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(done.stdout)


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The rows for people."""
    columns: tuple[tuple[str, int, Callable[[dict[str, Any]], str]], ...] = (
        ("PEs", 10, lambda r: f"{r['pes']:,}"),
        ("cycles", 12, lambda r: f"{r['cycles']:,.0f}"),
        ("events", 15, lambda r: f"{r['events']:,}"),
        ("seconds", 9, lambda r: f"{r['seconds']:.1f}"),
        ("limit", 7, lambda r: f"{r['limit']:.0f}" if r["limit"] else ""),
        ("simulating", 11, lambda r: f"{simulating(r):.1f}"),
        ("ns/event", 9, lambda r: f"{1e9 * simulating(r) / max(r['events'], 1):.1f}"),
        ("us/PE", 8, lambda r: f"{1e6 * simulating(r) / r['pes']:.1f}"),
        ("MiB", 8, lambda r: f"{r['peak_mib']:,.0f}"),
        ("error", 7, lambda r: f"{r['error']:.0e}" if "error" in r else ""),
    )
    lines = [f"{'case':<24}" + "".join(f"{name:>{width}}" for name, width, _ in columns)]
    for name, row in rows.items():
        cells = (
            "".join(f"{cell(row):>{width}}" for _, width, cell in columns)
            if "pes" in row
            else f"  {row['failure']}"
        )
        lines.append(f"{name:<24}{cells}")
    return "\n".join(lines)


def simulating(row: dict[str, Any]) -> float:
    """Seconds of a row that the simulator took, compilation left out."""
    return sum(seconds for step, seconds in row["steps"].items() if step.startswith("simulate"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--case", action="append", choices=CASES, help="only this case; may be given repeatedly"
    )
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(CASES[arguments.one])))
        return
    rows = {}
    for name in arguments.case or CASES:
        rows[name] = in_own_process(name)
        print(table({name: rows[name]}).splitlines()[-1], file=sys.stderr)
    print(table(rows))
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
