"""Programs on a few PEs for the wavelet engine's tests: a row of PEs, each with its own code, and routes along it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from fabric_programs import access, ints, rect, row_program

from wse_mlir.wse_target.image import PEClass, Program, Route
from wse_mlir.wse_target.instructions import Control, Direction, Instruction, Receive, Send
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim import Simulation, SimulationResult

# Numbers that tell what is what: 5 set-up, 7 + 2 a hop + 3 way, 20 a turn, 1.5 in a relay; C = 16 + 2 a hop.
MACHINE = load_machine("tiny").replace(
    grid__width=16, grid__height=16, fabric__ramp_out=7.0, fabric__ramp_in=3.0, fabric__hop_latency=2.0,
    fabric__turn_latency=20.0, fabric__relay_latency=1.5, rates__copy={"default": 1e9},
)  # fmt: skip
SETUP = 5


def way(hops: int) -> int:
    return 7 + 2 * hops + 3


def capacity(hops: int) -> int:
    return 16 + 2 * hops


def path(colour: str, start: int, end: int, *, also: Sequence[int] = (), position: int = 0) -> list[Route]:
    """Along the row from PE `start` to PE `end`, and to the PEs `also` between."""
    step: int = 1 if end > start else -1
    onwards: Direction = "east" if end > start else "west"
    back: Direction = "west" if end > start else "east"
    found = [Route(colour, rect(start, 0, 1, 1), "ramp", (onwards,), position)]
    for x in range(start + step, end, step):
        ramp: tuple[Direction, ...] = ("ramp",) if x in also else ()
        found.append(Route(colour, rect(x, 0, 1, 1), back, (*ramp, onwards), position))
    return [*found, Route(colour, rect(end, 0, 1, 1), back, ("ramp",), position)]


def row(
    bodies: Sequence[Sequence[Instruction]], routes: Sequence[Route], words: int, **fields: Any
) -> Program:
    """PE x of a row executes `bodies[x]`; its buffers "a" and "r" hold `words` elements."""
    classes = [PEClass(f"pe{x}", rect(x, 0, 1, 1), tuple(body)) for x, body in enumerate(bodies)]
    colours = sorted({route.colour for route in routes})
    dtype = fields.pop("dtype", "f32")
    return replace(row_program(len(bodies), words, classes, routes, colours, dtype=dtype), **fields)


def send(colour: str, words: int, thread: int = 0, **options: Any) -> Send:
    return Send(colour, ints(words), access("a", 1), thread, **options)


def receive(colour: str, words: int, thread: int = 0, combine: Any = "store") -> Receive:
    return Receive(colour, ints(words), access("r", 1), combine, thread)


def work(cycles: int) -> Control:
    """Scalar code of that many cycles, an even number."""
    return Control("scalar", ints(cycles // 2)[0])


def run(program: Program, machine: Machine = MACHINE, **options: Any) -> SimulationResult:
    spec = program.arguments[0]
    values = np.arange(np.prod(spec.shape)).reshape(spec.shape).astype(np.dtype(spec_dtype(spec.dtype)))
    repeat = options.pop("repeat", 1)
    return Simulation(program, machine, engine="wavelet", **options).call([values], repeat=repeat)


def spec_dtype(name: str) -> str:
    return {"f32": "float32", "f16": "float16"}[name]


def ends(program: Program, machine: Machine = MACHINE, **options: Any) -> list[float]:
    """When each PE of the row is through."""
    return run(program, machine, **options).report.per_pe["total"][0].tolist()
