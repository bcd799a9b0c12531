"""The wafer's cycles by layer of the model, for people."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from rich.table import Table


@dataclass
class LayerRow:
    """One line of a layer; cycles of phases add up, PEs and SRAM are the most of any phase.

    Attributes:
        layer: the module path; location: "file.py:12"; operators: what it runs, in order.
        utilisation: share of the PEs' time in the layer that they compute in.
    """

    layer: str
    location: str
    operators: list[str]
    cycles: float = 0.0
    compute: float = 0.0
    communication: float = 0.0
    waiting: float = 0.0
    pes: int = 0
    sram: int = 0
    busy: float = 0.0

    @property
    def utilisation(self) -> float:
        return self.busy / self.cycles if self.cycles else 0.0


def layer_rows(report: dict[str, Any]) -> list[LayerRow]:
    """Phases of the same layer and source line as one row, in order of execution."""
    rows: dict[tuple[str, str], LayerRow] = {}
    for phase in report["phases"]:
        layer = phase["module_path"] or phase["operator"] or phase["name"]
        row = rows.setdefault((layer, phase["location"]), LayerRow(layer, phase["location"], []))
        if phase["operator"] and phase["operator"] not in row.operators:
            row.operators.append(phase["operator"])
        row.cycles += phase["makespan"]
        row.compute += phase["compute"]
        row.communication += phase["communication"]
        row.waiting += phase["waiting"]
        row.busy += phase["utilisation"] * phase["makespan"]
        row.pes = max(row.pes, phase["pes"])
        row.sram = max(row.sram, phase["sram"])
    return list(rows.values())


def layer_table(report: dict[str, Any]) -> Table:
    """A table of the layers with the program's totals below."""
    table = Table(show_footer=True)
    cycles, sram = report["cycles"], report["sram"]
    columns = (
        ("layer", "whole program", "left"),
        ("source", "", "left"),
        ("operators", "", "left"),
        ("cycles", f"{cycles['makespan']:,.0f}", "right"),
        ("compute", "", "right"),
        ("communicate", "", "right"),
        ("wait", "", "right"),
        ("PEs", f"{report['pes']:,}", "right"),
        ("SRAM B/PE", f"{sram['high_water']:,}", "right"),
        ("utilisation", f"{report['utilisation']:.1%}", "right"),
    )
    for name, footer, side in columns:
        table.add_column(name, footer, justify=side, overflow="fold")  # type: ignore[arg-type]
    for row in layer_rows(report):
        numbers = (f"{v:,.0f}" for v in (row.cycles, row.compute, row.communication, row.waiting))
        table.add_row(
            row.layer, row.location, ", ".join(row.operators), *numbers,
            f"{row.pes:,}", f"{row.sram:,}", f"{row.utilisation:.1%}",
        )  # fmt: skip
    table.caption = (
        f"{report['machine']}, {report['grid'][0]} x {report['grid'][1]} PEs; host transfer adds "
        f"{cycles['host_io']:,.0f} cycles a call; loading the parameters took {cycles['host_load']:,.0f} once; "
        f"SRAM {sram['high_water']:,} of {sram['capacity']:,} B a PE with code and runtime"
    )
    return table
