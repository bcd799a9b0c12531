"""Simulated cycles of rows."""

from __future__ import annotations

from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim import Simulation
from wse_mlir.wse_target.sim.engine import EngineName
from wse_mlir.wse_target.sim.report import SimulationReport

from .decode import Decode
from .prefill import REPEATED, Prefill
from .row import Row
from .writer import lowered

MACHINE = "wse3"


def cycles(row: Row, *, engine: EngineName = "flow", whole: bool = False) -> float:
    """Device cycles of one layer of several back to back: the mean over the PEs.

    Args:
        whole: run all of a prefill; if not, its parts one by one, in which PEs begin together and whose steps go
            quickly, and a few of the scores' steps for all of them.

    Raises:
        CompilerError: the layer does not fit.
    """
    machine = load_machine(MACHINE)
    if row.program == "decode":
        return _report(Decode(row, machine).program(), machine, engine, 2).cycles.device  # as all later ones
    layer = Prefill(row, machine, shortened=not whole)
    program = lowered(layer.program(), MACHINE)
    if whole:
        return _run(program, machine, engine, 1).cycles.device
    Simulation(program, machine, timing_only=True)  # whose parts fit even where it does not
    return sum(_stage(stage, layer, machine, engine) for stage in layer.stages())


def _stage(program: Program, layer: Prefill, machine: Machine, engine: EngineName) -> float:
    report = _report(program, machine, engine, 1)
    repeated = sum(p.compute + p.communication + p.waiting for p in report.phases if p.name == REPEATED)
    return report.cycles.device + layer.left_out * repeated


def _report(program: Program, machine: Machine, engine: EngineName, repeat: int) -> SimulationReport:
    return _run(lowered(program, MACHINE), machine, engine, repeat)


def _run(program: Program, machine: Machine, engine: EngineName, repeat: int) -> SimulationReport:
    return Simulation(program, machine, timing_only=True, engine=engine).call([], repeat=repeat).report
