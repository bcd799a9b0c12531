"""What the model families cost on a simulated wafer, and what it costs to find out.

    python bench/wafer.py [--families F,...] [--sizes tiny,small] [--target wse3] [--grid WxH] [--accumulate TYPE]
                          [--effort high] [--programs N] [--data] [--json OUT]
    python bench/wafer.py --goals [--accumulate f16] [--effort high]
    python bench/wafer.py --products [--families F,...] [--sizes tiny,small] [--grid WxH] ...

Each row runs in a process of its own, so that its peak memory is known. Cycles are the mean over PEs, host transfers
left out; `last` is when the last PE ends, and `planned` what the partitioner predicted of that: where few PEs combine
what many have computed, or only a part of a grid has work, most PEs end long before. Utilisation is the share of the
PEs' time that they compute in, until the slowest ends; the other shares are those of the cycles that PEs spend. With
`--data` the model is called, and its results are compared with PyTorch's; without, nothing is computed and the times
are those of an estimate. Classes, bytes of code on the fullest PE, and of the executable stage as text, say how large a
program is; `lower` is the time to import and compile it. `--goals` measures the layers and models of `wafer_goals.py`
on their grids, beside the cycles that they should take. `--products` lists the products of each family beside what the
same products take alone, of equal layers those of one; see `wafer_products.py`.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cpu_families import FAMILIES
from wafer_goals import GOALS

LONGEST = 1200  # seconds that a row may take
SHARES = ("compute", "communication", "waiting")
CASES = FAMILIES | {name: goal.family for name, goal in GOALS.items()}


def estimated(family: str, size: str, target: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """A family's report from shapes alone."""
    import wse_mlir

    case = CASES[family].case(size)
    begun = time.perf_counter()
    report = wse_mlir.estimate(case.model, case.args, target=target, critical_path=False, **options)
    simulating = sum(part["seconds_by_step"]["simulate"] for part in programs_of(report))
    return {
        "report": report,
        "lowering": time.perf_counter() - begun - simulating,
        "simulating": simulating,
    }


def called(family: str, size: str, target: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """A family's report of a call, and how far its results are from PyTorch's."""
    import torch

    import wse_mlir
    from wse_mlir.compare.agreement import relative_error

    case = CASES[family].case(size)
    begun = time.perf_counter()
    compiled = wse_mlir.compile(case.model, case.args, target=target, cache=False, **options)
    made = time.perf_counter()
    results = compiled(*case.args)
    done = time.perf_counter()
    expected = case.model(*case.args)
    pairs = zip(*(x if isinstance(x, tuple) else (x,) for x in (results, expected)), strict=True)
    error = max(relative_error(a, b) for a, b in pairs if isinstance(a, torch.Tensor))
    return {
        "report": compiled.report,
        "lowering": made - begun,
        "simulating": done - made,
        "error": float(error),
    }


def programs_of(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Reports of the programs that a model became."""
    from wse_mlir.runtime.wafer.parts.report import wafer_reports

    return wafer_reports(report)


def row_of(found: Mapping[str, Any]) -> dict[str, Any]:
    """What the table shows of a report: sums over programs that take turns, and the most that one takes of a PE."""
    report = found["report"]
    programs = programs_of(report)
    split = {name: sum(part["split"][name] for part in programs) for name in SHARES}
    spent = sum(split.values())
    grids = [c for part in programs for c in part["choices"] if "bytes" in c.get("chosen", {})]
    lasting = sum(part["cycles"]["makespan"] for part in programs)
    busy = sum(part["utilisation"] * part["cycles"]["makespan"] for part in programs)
    return {
        "pes": report["pes"],
        "programs": len(programs),
        "classes": sum(part["classes"] for part in programs),
        "code": max(part["sram"]["code"] for part in programs),
        "ir_bytes": sum(part["ir_bytes"] for part in programs),
        "planned": sum(grid["chosen"]["cycles"] for grid in grids) if len(grids) == len(programs) else None,
        "cycles": report["cycles"]["device"],
        "makespan": lasting,
        "host_io": report["cycles"]["host_io"],
        "utilisation": busy / lasting if lasting else 0.0,
        "shares": {name: split[name] / spent if spent else 0.0 for name in SHARES},
        "sram": report["sram"],
        "lowering": found["lowering"],
        "simulating": found["simulating"],
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        **({"error": found["error"]} if "error" in found else {}),
    }  # fmt: skip


def goal_of(family: str, target: str, pes: int) -> float:
    """Cycles that a goal's case should take at most on so many PEs of a target."""
    from wse_mlir.compiler.targets import find_wafer

    return GOALS[family].cycles(find_wafer(target).machine.rate("fma", "f16") * pes)


def in_own_process(arguments: argparse.Namespace, family: str, size: str) -> dict[str, Any]:
    """One row; a failure is a row with its message."""
    grid = arguments.grid or (GOALS[family].grid if family in GOALS else "")
    command = [sys.executable, __file__, "--one", "--families", family, "--sizes", size]
    for name in ("target", "accumulate", "effort", "programs"):
        command += [f"--{name}", getattr(arguments, name)]
    command += ["--grid", grid]
    command += ["--data"] * arguments.data
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LONGEST, check=False)
    except subprocess.TimeoutExpired:
        return {"failure": f"no answer in {LONGEST} s"}
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if "Error" in line or "Failure" in line]
        return {"failure": (lines or done.stderr.strip().splitlines() or ["no message"])[-1]}
    return json.loads(done.stdout.splitlines()[-1])


