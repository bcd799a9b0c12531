"""`python -m fuzz` in the folder `test`, or `make fuzz MINUTES=n`: see docs/fuzzing.md."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["WSE_CACHE"] = "0"

from fuzz.campaign import KINDS, Finding, Tally, run_case
from fuzz.case import Verdict
from fuzz.jobs import run_jobs


def main(
    minutes: Annotated[float, typer.Option(min=0.0, help="How long.")] = 1.0,
    seed: Annotated[int, typer.Option(help="Where the sequence of cases begins.")] = 0,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that draw and judge cases.")] = 2,
    kinds: Annotated[
        str, typer.Option(help=f"Of cases, with commas between: {', '.join(KINDS)}.")
    ] = ",".join(KINDS),
    case: Annotated[str, typer.Option(metavar="KIND-SEED", help="Only this case, such as models-17.")] = "",
    out: Annotated[Path, typer.Option(help="Where problems are written.")] = Path("build/fuzz"),
) -> None:
    """Draws models, pipelines, IR, files, machines and command lines; what goes wrong is reduced and written down."""
    unknown = [kind for kind in kinds.split(",") if kind not in KINDS]
    if unknown:
        raise typer.BadParameter(
            f"no kind '{unknown[0]}'; there are {', '.join(KINDS)}", param_hint="--kinds"
        )
    console = Console(stderr=True)
    tally = Tally()
    if case:
        kind, _, number = case.rpartition("-")
        if kind not in KINDS or not number.isdigit():
            raise typer.BadParameter(f"'{case}' is not KIND-SEED", param_hint="--case")
        _record(console, tally, out, kind, int(number), *run_case(kind, int(number)))
    else:
        _run_jobs(console, tally, out, minutes * 60, kinds.split(","), seed, jobs)
    console.print(_table(tally))
    raise typer.Exit(1 if tally.findings else 0)


def _run_jobs(
    console: Console, tally: Tally, out: Path, seconds: float, kinds: list[str], seed: int, jobs: int
) -> None:
    started = time.monotonic()
    with console.status("fuzzing") as status:
        for message in run_jobs(seconds, kinds, seed, jobs):
            _record(console, tally, out, *message)
            passed = time.monotonic() - started
            status.update(f"{tally.counts.total()} cases, {len(tally.findings)} problems, {passed:.0f} s")


def _record(
    console: Console, tally: Tally, out: Path, kind: str, seed: int, verdict: Verdict, finding: Finding | None
) -> None:
    tally.add(kind, verdict)
    if finding is not None:
        tally.findings.append(finding)
        place = finding.write(out)
        console.print(f"[bold]{finding.name}[/]: {finding.problem.kind}, see {place}", highlight=False)
        console.print(finding.problem.detail.strip()[-400:], markup=False, highlight=False)


def _table(tally: Tally) -> Table:
    table = Table("kind", "ran", "refused", "problems")
    for kind in sorted({kind for kind, _ in tally.counts}):
        table.add_row(kind, *(str(tally.counts[kind, how]) for how in ("ran", "refused", "problem")))
    return table


if __name__ == "__main__":
    typer.run(main)
