"""`wse verify`: every stage that can be executed, against PyTorch; the first one that differs is named."""

from __future__ import annotations

import json
from pathlib import Path

from rich.console import Console

from ..verification import StageResult, executable_stages, verify_stages
from ..workload import load_workload
from .output import check_writable, write_atomically


def verify_workload(path: str, target: str, json_path: Path | None) -> bool:
    """Prints a line a stage as it is done; returns whether all of them match."""
    if json_path is not None:
        check_writable(json_path)
    console = Console()
    workload = load_workload(path)
    results: list[StageResult] = []
    for result in verify_stages(workload.model, workload.batches, executable_stages(target)):
        results.append(result)
        console.print(_line(result), highlight=False, soft_wrap=True)
    _conclude(results, console)
    if json_path is not None:
        write_atomically(json_path, json.dumps([_as_json(r) for r in results], indent=2) + "\n")
    return all(r.matches for r in results)


def _line(result: StageResult) -> str:
    if result.failure:
        return f"{result.stage.name:<12} does not run: {result.failure}"
    errors = ", ".join(f"{error:.1e}" for error in result.errors)
    verdict = "matches" if result.matches else "DIFFERS"
    return f"{result.stage.name:<12} {verdict}, largest relative error by output: {errors}"


def _conclude(results: list[StageResult], console: Console) -> None:
    wrong = next((r for r in results if not r.matches), None)
    if wrong is None:
        console.print("every stage matches PyTorch")
        return
    verb = "does not run" if wrong.failure else "differs"
    console.print(f"the first stage that {verb} is '{wrong.stage.name}': look at {wrong.stage.meaning}")


def _as_json(result: StageResult) -> dict[str, object]:
    return {
        "stage": result.stage.name,
        "matches": result.matches,
        "errors": list(result.errors),
        "failure": result.failure,
    }
