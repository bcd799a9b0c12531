"""Tables on a terminal, and in documentation."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

_WIDE = 400  # characters: more than any row, or it would be broken


def new_table(title: str, headings: Sequence[str], texts: Sequence[str]) -> Table:
    """An empty table; columns named in `texts` stand left, figures right."""
    table = Table(title=title)
    for heading in headings:
        table.add_column(heading, justify="left" if heading in texts else "right")
    return table


def print_parts(parts: Iterable[str | Table]) -> None:
    """Tables, and sentences between them."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    for part in parts:
        console.print(part)


def write_parts(parts: Iterable[str | Table], path: Path) -> None:
    """The same as Markdown."""
    with path.open("w") as out:
        console = Console(file=out, width=_WIDE, color_system=None)
        for part in parts:
            if isinstance(part, Table):
                print(f"**{part.title}**\n", file=out)
                part.title, part.box = None, box.MARKDOWN
            with console.capture() as printed:
                console.print(part, soft_wrap=isinstance(part, str))
            print(printed.get().strip(), end="\n\n", file=out)


def number(value: float | None, form: str) -> str:
    """A figure, or nothing where there is none."""
    return "" if value is None else format(value, form)


def milliseconds(value: float) -> str:
    """About three digits."""
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def geometric_mean(values: Sequence[float]) -> float:
    """Of ratios; of none it is 1."""
    return math.exp(sum(map(math.log, values)) / len(values)) if values else 1.0
