"""`wse targets`: the machines there are, or what one of them is."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ..compiler.targets import MachineTarget, find_target
from ..passes.cpu.instruction_sets import host
from ..wse_target.errors import TargetError
from ..wse_target.machine_file import available_machines, load_machine, machine_text
from ..wse_target.machine_settings import split_target


def print_targets() -> None:
    """Prints a table of the CPU and every known machine."""
    table = Table("target", "PEs", "SRAM a PE", "clock", "what it is")
    table.add_row("cpu", "", "", "", "native code for the machine this runs on")
    for name in available_machines():
        try:
            machine = load_machine(name)
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


def print_target(name: str) -> None:
    """Prints a machine's file, or what the CPU is.

    Raises:
        CompilerError: there is no such target; names the nearest.
    """
    target = find_target(name)
    if isinstance(target, MachineTarget):
        base, settings = split_target(name)
        print(machine_text(base), end="")
        for key, value in settings.items():
            print(f"# replaced: {key} = {value}")
        return
    cpu, features = host()
    print(f"processor  {cpu}\nfeatures   {features}")
