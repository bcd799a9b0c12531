"""The wafer's cycles by layer of the model, for people."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from rich.box import SIMPLE
from rich.console import JustifyMethod
from rich.table import Table

OPERATORS_FROM = 100  # columns of a terminal


@dataclass
class LayerRow:
    """One line of the model's source. Cycles are means over all PEs of the program, so that those of all lines add up.

    Attributes:
        layer: the module path; location: "file.py:12"; operators: what it runs, in order.
        pes / sram: the most of any of its phases; bytes on one PE.
        utilisation: share of the time of all PEs of the program, while the layer's run, that goes into its compute.
        duration: cycles that the layer's PEs take, on average.
    """

    layer: str
    location: str
    operators: list[str] = field(default_factory=list)
    compute: float = 0.0
    communication: float = 0.0
    waiting: float = 0.0
    pes: int = 0
    sram: int = 0
    utilisation: float = 0.0
    duration: float = 0.0

    @property
    def cycles(self) -> float:
        return self.compute + self.communication + self.waiting


def layer_rows(report: dict[str, Any]) -> list[LayerRow]:
    """Phases of the same layer and source line as one row, in order of execution."""
    rows: dict[tuple[str, str], LayerRow] = {}
    for phase in report["phases"]:
        layer = phase["module_path"] or phase["operator"] or phase["name"]
        row = rows.setdefault((layer, phase["location"]), LayerRow(layer, phase["location"]))
        if phase["operator"] and phase["operator"] not in row.operators:
            row.operators.append(phase["operator"])
        share = phase["pes"] / report["pes"]
        row.compute += phase["compute"] * share
        row.communication += phase["communication"] * share
        row.waiting += phase["waiting"] * share
        row.duration += phase["compute"] + phase["communication"] + phase["waiting"]
        row.pes = max(row.pes, phase["pes"])
        row.sram = max(row.sram, phase["sram"])
    for row in rows.values():
        row.utilisation = row.compute / row.duration if row.duration else 0.0
    return list(rows.values())


def layer_table(report: dict[str, Any], *, width: int) -> Table:
    """A table of the layers with the program's totals below; operators only where `width` columns leave room."""
    table = Table(show_footer=True, box=SIMPLE, padding=(0, 1), pad_edge=False, collapse_padding=True)
    with_operators = width >= OPERATORS_FROM
    cycles, sram = report["cycles"], report["sram"]
    columns: tuple[tuple[str, str, JustifyMethod], ...] = (
        ("layer", "all", "left"),
        ("source", "", "left"),
        ("operators", "", "left"),
        ("cycles", f"{cycles['device']:,.0f}", "right"),
        ("compute", "", "right"),
        ("comm.", "", "right"),
        ("wait", "", "right"),
        ("PEs", f"{report['pes']:,}", "right"),
        ("SRAM", f"{sram['high_water']:,}", "right"),
        ("util.", f"{report['utilisation']:.0%}", "right"),
    )
    for name, footer, side in columns:
        if name == "operators" and not with_operators:
            continue
        table.add_column(name, footer, justify=side, no_wrap=name != "operators")
    for row in layer_rows(report):
        names = [row.layer, row.location, *([", ".join(row.operators)] if with_operators else [])]
        cells = [f"{v:,.0f}" for v in (row.cycles, row.compute, row.communication, row.waiting)]
        table.add_row(*names, *cells, f"{row.pes:,}", f"{row.sram:,}", f"{row.utilisation:.0%}")
    return table


def layer_summary(report: dict[str, Any], *, again: bool = False) -> str:
    """What the table's columns mean and what is outside of them, in a few lines.

    Args:
        again: whether the program is loaded at each call.
    """
    cycles, sram, grid = report["cycles"], report["sram"], report["grid"]
    once = "takes {:,.0f} each time" if again else "took {:,.0f} once"
    return (
        f"{report['machine']}, {grid[0]} x {grid[1]} PEs. Cycles of one call, mean over PEs; the slowest PE takes "
        f"{cycles['makespan']:,.0f}.\n"
        f"Host transfer adds {cycles['host_io']:,.0f} a call; loading the parameters "
        f"{once.format(cycles['host_load'])}.\n"
        f"SRAM in bytes of the fullest PE: {sram['high_water']:,} of {sram['capacity']:,}, of which buffers "
        f"{sram['buffers']:,}, code {sram['code']:,}, runtime {sram['runtime']:,}."
    )
