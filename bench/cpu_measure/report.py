"""Tables of results, with the goals beside the figures."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table

from .roofline import Work
from .tables import geometric_mean, milliseconds, new_table, number, print_parts, write_parts

OURS = "wse_mlir"
_PEERS = ("eager", "inductor", "ort", "iree")
# What the geometric mean and the minimum of the ratios should be.
GOALS: Mapping[str, tuple[float | None, float | None]] = {"eager": (2.0, None), "ort": (1.2, 0.9)}
# Seconds to compile from imported IR, and with a filled cache.
COMPILE_GOALS: Mapping[str, float] = {"resnet18": 6.0, "bert": 4.0, "vit": 4.0}
WARM_GOAL = 0.5
MEMORY_GOAL = 1.2  # of the least that lifetimes allow
_LEFT = ("model", "size", "peer", "slowest model", "shape", "of")

Row = Mapping[str, Any]


def ratio(row: Row, peer: str) -> float | None:
    """How many times faster than a peer ours is."""
    ours, other = (row["contenders"].get(name, {}).get("median_ms") for name in (OURS, peer))
    return other / ours if ours and other else None


def print_row(row: Row) -> None:
    """One line as soon as a model is done."""
    name = f"{row['family']}/{row['size']} x{row['threads']}"
    cells = "  ".join(f"{who} {_cell(found)}" for who, found in row["contenders"].items())
    print(f"{name:28} {row.get('failure') or cells}", file=sys.stderr, flush=True)


def print_shape(row: Row) -> None:
    """One line as soon as a shape is done."""
    cells = "  ".join(f"{who} {value:.0f}" for who, value in row.get("gflops", {}).items())
    print(f"{row['shape']:28} {row.get('failure') or 'GFLOP/s: ' + cells}", file=sys.stderr, flush=True)


def print_report(found: Mapping[str, Any]) -> None:
    """All tables."""
    print_parts(_parts(found))


def write_markdown(found: Mapping[str, Any], path: Path) -> None:
    """All tables, for documentation."""
    write_parts(_parts(found), path)


def _parts(found: Mapping[str, Any]) -> Iterator[str | Table]:
    """The machine, then tables."""
    rows, machine = found["rows"], found["machine"]
    if "cpu" in machine:
        read = ", ".join(f"{level} {value:.0f}" for level, value in machine["read_gb_s"].items())
        yield (
            f"{machine['cpu']} ({machine['llvm_cpu']}): one core {machine['peak_gflops']:.0f} GFLOP/s of f32 "
            f"multiply-adds in registers; reading, GB/s: {read}"
        )
    if found["shapes"]:
        yield _shapes(found["shapes"])
    if not rows:
        return
    peers = [p for p in _PEERS if any(p in row["contenders"] for row in rows)]
    yield _times(rows, peers)
    if "cpu" in machine and any("work" in row and row["threads"] == 1 for row in rows):
        yield _roofline(rows, machine)
    if any("memory" in row for row in rows):
        yield _details(rows, peers)
    for threads in sorted({row["threads"] for row in rows}):
        chosen = [row for row in rows if row["threads"] == threads]
        if any(ratio(row, peer) for row in chosen for peer in peers):
            yield _summary(chosen, peers, threads)


def _table(title: str, headings: Sequence[str]) -> Table:
    return new_table(title, headings, _LEFT)


def _shapes(shapes: Sequence[Row]) -> Table:
    headings = ("shape", "GFLOP/s", "of the peak", "goal", "ort GFLOP/s", "of the peak")
    table = _table("one core, constant weights", headings)
    for row in shapes:
        gflops = row.get("gflops")
        if not gflops:
            table.add_row(row["shape"], "CRASHED")
            continue
        peak, ort = gflops["peak"], gflops.get("ort")
        cells = [f"{gflops[OURS]:.0f}", f"{gflops[OURS] / peak:.0%}", f"{row['goal']:.0%}"]
        cells += [f"{ort:.0f}", f"{ort / peak:.0%}"] if ort else []
        table.add_row(row["shape"], *cells)
    return table


def _times(rows: Sequence[Row], peers: Sequence[str]) -> Table:
    pairs = [heading for peer in peers for heading in (peer, "ratio")]
    title = "milliseconds of a call, and how many times faster than each peer"
    table = _table(title, ("model", "size", "threads", OURS, *pairs))
    for row in rows:
        cells = [row["family"], row["size"], str(row["threads"])]
        if row.get("failure"):
            table.add_row(*cells, "CRASHED")
            continue
        cells.append(_cell(row["contenders"].get(OURS, {"absent": "none"})))
        for peer in peers:
            faster = ratio(row, peer)
            cells += [_cell(row["contenders"].get(peer, {"absent": ""})), number(faster, ".2f")]
        table.add_row(*cells)
    return table


def _roofline(rows: Sequence[Row], machine: Mapping[str, Any]) -> Table:
    """One core's: the longer of the operations at its peak and the bytes at the bandwidth of where they lie."""
    headings = ("model", "size", "MFLOP", "weights MB", "in and out MB", "FLOP/byte", "ms at the peak")
    headings += ("ms at the bandwidth", "of", "least ms", "ms", "reached")
    table = _table("the roofline of one core", headings)
    for row in rows:
        took = row["contenders"].get(OURS, {}).get("median_ms")
        if "work" not in row or row["threads"] != 1 or took is None:
            continue
        work = Work(**row["work"])
        least = work.seconds(machine) * 1e3
        cells = [row["family"], row["size"], f"{work.flops * 1e-6:.2f}", _megabytes(work.parameter_bytes)]
        cells += [_megabytes(work.call_bytes), number(work.flops / work.bytes if work.bytes else None, ".1f")]
        cells += [f"{work.compute_seconds(machine) * 1e3:.3f}", f"{work.memory_seconds(machine) * 1e3:.3f}"]
        cells += [work.level, f"{least:.3f}", milliseconds(took), f"{least / took:.0%}"]
        table.add_row(*cells)
    return table


