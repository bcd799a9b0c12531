"""`wse verify`: every stage that can be run against PyTorch, and the pass at fault when one of them is wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ..compiler.workload import open_model
from ..passes.infra.diagnostics import CompilerError
from ..verify import Fault, StageResult, Subject, Verification, compare_operations, subject_of
from ..verify.reproduce import replay, smallest, write
from .output import check_writable, console_beside, write_atomically
from .verify_text import (
    evidence_text,
    fault_json,
    fault_text,
    operation_json,
    print_operations,
    smallest_text,
    stage_json,
    stage_line,
)


@dataclass(frozen=True)
class Settings:
    """What `wse verify` was asked for.

    Attributes:
        target: a wafer, or "cpu" for the CPU's stages alone.
        bisect: look for the pass at fault.
        reproducer: folder of reproducers; None writes none.
        operations: how many operations to list, worst first; None compares no operations.
        batches: how many of the workload's calls are made; all when None.
        seed: of inputs that are drawn.
        json: also write the results to this file.
    """

    target: str = "tiny"
    bisect: bool = True
    reproducer: Path | None = Path(".")
    operations: int | None = None
    batches: int | None = None
    seed: int = 0
    json: Path | None = None


def verify_model(path: str, settings: Settings) -> bool:
    """Prints a line a stage as it is done, then what is at fault; returns whether all is well."""
    if not path:
        raise CompilerError("no model is given", hint="wse verify MODEL, or wse verify --replay FILE")
    if settings.json is not None:
        check_writable(settings.json)
    if settings.reproducer is not None:
        check_writable(settings.reproducer / "wse-reproducer.mlir")
    console, progress = console_beside(settings.json), Console(stderr=True)
    progress.print("importing the model and running it in PyTorch", style="dim")
    subject = subject_of(open_model(path), batches=settings.batches, seed=settings.seed)
    verification = Verification(subject, settings.target)
    if subject.eager is None:
        console.print(
            "the model is not PyTorch's: stages are compared with the model as it was imported",
            soft_wrap=True,
        )
    results: list[StageResult] = []
    for result in verification.stages():
        results.append(result)
        console.print(stage_line(result), highlight=False, soft_wrap=True)
    good = all(result.matches for result in results)
    described: list[dict[str, Any]] = []
    if good:
        console.print(f"every stage matches {verification.reference}")
    elif settings.bisect:
        progress.print("looking for the pass at fault", style="dim")
        for fault in verification.faults():
            console.print(fault_text(fault), highlight=False, soft_wrap=True)
            described.append(fault_json(fault))
            if settings.reproducer is not None and fault.kind != "import":
                progress.print("looking for the smallest program that shows it", style="dim")
                described[-1] |= _reproduce(fault, subject, settings.reproducer, console)
    operations: list[dict[str, Any]] = []
    if settings.operations is not None:
        progress.print("running every operation alone", style="dim")
        compared = sorted(compare_operations(verification, settings.target), key=lambda r: -r.badness)
        print_operations(compared[: settings.operations], len(compared), console)
        operations = [operation_json(result) for result in compared]
    if settings.json is not None:
        report = {"stages": [stage_json(r) for r in results], "faults": described}
        report |= {"operations": operations} if settings.operations is not None else {}
        write_atomically(settings.json, json.dumps(report, indent=2) + "\n")
    return good


def _reproduce(fault: Fault, subject: Subject, folder: Path, console: Console) -> dict[str, Any]:
    """Writes the smallest program that shows a fault; what the report says about it."""
    found = smallest(fault, subject.calls)
    if found is None:
        console.print("  no smaller program shows it, so no reproducer is written", soft_wrap=True)
        return {"reproducer": None}
    path = write(found, folder)
    console.print(smallest_text(found, path), highlight=False, soft_wrap=True)
    return {"reproducer": str(path), "operation": found.operation, "origin": found.origin}


def replay_file(path: Path) -> bool:
    """Runs a reproducer and prints what comes of it; returns whether all is well."""
    console = Console()
    suspicion, evidence = replay(path)
    console.print(f"passes: {suspicion.pipeline}", highlight=False, soft_wrap=True)
    console.print(evidence_text(evidence), highlight=False, soft_wrap=True)
    return not evidence.is_wrong
