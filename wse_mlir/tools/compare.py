"""`wse compare`: one model on several targets: time or cycles, memory, accuracy, and what each pass changed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from ..compare.census import Census, PassEffect
from ..compare.compare import Row, compare
from ..compare.targets import choose_targets
from ..compiler.workload import open_model
from .output import check_writable, console_beside, write_atomically
from .run import FILE_WIDTH


def compare_targets(path: str, targets: str, json_path: Path | None, *, all_passes: bool = False) -> bool:
    """Prints the tables; whether every target that runs the model matches.

    Args:
        path: the model, see `open_model`; targets: see `choose_targets`.
        all_passes: also list passes that changed no count.
    """
    if json_path is not None:
        check_writable(json_path)
    chosen = choose_targets(targets)
    opened = open_model(path)
    errors = Console(stderr=True, highlight=False)
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    with Progress(*columns, console=errors, transient=True) as progress:
        task = progress.add_task("opening", total=None)
        rows = compare(opened, chosen, lambda text: progress.update(task, description=text))
    console = console_beside(json_path, width=FILE_WIDTH)
    console.print(_table(rows))
    for row in rows:
        _print_details(row, console, all_passes)
    if json_path is not None:
        write_atomically(json_path, json.dumps([_as_json(row) for row in rows], indent=2) + "\n")
    return all(row.matches for row in rows)


def _table(rows: Sequence[Row]) -> Table:
    table = Table(box=SIMPLE, padding=(0, 1), pad_edge=False)
    table.add_column("target", no_wrap=True)
    for name in ("compile", "a call", "cycles"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("memory")
    table.add_column("error", justify="right", no_wrap=True)
    table.add_column("")
    for row in rows:
        if row.failure:
            table.add_row(row.target, *[""] * 5, "does not run")
            continue
        error = max(row.errors, default=0.0)
        table.add_row(
            row.target,
            "" if row.compile_seconds is None else f"{row.compile_seconds:.2f} s",
            "" if row.seconds is None else _duration(row.seconds),
            f"{row.cycles['makespan']:,.0f}" if row.on_wafer else "",
            _memory(row.memory),
            f"{error:.1e}",
            "matches" if row.matches else "DIFFERS",
        )
    return table


def _memory(memory: Mapping[str, int]) -> str:
    if "high_water" in memory:
        return f"{memory['high_water']:,} of {memory['capacity']:,} B a PE, {memory['pes']:,} PEs"
    parts = [
        f"{size(memory.get(kind, 0))} {kind}"
        for kind in ("parameters", "state", "temporaries")
        if memory.get(kind)
    ]
    return ", ".join(parts)


def _duration(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3)):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e6:.3g} us"


def size(count: int) -> str:
    """Bytes for people."""
    for unit, factor in (("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def _print_details(row: Row, console: Console, all_passes: bool) -> None:
    if row.failure:
        console.print(f"{row.target} does not run the model: {row.failure}", markup=False, soft_wrap=True)
    elif row.effects:
        console.print(f"What the passes for '{row.target}' changed:", markup=False)
        console.print(_effects_table([e for e in row.effects if all_passes or e.changed]))


def _effects_table(effects: Sequence[PassEffect]) -> Table:
    """A row a pass; numbers that stayed as they were are given once, those that changed with an arrow."""
    table = Table(box=SIMPLE, padding=(0, 1), pad_edge=False)
    table.add_column("pass", no_wrap=True, max_width=40, overflow="ellipsis")
    for name in ("operations", "linalg", "bytes touched", "allocations", "bytes allocated"):
        table.add_column(name, justify="right", no_wrap=True)
    for effect in effects:
        table.add_row(effect.name, *(_change(effect.before, effect.after, name) for name in _COUNTS))
    return table


_COUNTS = ("operations", "computations", "traffic", "allocations", "allocated")


def _change(before: Census, after: Census, name: str) -> str:
    old, new = getattr(before, name), getattr(after, name)
    shown = [_count(name, value) for value in (old, new)]
    return shown[0] if old == new else f"{shown[0]} -> {shown[1]}"


def _count(name: str, value: int | None) -> str:
    if value is None:
        return "in loops"
    return size(value) if name in ("traffic", "allocated") else f"{value:,}"


def _as_json(row: Row) -> dict[str, Any]:
    effects = [
        {"pass": e.options, "before": asdict(e.before), "after": asdict(e.after), "changed": e.changed}
        for e in row.effects
    ]
    return {
        "target": row.target,
        "failure": row.failure,
        "compile_seconds": row.compile_seconds,
        "seconds": row.seconds,
        "cycles": dict(row.cycles),
        "memory_bytes": dict(row.memory),
        "errors": list(row.errors),
        "matches": row.matches,
        "passes": effects,
    }