def _details(rows: Sequence[Row], peers: Sequence[str]) -> Table:
    """Memory is the arena's and the outputs'."""
    headings = ["model", "size", "threads", "GFLOP/s", "compile s", "goal", "warm s", "goal", "call MB"]
    headings += [*(["ort call MB"] if "ort" in peers else []), "of least", "goal"]
    table = _table("operations, compilation from imported IR, and memory of a call", headings)
    for row in rows:
        ours = row["contenders"].get(OURS, {})
        if "median_ms" not in ours:
            continue
        flops = row.get("work", {}).get("flops")
        cells = [row["family"], row["size"], str(row["threads"])]
        cells += [number(flops and flops / ours["median_ms"] * 1e-6, ".1f")]
        cells += [number(ours.get("compile_seconds"), ".1f"), str(COMPILE_GOALS.get(row["family"], ""))]
        cells += [number(ours.get("warm_seconds"), ".2f"), str(WARM_GOAL)]
        memory = row.get("memory", {})
        cells.append(_megabytes(ours.get("arena_bytes", 0) + ours.get("output_bytes", 0)))
        if "ort" in peers:
            cells.append(_megabytes(memory.get("ort_call_bytes")))
        least = memory.get("least_bytes")
        cells += [number(memory["planned_bytes"] / least if least else None, ".2f"), str(MEMORY_GOAL)]
        table.add_row(*cells)
    return table


def _summary(rows: Sequence[Row], peers: Sequence[str], threads: int) -> Table:
    headings = ("peer", "geometric mean", "goal", "minimum", "goal", "slowest model", "models")
    table = _table(f"{threads} thread{'s' if threads > 1 else ''}: how many times faster", headings)
    for peer in peers:
        found = {f"{r['family']}/{r['size']}": value for r in rows if (value := ratio(r, peer))}
        if not found:
            continue
        mean = geometric_mean(list(found.values()))
        worst = min(found, key=lambda name: found[name])
        wanted, least = GOALS.get(peer, (None, None))
        cells = [f"{mean:.2f}", f"{wanted or ''}", f"{found[worst]:.2f}", f"{least or ''}"]
        table.add_row(peer, *cells, worst, str(len(found)))
    return table


def _cell(found: Row) -> str:
    if "absent" in found:
        return str(found["absent"])
    if "median_ms" not in found:
        return "none"
    value = found["median_ms"]
    return milliseconds(value) + (" WRONG" if found.get("wrong") else "")


def _megabytes(value: int | None) -> str:
    return number(None if value is None else value * 1e-6, ".2f")