_COLUMNS: tuple[tuple[str, int, Callable[[dict[str, Any]], str]], ...] = (
    ("PEs", 9, lambda r: f"{r['pes']:,}"),
    ("programs", 9, lambda r: f"{r['programs']}"),
    ("classes", 8, lambda r: f"{r['classes']}"),
    ("code B", 8, lambda r: f"{r['code']:,}"),
    ("IR KB", 7, lambda r: f"{r['ir_bytes'] / 1000:,.0f}"),
    ("planned", 11, lambda r: f"{r['planned']:,.0f}" if r["planned"] is not None else ""),
    ("last", 11, lambda r: f"{r['makespan']:,.0f}"),
    ("cycles", 11, lambda r: f"{r['cycles']:,.0f}"),
    ("busy", 6, lambda r: f"{r['utilisation']:.0%}"),
    ("compute", 8, lambda r: f"{r['shares']['compute']:.0%}"),
    ("moving", 7, lambda r: f"{r['shares']['communication']:.0%}"),
    ("waiting", 8, lambda r: f"{r['shares']['waiting']:.0%}"),
    ("lower s", 8, lambda r: f"{r['lowering']:.1f}"),
    ("simul. s", 9, lambda r: f"{r['simulating']:.1f}"),
    ("MiB", 7, lambda r: f"{r['peak_mib']:,.0f}"),
    ("error", 9, lambda r: f"{r['error']:.1e}" if "error" in r else ""),
    ("goal", 11, lambda r: f"{r['goal']:,.0f}" if "goal" in r else ""),
)


def heading() -> str:
    """The names of the columns."""
    return f"{'family':<22}" + "".join(f"{name:>{width}}" for name, width, _ in _COLUMNS)


def line_of(name: str, row: dict[str, Any]) -> str:
    """A row for people."""
    if "failure" in row:
        return f"{name:<22}  {row['failure']}"
    return f"{name:<22}" + "".join(f"{cell(row):>{width}}" for _, width, cell in _COLUMNS)


def print_products(family: str, size: str, target: str, options: Mapping[str, Any]) -> None:
    """Products of a family, inside of it and alone; of equal layers those of one: others may be trips of a loop."""
    import wafer_products

    one_layer = {"layers": 1} if "layers" in CASES[family].sizes[size] else {}
    case = CASES[family].case(size, **one_layer)
    grid, rows = wafer_products.product_rows(case.model, case.args, target, options)
    print(f"{family} {size}, {grid} PEs", wafer_products.heading(), sep="\n")
    print(*map(wafer_products.line_of, rows), sep="\n", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--families", default=",".join(FAMILIES), help="names, separated by commas")
    parser.add_argument("--sizes", default="small", help="tiny, small, large, separated by commas")
    parser.add_argument("--target", default="wse3", help="a machine's name, or the path of its file")
    parser.add_argument("--grid", default="", help="WIDTHxHEIGHT; the planner's choice by default")
    parser.add_argument(
        "--accumulate", default="", help="what products sum in, e.g. f16; as imported by default"
    )
    parser.add_argument("--effort", default="", help="high: plan longer, by parts of dimensions")
    parser.add_argument("--programs", default="", help="how many take turns, or auto: as many as it takes")
    parser.add_argument("--data", action="store_true", help="call the model and compare with PyTorch")
    parser.add_argument("--json", type=Path, help="also write the rows to this file")
    parser.add_argument("--goals", action="store_true", help="the cases of wafer_goals.py instead")
    parser.add_argument(
        "--products", action="store_true", help="products of each family beside the same ones alone"
    )
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    names = [(f, s) for f in arguments.families.split(",") for s in arguments.sizes.split(",")]
    if arguments.goals:
        names = [(name, "goal") for name in GOALS]
    unknown = [f for f, s in names if f not in CASES or s not in CASES[f].sizes]
    if unknown:
        parser.error(f"'{unknown[0]}': families are {', '.join(FAMILIES)}; sizes tiny, small, large")
    asked = ("grid", "accumulate", "effort", "programs")
    options = {name: getattr(arguments, name) for name in asked if getattr(arguments, name)}
    if arguments.products:
        for family, size in names:
            print_products(family, size, arguments.target, options)
        return
    if arguments.one:
        find = called if arguments.data else estimated
        row = row_of(find(*names[0], arguments.target, options))
        if names[0][0] in GOALS:
            row["goal"] = goal_of(names[0][0], arguments.target, row["pes"])
        print(json.dumps(row))
        return
    rows: dict[str, dict[str, Any]] = {}
    print(heading(), flush=True)
    for family, size in names:
        rows[f"{family} {size}"] = row = in_own_process(arguments, family, size)
        print(line_of(f"{family} {size}", row), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=2) + "\n")


if __name__ == "__main__":
    main()
