"""How fast compiled models are on this CPU, beside PyTorch, torch.compile, ONNX Runtime and IREE.

    python bench/cpu.py [--families F,...] [--sizes small,large] [--threads 1,2] [--peers P,...] [--quick] [--json OUT]

Every model runs in a process of its own, all contenders in alternating rounds; a figure is the median time of a call.
Peers that are not installed (`pip install -e '.[bench]'`) or refuse a model are left out, with a word why. The command
fails if an output of ours differs from PyTorch's by more than 1e-4.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cpu_families import FAMILIES
from cpu_measure.jobs import PEERS, Job, run_case
from cpu_measure.report import print_report, print_row

SIZES = ("small", "large")
_LIMIT = 3600  # seconds of one process


def in_own_process(work: str, job: Job, folder: Path) -> dict[str, Any]:
    """The result of a job; a crash is a result with its last words."""
    out = folder / "result.json"
    out.unlink(missing_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": str(job.threads)}
    command = [sys.executable, __file__, "--job", work, json.dumps(asdict(job)), str(out)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=_LIMIT)
    except subprocess.TimeoutExpired:
        return {**_name(job), "failure": f"more than {_LIMIT} s"}
    if not out.exists():
        words = done.stderr.strip().splitlines()[-8:] or ["no message"]
        return {**_name(job), "failure": f"exit {done.returncode}: " + "\n".join(words)}
    return json.loads(out.read_text())


def _name(job: Job) -> dict[str, Any]:
    return {"family": job.family, "size": job.size, "threads": job.threads, "contenders": {}}


def jobs(arguments: argparse.Namespace, folder: Path) -> Iterator[Job]:
    """All rows, in the table's order; jobs of one model share a folder."""
    for family in arguments.families:
        for size in arguments.sizes:
            shared = folder / f"{family}-{size}"
            shared.mkdir(exist_ok=True)
            for threads in arguments.threads:
                yield Job(
                    family, size, threads, arguments.peers, str(shared), arguments.rounds, arguments.seconds,
                    arguments.clock, not arguments.quick,
                )  # fmt: skip


def names(known: Sequence[str]) -> Any:
    """An argument that is a list of known names."""

    def parse(text: str) -> list[str]:
        given = [word for word in text.split(",") if word]
        for word in given:
            if word not in known:
                raise argparse.ArgumentTypeError(f"'{word}' is none of {', '.join(known)}")
        return given

    return parse


def parse(words: Sequence[str] | None = None) -> argparse.Namespace:
    """The command line; `--quick` is one thread, small sizes and few rounds unless they are given."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--families", type=names(list(FAMILIES)), default=list(FAMILIES))
    parser.add_argument("--sizes", type=names([*SIZES, "tiny"]), help="small,large")
    parser.add_argument("--threads", type=lambda text: [int(word) for word in text.split(",")], help="1,2")
    parser.add_argument("--peers", type=names(PEERS), default=list(PEERS), help=",".join(PEERS))
    parser.add_argument("--rounds", type=int, help="at least so many")
    parser.add_argument("--seconds", type=float, help="at least so long for each model")
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: on a machine that is busy"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, one thread, times only")
    parser.add_argument("--json", type=Path, help="also write everything to this file")
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    quick = arguments.quick
    arguments.sizes = arguments.sizes or (["small"] if quick else list(SIZES))
    arguments.threads = arguments.threads or ([1] if quick else [1, 2])
    arguments.rounds = arguments.rounds or (5 if quick else 15)
    arguments.seconds = arguments.seconds if arguments.seconds is not None else (1.0 if quick else 5.0)
    return arguments


def main() -> None:
    """Command line."""
    arguments = parse()
    if arguments.job:
        work, job, out = arguments.job
        assert work == "case"
        Path(out).write_text(json.dumps(run_case(Job(**json.loads(job)))))
        return
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for job in jobs(arguments, folder):
            rows.append(in_own_process("case", job, folder))
            print_row(rows[-1])
    print_report(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps({"rows": rows}, indent=1) + "\n")
    if any(row.get("failure") or row["contenders"].get("wse_mlir", {}).get("wrong") for row in rows):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
