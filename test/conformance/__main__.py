"""`python -m conformance`: tries the suites and says what is wrong; `--record` makes docs/conformance.md anew."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path

import torch

import wse_mlir  # noqa: F401  workers are forks of this process, and need not import it again

from . import recorded, tables
from .plan import Plan, work
from .recorded import Recorded, regressions
from .verdicts import Verdict, first_line
from .workers import run_tasks


def main() -> int:
    """Returns 1 where something is wrong, crashes, or is refused and was not."""
    given = _arguments()
    torch.set_num_threads(1)
    bad = 0
    for suite in given.suite:
        index, count = (int(n) for n in given.shard.split("/"))
        plan = Plan(suite, given.target, given.dtypes, given.names, given.bound, given.part, (index, count))
        verdicts = (
            tables.read_verdicts(given.read, suite) if given.read else _run(plan, given.workers, given.out)
        )
        newly = regressions(Recorded.read(suite, given.target), verdicts)
        for verdict in newly:
            print(f"{verdict.case} {verdict.sample} is refused now: {verdict.detail}")
        bad += len(newly) + sum(v.word in ("wrong", "crash") for v in verdicts)
        if given.record:
            recorded.write(suite, given.target, verdicts)
            tables.update(suite, given.target, verdicts)
    return 1 if bad else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("names", nargs="*", help="operators or node tests; all when none is given")
    parser.add_argument("--suite", nargs="+", default=["torch", "onnx"], choices=["torch", "onnx"])
    parser.add_argument("--target", default="cpu", choices=["cpu", "tiny"])
    parser.add_argument("--dtypes", nargs="+", default=[], metavar="T")
    parser.add_argument("--bound", type=int, default=0, metavar="N", help="samples of an operator and type")
    parser.add_argument("--part", action="store_true", help="the part that `make test` tries")
    parser.add_argument("--shard", default="0/1", metavar="I/N", help="part I of N")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="a file that verdicts are appended to, a line of JSON each")
    parser.add_argument("--read", type=Path, nargs="+", help="files of verdicts to take in place of a run")
    parser.add_argument("--record", action="store_true", help="write docs/conformance.md and recorded/")
    given = parser.parse_intermixed_args()
    partial = given.names or given.dtypes or given.part or given.shard != "0/1"
    if given.record and partial and not given.read:
        parser.error("--record takes the whole of a suite")
    return given


def _run(plan: Plan, workers: int, out: Path | None) -> list[Verdict]:
    started = time.monotonic()
    verdicts = []
    for verdict in run_tasks(plan.tasks(), workers, work):
        verdicts.append(verdict)
        if verdict.word in ("wrong", "crash"):
            print(f"{verdict.case} {verdict.sample} {verdict.word}: {first_line(verdict.detail)}", flush=True)
        if out:
            with open(out, "a") as file:
                file.write(json.dumps(asdict(verdict)) + "\n")
    words = Counter(v.word for v in verdicts)
    counts = ", ".join(f"{words[word]} {word}" for word in ("match", "refused", "wrong", "crash"))
    print(f"{plan.suite} on {plan.target}: {counts} in {time.monotonic() - started:.0f} s", flush=True)
    return verdicts


if __name__ == "__main__":
    sys.exit(main())
