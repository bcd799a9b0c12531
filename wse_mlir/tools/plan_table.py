"""What the partitioner decided, operation by operation, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

_LOSERS = 3  # alternatives that are named


def plan_table(target: str, choices: Sequence[Mapping[str, Any]]) -> RenderableType:
    """The grid with the grids that lost, then a row for each operation in the order of the program.

    Cycles are those of the operation, without those of operands that have to be moved, which stand behind how they are.

    Args:
        choices: what the partitioner weighed, see `passes.wafer.explanation`.
    """
    grid, operations = choices[0], choices[1:]
    chosen = grid["chosen"]
    text = (
        f"{target}: {chosen['name'].replace('x', ' x ')} PEs, about {chosen['cycles']:,.0f} cycles, at most "
        f"{chosen['bytes']:,} bytes of data a PE{_instead(grid)}"
    )
    table = Table(box=SIMPLE, padding=(0, 1), pad_edge=False, collapse_padding=True)
    for name in ("operation", "operands", "results", "how"):
        table.add_column(name, overflow="fold")
    for name in ("cycles", "bytes"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("instead of", overflow="fold")
    for row in operations:
        table.add_row(
            Text(row["source"]),
            Text("\n".join(_operand(row, number, needed) for number, needed in enumerate(row["needs"]))),
            Text("\n".join(row["gives"])),
            Text(row["chosen"]["name"]),
            f"{row['chosen']['cycles']:,.0f}",
            f"{row['bytes']:,}",
            Text("\n".join(_losers(row))),
        )
    told = [Text(_attention(grid["attention"]))] if "attention" in grid else []
    return Group(Text(text), *told, table)


def _attention(weighed: Mapping[str, Any]) -> str:
    """How many keys attention takes at a time, and what that was chosen over."""
    text = f"attention over {', '.join(map(str, weighed['of']))} keys: {_keys(weighed['chosen'])}"
    lost = [f"{_keys(a)} ({_outcome(a)})" for a in weighed["alternatives"]]
    return f"{text}; instead of {', '.join(lost)}" if lost else text


def _keys(entry: Mapping[str, Any]) -> str:
    return f"blocks of {entry['keys']} at most" if entry["keys"] else "scores of all of them"


def _outcome(entry: Mapping[str, Any]) -> str:
    if "refused" in entry:
        return str(entry["refused"])
    return f"{entry['cycles']:,.0f} cycles; {entry['bytes']:,} bytes"


def _operand(row: Mapping[str, Any], number: int, needed: str | None) -> str:
    """Where an operand is needed, and how it gets there."""
    moved = next((move for move in row["moves"] if move["operand"] == number), None)
    if moved is None:
        return needed or "any"
    return f"{needed} from {moved['source']}: {moved['name']}, {moved['cycles']:,.0f}"


def _losers(row: Mapping[str, Any]) -> list[str]:
    others = [a for a in row["alternatives"] if a["name"] != row["chosen"]["name"]]
    shown = [f"{a['name']}: {a['cycles']:,.0f}" for a in others[:_LOSERS]]
    more = [f"and {len(others) - _LOSERS} more"] if len(others) > _LOSERS else []
    refused = [f"not {r['name']}: {r['reason']}" for r in row["refused"]]
    return [*shown, *more, *refused]


def _instead(grid: Mapping[str, Any]) -> str:
    """The next best grids, and those of which it was soon clear that they are no better."""
    others = [a for a in grid["alternatives"] if a["name"] != grid["chosen"]["name"]][:_LOSERS]
    shown = [f"{a['name']} ({a['cycles']:,.0f}; {a['bytes']:,} bytes)" for a in others]
    shown += [f"{name} (no better)" for name in grid["given_up"][: _LOSERS - len(shown)]]
    return f"; other grids: {', '.join(shown)}" if shown else ""
