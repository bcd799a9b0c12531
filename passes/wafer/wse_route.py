"""The pass `wse-route`: hardware colours and router settings."""

from collections.abc import Iterator
from typing import Any

from ...dialects.host import ir
from ...dialects.provenance import describe_location
from ...dialects.wse import build, read
from ...wse_target.image import StridedRect
from ...wse_target.machine import load_machine
from ..infra.diagnostics import PassFailure
from ..infra.pass_base import Pass, PassRun
from .executable import bodies, colours_of, instructions, program_of, symbols

# (towards smaller, towards larger) coordinates; y counts rows from the north
_DIRECTIONS = {"x": ("west", "east"), "y": ("north", "south")}


class Route(Pass, name="wse-route", anchor="builtin.module"):
    """Numbers the colours in use, drops the others, and sets the routers on their way.

        wse.colour @x_low0 {id = -1, wse.line = "x", wse.towards = "low", wse.parity = 0}
    becomes, on 4 x 1 PEs
        wse.colour @x_low0 {id = 0, ..}
        wse.route @x_low0 at <2, 0, 1, 1, 2, 1> from "ramp" to ["west"]
        wse.route @x_low0 at <1, 0, 1, 1, 2, 1> from "east" to ["ramp"]
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        program = program_of(op)
        machine = load_machine(program.machine.value)
        width, height = read.integers(program.grid)
        users = _users(op)
        available = iter(machine.usable_colours)
        for colour in symbols(op, "wse.colour"):
            name = colour.sym_name.value
            if name not in users:
                colour.operation.erase()
                continue
            number = next(available, None)
            if number is None:
                listed = "; ".join(f"{c}: {', '.join(u)}" for c, u in users.items())
                raise PassFailure(
                    program,
                    f"the program uses {len(users)} colours, machine '{machine.name}' has "
                    f"{len(machine.usable_colours)}: {listed}",
                    hint="split the model into fewer communicating layers",
                )
            colour.attributes["id"] = build.i64(number)
            with ir.InsertionPoint.after(colour), colour.location:
                for where, receive, send in _settings(colour, width, height):
                    build.route(name, where, receive, send)
                    run.count("routes")
            run.count("colours")


def _users(module: ir.Operation) -> dict[str, list[str]]:
    """Colours in use, with the places of the model that use them."""
    found: dict[str, dict[str, None]] = {}
    for _, function in bodies(module):
        for op in instructions(function.body.blocks[0]):
            for name in colours_of(op):
                found.setdefault(name, {})[describe_location(op.location)] = None
    return {name: list(places) for name, places in found.items()}


def _settings(colour: Any, width: int, height: int) -> Iterator[tuple[StridedRect, str, tuple[str, ...]]]:
    axis = read.string(colour.attributes["wse.line"])
    towards = read.string(colour.attributes["wse.towards"])
    parity = read.integer(colour.attributes["wse.parity"])
    extent = width if axis == "x" else height
    low, high = _DIRECTIONS[axis]

    def line(start: int, stop: int, step: int) -> StridedRect | None:
        count = len(range(start, stop, step))
        if count == 0:
            return None
        if axis == "x":
            return StridedRect((start, 0), (count, height), (step, 1))
        return StridedRect((0, start), (width, count), (1, step))

    if towards == "all":
        settings = [
            (line(0, 1, 1), "ramp", (high,)),
            (line(1, extent - 1, 1), low, ("ramp", high)),
            (line(extent - 1, extent, 1), low, ("ramp",)),
        ]
    elif towards == "low":
        settings = [
            (line(parity or 2, extent, 2), "ramp", (low,)),
            (line(1 - parity, extent - 1, 2), high, ("ramp",)),
        ]
    else:
        settings = [
            (line(parity, extent - 1, 2), "ramp", (high,)),
            (line(1 + parity, extent, 2), low, ("ramp",)),
        ]
    yield from ((where, receive, send) for where, receive, send in settings if where is not None)
