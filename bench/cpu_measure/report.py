"""Tables of results, with the goals beside the figures."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

OURS = "wse_mlir"
_PEERS = ("eager", "inductor", "ort", "iree")
# What the geometric mean and the minimum of the ratios should be.
GOALS: Mapping[str, tuple[float | None, float | None]] = {
    "eager": (2.0, None),
    "ort": (1.2, 0.9),
}


def ratio(row: Mapping[str, Any], peer: str) -> float | None:
    """How many times faster than a peer ours is."""
    ours, other = (row["contenders"].get(name, {}).get("median_ms") for name in (OURS, peer))
    return other / ours if ours and other else None


def print_row(row: Mapping[str, Any]) -> None:
    """One line as soon as a model is done."""
    print(_plain(row), file=sys.stderr, flush=True)


def _plain(row: Mapping[str, Any]) -> str:
    name = f"{row['family']}/{row['size']} x{row['threads']}"
    if row.get("failure"):
        return f"{name:28} {row['failure']}"
    return f"{name:28} " + "  ".join(f"{who} {_cell(found)}" for who, found in row["contenders"].items())


def _cell(found: Mapping[str, Any]) -> str:
    if "absent" in found:
        return str(found["absent"])
    wrong = " WRONG" if found.get("wrong") else ""
    return f"{_milliseconds(found['median_ms'])}{wrong}"


def _milliseconds(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def print_report(rows: Sequence[Mapping[str, Any]]) -> None:
    """The table of times and ratios, and what they come to."""
    console = Console(width=150 if not sys.stdout.isatty() else None)
    peers = [p for p in _PEERS if any(p in row["contenders"] for row in rows)]
    table = Table(title="milliseconds of a call, and how many times faster than each peer")
    for heading in ("model", "size", "threads", OURS):
        table.add_column(heading, justify="left" if heading in ("model", "size") else "right")
    for peer in peers:
        table.add_column(peer, justify="right")
        table.add_column("ratio", justify="right")
    for row in rows:
        table.add_row(*_cells(row, peers))
    console.print(table)
    for threads in sorted({row["threads"] for row in rows}):
        chosen = [row for row in rows if row["threads"] == threads]
        if any(ratio(row, peer) for row in chosen for peer in peers):
            console.print(_summary(chosen, peers, threads))


def _cells(row: Mapping[str, Any], peers: Sequence[str]) -> list[str]:
    cells = [row["family"], row["size"], str(row["threads"])]
    if row.get("failure"):
        return [*cells, "CRASHED"]
    cells.append(_cell(row["contenders"].get(OURS, {"absent": "none"})))
    for peer in peers:
        found = ratio(row, peer)
        shown = "" if found is None else f"{found:.2f}"
        cells += [_cell(row["contenders"].get(peer, {"absent": ""})), shown]
    return cells


def _summary(rows: Sequence[Mapping[str, Any]], peers: Sequence[str], threads: int) -> Table:
    table = Table(title=f"{threads} thread{'s' if threads > 1 else ''}: ratios")
    for heading in ("peer", "geometric mean", "goal", "minimum", "goal", "slowest model", "models"):
        table.add_column(heading, justify="left" if heading in ("peer", "slowest model") else "right")
    for peer in peers:
        found = {f"{r['family']}/{r['size']}": value for r in rows if (value := ratio(r, peer))}
        if not found:
            continue
        mean = math.exp(sum(map(math.log, found.values())) / len(found))
        worst = min(found, key=lambda name: found[name])
        wanted, least = GOALS.get(peer, (None, None))
        table.add_row(
            peer, f"{mean:.2f}", f"{wanted or ''}", f"{found[worst]:.2f}", f"{least or ''}", worst, str(len(found))
        )  # fmt: skip
    return table
