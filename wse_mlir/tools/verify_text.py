"""What `wse verify` says, as text and as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console

from ..verify import Evidence, Fault, OperationResult, Smallest, StageResult


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
        subject = "after it the program does not run" if evidence.passed else "a pass crashes"
        lines.append(f"{subject}: {evidence.crash}")
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
    first = {
        "numbers": f"the pass {names} breaks the numbers",
        "crash": f"what the pass {names} makes of the program does not run",
    }
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


def stage_json(result: StageResult) -> dict[str, Any]:
    return {
        "stage": result.name,
        "matches": result.matches,
        "errors": list(result.comparison.errors) if result.comparison else [],
        "failure": result.failure,
        "unjudged": result.unjudged,
    }


def fault_json(fault: Fault) -> dict[str, Any]:
    return {
        "kind": fault.kind,
        "passes": [p.text for p in fault.passes],
        "stages": list(fault.stages),
        "error_before": fault.before.worst if fault.before else None,
        "error_after": fault.after.worst if fault.after else None,
        "reason": fault.reason,
    }


def print_operations(results: list[OperationResult], total: int, console: Console) -> None:
    """A table of operations, worst first."""
    console.print(f"{len(results)} of {total} operations, alone on their values in the model, worst first:")
    stages = [stage.name for stage in results[0].stages if stage.name != "imported"] if results else []
    rows = [["operation", "of stage", *stages, "source line"]]
    for result in results:
        cells = {stage.name: _cell(stage) for stage in result.stages}
        rows.append([result.name, result.level, *(cells[name] for name in stages), result.origin])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        console.print(line.rstrip(), highlight=False, soft_wrap=True, markup=False)


def _cell(stage: StageResult) -> str:
    if stage.failure:
        return "does not run"
    if stage.comparison is None:
        return "?"
    return f"{stage.comparison.worst:.1e}" + ("" if stage.matches else " DIFFERS")


def operation_json(result: OperationResult) -> dict[str, Any]:
    """An operation's errors at every stage."""
    return {
        "operation": result.name,
        "level": result.level,
        "origin": result.origin,
        "stages": [stage_json(stage) for stage in result.stages],
    }
