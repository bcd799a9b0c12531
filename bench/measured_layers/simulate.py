"""Simulated cycles of rows."""

from __future__ import annotations

from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim import Simulation
from wse_mlir.wse_target.sim.engine import EngineName
from wse_mlir.wse_target.sim.report import SimulationReport

from .decode import Decode
from .prefill import Prefill
from .row import Row
from .writer import lowered

REPEAT = {
    "decode": 3,
    "prefill": 1,
}  # sums of vectors overlap with what comes next; steps of products are alike


def program_of(row: Row, machine: str = "wse3", steps: int = 0) -> tuple[Program, Machine]:
    """The row's program, ready to run.

    Raises:
        CompilerError: the layer does not fit.
    """
    description = load_machine(machine)
    layer = Decode(row, description) if row.program == "decode" else Prefill(row, description, steps)
    return lowered(layer.program(), machine), description


def simulate(row: Row, *, repeat: int = 0, engine: EngineName = "flow") -> SimulationReport:
    """The report of one layer, of several back to back, without data.

    Args:
        repeat: layers; 0: enough for a steady state.
    """
    program, machine = program_of(row)
    simulation = Simulation(program, machine, timing_only=True, engine=engine)
    return simulation.call([], repeat=repeat or REPEAT[row.program]).report
