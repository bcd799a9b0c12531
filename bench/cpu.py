"""How fast compiled models are on this CPU, beside PyTorch, torch.compile, ONNX Runtime and IREE.

    python bench/cpu.py [--families F,...] [--sizes small,large] [--threads 1,2] [--peers P,...] [--quick] [--json OUT]

Every model runs in a process of its own, all contenders in alternating rounds; a figure is the median time of a call.
Peers that are not installed (`pip install -e '.[bench]'`) or refuse a model are left out, with a word why. The command
fails if an output of ours differs from PyTorch's by more than 1e-4.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cpu_families import FAMILIES
from cpu_measure.jobs import PEERS, Job, run_case
from cpu_measure.machine import measure
from cpu_measure.memory import measure_memory
from cpu_measure.own_process import in_own_process
from cpu_measure.report import print_report, print_row, print_shape, write_markdown
from cpu_measure.rounds import CLOCKS, Budget
from cpu_measure.shapes import SHAPES, run_shape

SIZES = ("small", "large")
SCRIPT = Path(__file__)


def _machine(options: Mapping[str, Any]) -> dict[str, Any]:
    return measure(CLOCKS[options["clock"]])


def _case(options: Mapping[str, Any]) -> dict[str, Any]:
    return run_case(Job(**options))


def _shape(options: Mapping[str, Any]) -> dict[str, Any]:
    budget = Budget(options["rounds"], options["seconds"])
    return run_shape(options["name"], Path(options["folder"]), budget, options["clock"], options["ort"])


def _memory(options: Mapping[str, Any]) -> dict[str, Any]:
    return measure_memory(FAMILIES[options["family"]].case(options["size"]), Path(options["folder"]))


WORKS: Mapping[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "machine": _machine,
    "case": _case,
    "memory": _memory,
    "shape": _shape,
}


def jobs(arguments: argparse.Namespace, folder: Path) -> Iterator[Job]:
    """All rows, in the table's order; jobs of one model share a folder."""
    for family in arguments.families:
        for size in arguments.sizes:
            shared = folder / f"{family}-{size}"
            shared.mkdir(exist_ok=True)
            for threads in arguments.threads:
                yield Job(
                    family, size, threads, arguments.peers, str(shared), arguments.rounds, arguments.seconds,
                    arguments.clock, not arguments.quick, arguments.roofline,
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
    parser.add_argument("--families", type=names(list(FAMILIES)), help=",".join(FAMILIES))
    parser.add_argument("--sizes", type=names([*SIZES, "tiny"]), help="small,large")
    parser.add_argument("--threads", type=lambda text: [int(word) for word in text.split(",")], help="1,2")
    parser.add_argument("--peers", type=names(PEERS), default=list(PEERS), help=",".join(PEERS))
    parser.add_argument("--rounds", type=int, help="at least so many")
    parser.add_argument("--seconds", type=float, help="at least so long for each model")
    parser.add_argument(
        "--clock", choices=("wall", "cpu"), default="wall", help="cpu: on a machine that is busy"
    )
    parser.add_argument("--quick", action="store_true", help="small sizes, one thread, times only")
    parser.add_argument("--json", type=Path, help="also write everything to this file, after each model")
    parser.add_argument("--markdown", type=Path, help="also write the tables to this file")
    parser.add_argument(
        "--shapes", action=argparse.BooleanOptionalAction, help="single products and convolutions"
    )
    parser.add_argument(
        "--roofline",
        action=argparse.BooleanOptionalAction,
        help="what operations and bytes of each model allow; on unless --quick",
    )
    parser.add_argument("--job", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args(words)
    quick = arguments.quick
    if arguments.shapes is None:
        arguments.shapes = not quick and arguments.families is None
    if arguments.roofline is None:
        arguments.roofline = not quick
    arguments.families = list(FAMILIES) if arguments.families is None else arguments.families
    arguments.sizes = arguments.sizes or (["small"] if quick else list(SIZES))
    arguments.threads = arguments.threads or ([1] if quick else [1, 2])
    arguments.rounds = arguments.rounds or (5 if quick else 15)
    arguments.seconds = arguments.seconds if arguments.seconds is not None else (1.0 if quick else 5.0)
    return arguments


def run(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Everything that was asked for."""
    clock = arguments.clock
    machine = in_own_process(SCRIPT, "machine", {"clock": clock}, folder)
    shapes: list[dict[str, Any]] = []
    for name in SHAPES if arguments.shapes else ():
        shared = folder / name.replace(" ", "-")
        shared.mkdir()
        options = {
            "name": name,
            "folder": str(shared),
            "rounds": arguments.rounds,
            "seconds": arguments.seconds,
        }
        options |= {"clock": clock, "ort": "ort" in arguments.peers}
        shapes.append({"shape": name, **in_own_process(SCRIPT, "shape", options, folder)})
        print_shape(shapes[-1])
        _save({"machine": machine, "shapes": shapes, "rows": []}, arguments.json)
    rows: list[dict[str, Any]] = []
    found = {"machine": machine, "shapes": shapes, "rows": rows}
    for job in jobs(arguments, folder):
        result = in_own_process(SCRIPT, "case", asdict(job), folder, job.threads)
        name = {"family": job.family, "size": job.size, "threads": job.threads, "contenders": {}}
        if job.details and job.threads == min(arguments.threads):
            result["memory"] = in_own_process(SCRIPT, "memory", asdict(job), folder)
        rows.append({**name, **result})
        print_row(rows[-1])
        _save(found, arguments.json)
    return found


def _save(found: Mapping[str, Any], path: Path | None) -> None:
    if path:
        path.write_text(json.dumps(found, indent=1) + "\n")


def is_wrong(found: Mapping[str, Any]) -> bool:
    """Whether something of ours failed or differs from PyTorch."""
    ours = [row["contenders"].get("wse_mlir", {}) for row in found["rows"]]
    failures = [*found["rows"], *found["shapes"]]
    return any(row.get("failure") for row in failures) or any(
        row.get("wrong") or row.get("absent") == "FAILED" for row in ours
    )


def main() -> None:
    """Command line."""
    arguments = parse()
    if arguments.job:
        work, options, out = arguments.job
        Path(out).write_text(json.dumps(WORKS[work](json.loads(options))))
        return
    with tempfile.TemporaryDirectory() as name:
        found = run(arguments, Path(name))
    print_report(found)
    if arguments.markdown:
        write_markdown(found, arguments.markdown)
    if is_wrong(found):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
