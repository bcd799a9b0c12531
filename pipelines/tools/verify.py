"""`wse verify`: every stage that can be run against PyTorch, and the pass at fault when one of them is wrong."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from ..verification import Evidence, Fault, Smallest, StageResult, Subject, Verification, subject_of
from ..verification.reproduce import replay, smallest, write
from ..workload import open_model
from .output import check_writable, write_atomically


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
    if settings.json is not None:
        check_writable(settings.json)
    console, progress = Console(), Console(stderr=True)
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
            described.append(_fault_json(fault))
            if settings.reproducer is not None and fault.kind != "import":
                progress.print("looking for the smallest program that shows it", style="dim")
                described[-1] |= _reproduce(fault, subject, settings.reproducer, console)
    if settings.json is not None:
        report = {"stages": [_stage_json(r) for r in results], "faults": described}
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


def smallest_text(found: Smallest, path: Path) -> str:
    """What a reproducer shows and how to run it."""
    subject = f"{found.operation} of {found.origin}" if found.operation else "what is left of the model"
    return f"  smallest program that shows it: {subject}\n  wse verify --replay {path}    repeats it"


def evidence_text(evidence: Evidence) -> str:
    """What came of a replay."""
    lines = []
    for when, comparison in (("before", evidence.before), ("after", evidence.after)):
        if comparison is not None:
            errors = ", ".join(f"{error:.1e}" for error in comparison.errors)
            verdict = "matches" if comparison.matches else "DIFFERS"
            lines.append(f"{when} the suspected pass: {verdict}, largest relative error by output: {errors}")
    if evidence.failure is not None:
        lines.append(f"a pass fails: {evidence.failure}")
    if evidence.crash:
        lines.append(f"{'the code' if evidence.passed else 'a pass'} crashes: {evidence.crash}")
    if evidence.unjudged:
        lines.append(f"cannot be judged: {evidence.unjudged}")
    return "\n".join(lines)


def stage_line(result: StageResult) -> str:
    """A stage's verdict in one line."""
    if result.failure:
        return f"{result.name:<12} does not run: {result.failure}"
    if result.comparison is None:
        return f"{result.name:<12} cannot be judged: {result.unjudged}"
    errors = ", ".join(f"{error:.1e}" for error in result.comparison.errors)
    verdict = "matches" if result.matches else "DIFFERS"
    return f"{result.name:<12} {verdict}, largest relative error by output: {errors}"


def fault_text(fault: Fault) -> str:
    """What is known of a fault, in a few lines."""
    if fault.kind == "import":
        return (
            f"the import of the model to linalg is wrong: error {fault.after.worst:.1e}"
            if fault.after
            else ""
        )
    names = " or ".join(f"'{p.text}'" for p in fault.passes)
    before, after = fault.stages
    way = f"after stage '{before}'" if before else "before the first stage"
    way += f", on the way to '{after}'" if after else ""
    first = {"numbers": f"the pass {names} breaks the numbers", "crash": f"code of the pass {names} crashes"}
    lines = [f"{first.get(fault.kind, f'the pass {names} fails')} ({way})"]
    if fault.before is not None:
        lines.append(f"  largest error before it: {fault.before.worst:.1e}")
    if fault.after is not None:
        lines.append(f"  largest error after it:  {fault.after.worst:.1e}")
    if fault.reason:
        lines.append(f"  {fault.reason}")
    if len(fault.passes) > 1:
        lines.append("  these passes cannot be told apart: nothing else can run the IR between them")
    elif fault.found.linear:
        lines.append("  found one pass after the other, because not all IR on the way can be run")
    return "\n".join(lines)


def _stage_json(result: StageResult) -> dict[str, Any]:
    return {
        "stage": result.name,
        "matches": result.matches,
        "errors": list(result.comparison.errors) if result.comparison else [],
        "failure": result.failure,
        "unjudged": result.unjudged,
    }


def _fault_json(fault: Fault) -> dict[str, Any]:
    return {
        "kind": fault.kind,
        "passes": [p.text for p in fault.passes],
        "stages": list(fault.stages),
        "error_before": fault.before.worst if fault.before else None,
        "error_after": fault.after.worst if fault.after else None,
        "reason": fault.reason,
    }
