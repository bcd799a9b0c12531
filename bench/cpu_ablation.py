"""What each step of the CPU pipeline is worth: models compiled without it, beside the whole pipeline.

    python bench/cpu_ablation.py [--families F,...] [--size small] [--threads 1] [--seconds S] [--clock cpu]
                                 [--json OUT] [--markdown OUT]

A figure is how many times longer a call takes without the step, all variants in alternating rounds of one process for
each model. Steps without which the code is the same are not measured, and differences below 3%, or below twice what
the whole pipeline differs from itself, are not shown.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from cpu_families import FAMILIES
from cpu_measure.ablation import PROGRESS, STEPS, Ablation, measure_steps
from cpu_measure.own_process import in_own_process
from cpu_measure.tables import geometric_mean, milliseconds, new_table, print_parts, write_parts
from rich.table import Table

_LEAST = 0.03  # of a call's time: less is not shown

Row = Mapping[str, Any]


def measure(job: Ablation, folder: Path) -> Row:
    """The steps of a model, in a process of its own; one that ends the process is noted, and left out in the next."""
    crashed: dict[str, Any] = {}
    while True:
        (folder / PROGRESS).unlink(missing_ok=True)
        result = in_own_process(
            Path(__file__), "ablation", asdict(replace(job, left_out=list(crashed))), folder, job.threads
        )
        step = (folder / PROGRESS).read_text() if (folder / PROGRESS).exists() else ""
        if "failure" not in result:
            return {**result, "steps": {**result["steps"], **crashed}}
        if not step or step in crashed:
            return result
        crashed[step] = {"failed": result["failure"]}


def change(row: Row, step: str) -> float | None:
    """How many times longer a call takes without a step: 1 where that makes no difference, None where it must not be
    left out."""
    found = row["steps"][step]
    if "failed" in found:
        return None
    value = found.get("ratio", 1.0)
    return value if abs(value - 1) >= max(_LEAST, 2 * row["noise"]) else 1.0


def parts(rows: Mapping[str, Row]) -> Iterator[str | Table]:
    """The steps, the most valuable first, and the models."""
    measured = {name: row for name, row in rows.items() if "steps" in row}
    yield _steps(measured)
    quiet = [step for step in STEPS if not any(change(row, step) != 1.0 for row in measured.values())]
    if quiet:
        yield f"Of no effect on these models: {', '.join(quiet)}."
    yield _models(rows)


def _steps(rows: Mapping[str, Row]) -> Table:
    headings = ("without", "geometric mean", "models", "times longer, or what fails")
    table = new_table("how many times longer a call takes without a step", headings, headings[::3])
    means: dict[str, float] = {}
    cells: dict[str, list[str]] = {}
    for step in STEPS:
        changes = {name: change(row, step) for name, row in rows.items()}
        means[step] = geometric_mean([value for value in changes.values() if value is not None])
        touched = {name: value for name, value in changes.items() if value is not None and value != 1.0}
        order = sorted(touched, key=lambda name: -touched[name])
        cells[step] = [f"{name} {touched[name]:.2f}" for name in order]
        cells[step] += [f"{name} fails" for name, value in changes.items() if value is None]
    for step in sorted((step for step in STEPS if cells[step]), key=lambda step: -means[step]):
        table.add_row(step, f"{means[step]:.2f}", str(len(cells[step])), ", ".join(cells[step]))
    return table


def _models(rows: Mapping[str, Row]) -> Table:
    headings = ("model", "ms", "noise", "steps that change its code")
    table = new_table("models with the whole pipeline", headings, headings[::3])
    for name, row in rows.items():
        if "failure" in row:
            table.add_row(name, "CRASHED")
            continue
        changing = sum("same" not in found for found in row["steps"].values())
        table.add_row(name, milliseconds(row["ms"]), f"{row['noise']:.1%}", str(changing))
    return table


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--size", default="small", choices=("tiny", "small", "large"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7, help="at least so many")
    parser.add_argument("--seconds", type=float, default=3.0, help="at least so long for each model")
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: on a busy machine")
    parser.add_argument("--json", type=Path, help="also write everything to this file, after each model")
    parser.add_argument("--markdown", type=Path, help="also write the tables to this file")
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    return parser.parse_args(words)


def main() -> None:
    """Command line."""
    given = parse()
    if given.job:
        _, options, out = given.job
        Path(out).write_text(json.dumps(measure_steps(Ablation(**json.loads(options)))))
        return
    rows: dict[str, Row] = {}
    with tempfile.TemporaryDirectory() as folder:
        for family in given.families.split(","):
            job = Ablation(
                family, given.size, given.threads, given.rounds, given.seconds, given.clock, folder
            )
            rows[family] = measure(job, Path(folder))
            print(f"{family}: {rows[family].get('failure', 'done')}", file=sys.stderr, flush=True)
            if given.json:
                given.json.write_text(json.dumps(rows, indent=1) + "\n")
    print_parts(parts(rows))
    if given.markdown:
        write_parts(parts(rows), given.markdown)


if __name__ == "__main__":
    main()
