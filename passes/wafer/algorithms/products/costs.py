"""What parts of a product cost, from the machine's numbers; the model is that of docs/simulator.md."""

from __future__ import annotations

import numpy as np

from .....wse_target.instructions import DTYPE_BYTES, Access, Control, Dtype, Instruction, Loop, Vector
from .....wse_target.machine import Machine
from .....wse_target.quasi_affine import const
from .....wse_target.sim.cost import WAVELET_BYTES, TimingModel
from .blocks import Tiles


def vector_cycles(machine: Machine, op: Vector, dtypes: dict[str, str]) -> float:
    """Cycles of a vector operation on PE (0, 0)."""
    bounds = np.array([[max(int(b.evaluate({"x": 0, "y": 0})), 0) for b in op.bounds]])
    return float(TimingModel(machine).vector(op, bounds, dtypes[op.dst.buffer], dtypes)[0])


def local_product(tiles: Tiles, looped: bool = False) -> float:
    """Cycles of the product of full tiles on one PE."""
    request = tiles.request
    bounds = (const(tiles.m.block), const(tiles.k.block), const(tiles.n.block))
    body = tiles.product(
        Access("c", const(0), (1,)), ("a", const(0), tiles.k.block), ("b", const(0)), bounds, looped
    )
    dtypes = {"a": request.dtype, "b": request.dtype, "c": request.accumulate}
    return sum(instruction_cycles(request.machine, op, dtypes) for op in body)


def word_count(elements: int, dtype: Dtype, packed: bool = True) -> int:
    """Wavelets of a message; without packing every narrow element has one of its own."""
    size = DTYPE_BYTES[dtype] if packed else max(DTYPE_BYTES[dtype], WAVELET_BYTES)
    return -(-elements * size // WAVELET_BYTES)


def way(machine: Machine, hops: int) -> float:
    """Cycles from a core over so many hops in a straight line to another core."""
    fabric = machine.fabric
    return fabric.ramp_out + hops * fabric.hop_latency + fabric.ramp_in


def instruction_cycles(machine: Machine, op: Instruction, dtypes: dict[str, str]) -> float:
    """Cycles of an instruction that does not communicate, on the PE with the largest tiles, (0, 0)."""
    if isinstance(op, Loop):
        trips = int(op.trips.evaluate({"x": 0, "y": 0}))
        inside = sum(instruction_cycles(machine, inner, dtypes) for inner in op.body)
        return machine.control.branch + trips * (inside + machine.control.loop)
    if isinstance(op, Control):
        return int(op.count.evaluate({"x": 0, "y": 0})) * getattr(machine.control, op.unit)
    return vector_cycles(machine, op, dtypes) if isinstance(op, Vector) else 0.0
