"""`wse targets`: the machines there are."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ...wse_target.errors import TargetError
from ...wse_target.machine_file import available_machines, read_machine


def print_targets() -> None:
    """Prints a table of the CPU and every known machine."""
    table = Table("target", "PEs", "SRAM a PE", "clock", "what it is")
    table.add_row("cpu", "", "", "", "native code for the machine this runs on")
    for name in available_machines():
        try:
            machine = read_machine(name)
        except TargetError as error:  # one broken plugin does not hide the other machines
            table.add_row(name, "", "", "", f"broken: {escape(str(error.message))}")
            continue
        grid, sram = machine.fabric_size, machine.sram
        table.add_row(
            name,
            f"{grid.width} x {grid.height}",
            f"{sram.bytes // 1024} KiB",
            f"{machine.clock.ghz} GHz",
            machine.description,
        )
    Console().print(table)
