"""Simulated cycles of rows."""

from __future__ import annotations

from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim import Simulation
from wse_mlir.wse_target.sim.engine import EngineName

from .decode import Decode
from .prefill import Prefill
from .row import Row
from .writer import lowered

MACHINE = "wse3"
_SMALL = (12, 24)  # sides of the squares that scores are run on


def cycles(row: Row, *, engine: EngineName = "flow", whole: bool = False) -> float:
    """Device cycles of one layer of several back to back: the mean over the PEs.

    Args:
        whole: run all of a prefill in one; if not, in parts, see `_prefill`.

    Raises:
        CompilerError: the layer does not fit.
    """
    machine = load_machine(MACHINE)
    if row.program == "decode":
        return _run(
            Decode(row, machine).program(), machine, engine, 2
        )  # the second token is like all later ones
    layer = Prefill(row, machine)
    if whole:
        return _run(layer.program(), machine, engine, 1)
    Simulation(lowered(layer.program(), MACHINE), machine, timing_only=True)  # does all of it fit?
    return _prefill(layer, engine)


def _prefill(layer: Prefill, engine: EngineName) -> float:
    """A prefill's parts one after the other, in each of which all PEs begin together and equal steps are skipped.

    No two steps of the scores are alike: every row has its root elsewhere. But a step's work is the tile's alone, the
    next root is two columns on, and the first sum comes along a line: their cycles grow evenly with the side, and are
    taken from those of the same tiles on two small squares.
    """
    row, machine = layer.row, layer.machine
    rest = sum(_run(program, machine, engine, 1) for program in layer.others())
    if row.side <= _SMALL[1]:
        return rest + _run(layer.scores(), machine, engine, 1)
    less, more = (_run(Prefill(row.on(side), machine).scores(), machine, engine, 1) for side in _SMALL)
    return rest + more + (row.side - _SMALL[1]) * (more - less) / (_SMALL[1] - _SMALL[0])


def _run(program: Program, machine: Machine, engine: EngineName, repeat: int) -> float:
    simulation = Simulation(lowered(program, MACHINE), machine, timing_only=True, engine=engine)
    return simulation.call([], repeat=repeat).report.cycles.device
