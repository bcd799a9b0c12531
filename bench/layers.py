"""Simulated cycles of one transformer layer as hand-written programs execute it, and as this compiler does.

    python bench/layers.py [--rows FILE] [--json OUT] [--ours] [--workers N]

Rows have the columns program (`decode` or `prefill`), P, dim, heads, kv_heads, head_dim, ffn, seq and kv;
`bench/data/layers.csv` holds the published configurations. Each is the layer of WaferLLM's public program on P x P PEs
of `wse3`, put together from this project's algorithms (`bench/measured_layers`), and simulated for its time alone:
cycles of one layer of several back to back, the mean over the PEs. With `--ours` the layer of a model of these sizes is
compiled as well, by the planner's own choice of layouts and algorithms on the same PEs (`effort="high"`, sums in f16).
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from measured_layers.row import Row
from measured_layers.simulate import MACHINE, cycles

from wse_mlir import CompilerError
from wse_mlir.wse_target.errors import TargetError

_HEADER = (("program", -8), ("P", 4), ("dim", 6), ("ffn", 6), ("length", 7), ("simulated", 12), ("s", 7))


@dataclass(frozen=True)
class Outcome:
    """One row's cycles, or why there are none.

    Attributes:
        planned: cycles of the compiler's own program, when it was asked for.
        seconds: of CPU time, for both together.
    """

    simulated: float | None = None
    planned: float | None = None
    seconds: float = 0.0
    failure: str = ""


def simulate(fields: Mapping[str, str | None], *, ours: bool = False) -> Outcome:
    """Cycles of one row of the table."""
    begun, simulated, planned_cycles, failure = time.process_time(), None, None, ""
    try:
        row = Row.of(fields)
        simulated = cycles(row)
        planned_cycles = planned(row) if ours else None
    except (CompilerError, TargetError) as error:
        failure = str(error)
    return Outcome(simulated, planned_cycles, time.process_time() - begun, failure)


def planned(row: Row) -> float:
    """Cycles of a layer of these sizes that the planner maps onto the row's PEs.

    Raises:
        CompilerError: it does not fit, or the row does not say how many heads there are.
    """
    from wafer_goals import decoder_layer

    from wse_mlir.runtime.wafer.simulate import simulate_module

    if not row.heads or not row.kv_heads or not row.head_dim:
        raise CompilerError("columns 'heads', 'kv_heads' and 'head_dim' are needed for a layer of our own")
    tokens = 1 if row.program == "decode" else row.length
    case = decoder_layer(tokens, row.heads * row.head_dim, row.heads, row.kv_heads, row.ffn, row.length)
    found = simulate_module(
        case.model, MACHINE, example_args=case.args, timing_only=True, critical_path=False,
        repeat=2 if row.program == "decode" else 1, grid=f"{row.side}x{row.side}", effort="high", accumulate="f16",
    )  # fmt: skip
    return found.report.cycles.device


def run(
    rows: Sequence[Mapping[str, str | None]], workers: int, *, ours: bool = False
) -> list[dict[str, Any]]:
    """Simulates every row, some at a time, and prints a line for each in order."""
    print(
        " ".join(f"{name:>{width}}" if width > 0 else f"{name:<{-width}}" for name, width in _HEADER)
        + _more(ours)
    )
    results: list[dict[str, Any]] = []
    with ProcessPoolExecutor(workers) as pool:
        outcomes = pool.map(partial(simulate, ours=ours), rows)
        for number, (row, outcome) in enumerate(zip(rows, outcomes, strict=True)):
            found = {"row": number, "simulated": _rounded(outcome.simulated)}
            results.append(found | ({"planned": _rounded(outcome.planned)} if ours else {}))
            print(_line(row, outcome, ours=ours), flush=True)
            if outcome.failure:
                print(f"row {number}: {outcome.failure}", file=sys.stderr)
    return results


def _more(ours: bool) -> str:
    return f" {'planned':>12} {'ratio':>6}" if ours else ""


def _rounded(cycles: float | None) -> float | None:
    return None if cycles is None else round(cycles, 1)


def _line(row: Mapping[str, str | None], outcome: Outcome, *, ours: bool) -> str:
    length = row.get("kv" if row.get("program") == "decode" else "seq")
    shown = [
        row.get("program"),
        row.get("P"),
        row.get("dim"),
        row.get("ffn"),
        length,
        _shown(outcome.simulated),
    ]
    shown.append(f"{outcome.seconds:.1f}")
    columns = [
        f"{text or '-':>{width}}" if width > 0 else f"{text or '-':<{-width}}"
        for text, (_, width) in zip(shown, _HEADER, strict=True)
    ]
    if ours:
        columns += [f"{_shown(outcome.planned):>12}", f"{_ratio(outcome):>6}"]
    return " ".join(columns)


def _ratio(outcome: Outcome) -> str:
    if outcome.simulated is None or outcome.planned is None:
        return "-"
    return f"{outcome.planned / outcome.simulated:.2f}"


def _shown(cycles: float | None) -> str:
    return "-" if cycles is None else f"{cycles:.1f}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=Path, default=Path(__file__).parent / "data" / "layers.csv")
    parser.add_argument("--json", type=Path, help="where to write [{row, simulated}, ...]")
    parser.add_argument("--ours", action="store_true", help="also the planner's own mapping of each layer")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="rows at a time")
    options = parser.parse_args()
    with options.rows.open(newline="") as file:
        results = run(list(csv.DictReader(file)), options.workers, ours=options.ours)
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if any(value is None for result in results for value in result.values()):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
