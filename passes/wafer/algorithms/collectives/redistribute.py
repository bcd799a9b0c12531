"""Redistribution of a tensor between any two distributions, and transposition, which is one of them.

Along an axis, the tiles of a line go once round its interleaved ring, and every PE copies what it needs from each tile
that comes by: all-gather, all-to-all and their like in one, with no more memory than two tiles. Where rows or columns
alone do not have what their PEs need, a first round brings each PE what its crossing line needs, a second one the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from .....wse_target.instructions import Dtype, Instruction, Loop, Vector
from .....wse_target.machine import Machine
from .....wse_target.quasi_affine import Var, const
from .....wse_target.sim.cost import words
from ..algorithm import Algorithm, register
from ..fragment import Axis, Fragment, Line, RedistributionRequest, Scratch, TileWalk, sequence
from .costs import Costs
from .distribution import Boxes, between, covers, on_lines, overlap
from .line_program import LineProgram
from .ring import Ring, exchange

MovingStage = tuple[Axis | None, Boxes, Boxes]  # axis to move along (None: nothing moves), from, to
AXES: tuple[Axis, Axis] = ("x", "y")


def stages(request: RedistributionRequest) -> list[MovingStage]:
    """Rounds that lead from the source to the target; none when no two do."""
    source = Boxes.of(request.source, request.grid)
    target = Boxes.of(request.target, request.grid, request.permutation)
    if covers(source.arrays, target.arrays):
        return [(None, source, target)]
    lines = {axis: on_lines(source, axis) for axis in AXES}
    for axis in AXES:
        held = lines[axis]
        if held is not None and covers(held, target.arrays):
            return [(axis, source, target)]
    found: list[tuple[int, list[MovingStage]]] = []
    for axis, other in zip(AXES, reversed(AXES), strict=True):
        if lines[axis] is None:
            continue
        middle = between(source, target, axis, f"{request.prefix}between")
        held = on_lines(middle, other)
        if held is not None and covers(held, target.arrays):
            found.append((middle.elements, [(axis, source, middle), (other, middle, target)]))
    return min(found, key=lambda f: f[0])[1] if found else []


def build(request: RedistributionRequest) -> Fragment:
    """Every PE of the target holds its box, wherever in the source it was."""
    fragments = []
    for number, (axis, source, target) in enumerate(stages(request)):
        scratch = [Scratch(target.access.buffer, (target.elements,), target.dtype)] if number == 0 else []
        if target.access.buffer == request.target.access.buffer:
            scratch = []
        prefix = f"{request.prefix}{number}_"
        line = Line(axis or "x", source.grid)
        fragments.append(circulate(line, source, target, prefix, scratch, moves=axis is not None))
    return sequence(fragments, request.grid)


def circulate(
    line: Line,
    source: Boxes,
    target: Boxes,
    prefix: str,
    scratch: Sequence[Scratch] = (),
    *,
    moves: bool = True,
) -> Fragment:
    """One round: each tile of a line passes by all of its PEs, or stays where it is."""
    program, ring = LineProgram(line, prefix), Ring(line)
    program.scratch += scratch
    if not moves or ring.extent == 1:
        for position in range(line.extent):
            program.add(position, 0, _take(source, target))
        return program.fragment()
    passing, step = program.name("passing"), Var(program.name("step"))
    room = source.elements
    program.scratch.append(Scratch(passing, (2 * room,), source.dtype))
    first = source.moved_to(passing, const(0))
    copy = Vector("copy", source.bounds, first.access, (source.access,))
    origin = {back: ring.position(ring.upstream(step + back)) for back in (0, 1)}
    out, into = (source.at(line, origin[back]).moved_to(passing, (step + back) % 2 * room) for back in (0, 1))
    for position, colours in ring.wire(program, "round").items():
        moved = exchange(
            colours,
            TileWalk(out.access, out.bounds, out.dtype),
            TileWalk(into.access, into.bounds, into.dtype),
        )
        body: tuple[Instruction, ...] = (*moved, _take(into, target))
        for rank, op in enumerate(
            (_take(source, target), copy, Loop(step.name, const(ring.extent - 1), body))
        ):
            program.add(position, rank, op)
    return program.fragment()


def _take(source: Boxes, target: Boxes) -> Vector:
    """Copies what a tile has of a PE's target."""
    bounds, out, into = overlap(source, target)
    return Vector("copy", bounds, into, (out,))


def cycles(request: RedistributionRequest) -> float:
    """For each round the exchanges of whole tiles, and a copy of what is needed after each."""
    total = 0.0
    for axis, source, target in stages(request):
        line = Line(axis or "x", request.grid)
        sizes, moves = (source.sizes, target.sizes), axis is not None
        total += cycles_of_round(line, *sizes, source.dtype, request.machine, moves=moves)
    return total


def cycles_of_round(
    line: Line,
    source: Sequence[int],
    target: Sequence[int],
    dtype: Dtype,
    machine: Machine,
    *,
    moves: bool = True,
) -> float:
    """Exchanges of whole tiles, and a copy of what is needed after each.

    Args:
        source / target: sizes of tiles.
    """
    ring, setup, rate = Ring(line), machine.vector.setup, machine.rate("copy", dtype)
    both = math.prod(min(*pair) for pair in zip(source, target, strict=True))
    elements = math.prod(source)
    taken = setup + both / rate
    if not moves or ring.extent == 1:
        return taken
    step = ring.step_cycles(int(words(elements, dtype)), Costs.of(machine, dtype))
    copied = setup + elements / rate
    useful = min(ring.extent, math.ceil(math.prod(target) / both))  # tiles that have some of what a PE wants
    return useful * taken + copied + (ring.extent - 1) * (step + machine.control.loop)


def refuses(request: RedistributionRequest) -> str:
    """Why a redistribution cannot be done."""
    if request.source.dtype != request.target.dtype:
        return f"it goes from {request.source.dtype} to {request.target.dtype}; convert first"
    if not stages(request):
        return "what the PEs of a row or column of the source hold together is not a box of the tensor"
    return ""


REDISTRIBUTE = register(
    Algorithm(
        "circulate", "redistribute", "tiles go round lines, PEs take their parts", build, cycles, refuses
    )
)
TRANSPOSE = register(
    Algorithm("circulate", "transpose", "a redistribution with permuted dimensions", build, cycles, refuses)
)
