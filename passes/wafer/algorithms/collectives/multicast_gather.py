"""All-gather by multicast: few PEs collect the blocks of their neighbours and stream them to the whole line.

All routes are static, and all PEs share one text: what a position does not do has bounds of 0.
"""

from __future__ import annotations

from typing import Any

from .....wse_target.instructions import Instruction, Join, Loop, Receive, Relay, Send, Vector
from .....wse_target.quasi_affine import Var, const, maximum
from ..algorithm import Algorithm, register
from ..fragment import CollectiveRequest, Fragment, RectangleText, Spread
from .costs import largest
from .gather_plan import GatherPlan, plans
from .line_program import at_least_one_loop, limited, only
from .wires import Wires

MOST_STREAMS = 4  # more would make groups a little smaller, but take as many queues
MOST_COLOURS = 12  # unless asked for more: what runs before and after wants some, too


def most_streams(request: CollectiveRequest) -> int:
    """Streams that a PE takes at a time, beside the one that it may send."""
    queues = request.machine.queues
    return max(1, min(MOST_STREAMS, queues.microthreads - 1, len(queues.input)))


def plan_for(request: CollectiveRequest, colours: int = 0, groups: int = 0) -> GatherPlan | None:
    """The plan of least cycles with no more colours, and with that many groups if it is not 0; None: there is none."""
    spread, extent = _spread(request), request.line.extent
    grid = request.line.grid
    owners = min(
        extent // spread.every, -(-largest((spread.whole.bounds[spread.loop],), grid) // spread.pitch)
    )
    total, block = (largest(t.bounds, grid) for t in (spread.whole, spread.blocks(0)))
    able = [
        p
        for p in plans(extent, max(1, owners), spread.every, colours or MOST_COLOURS, most_streams(request))
        if not groups or len(p.leaders) == groups
    ]
    cost = {p: p.cycles(block, total, request.tile.dtype, request.machine) for p in able}
    return min(able, key=lambda p: cost[p], default=None)


def build(request: CollectiveRequest, *, colours: int = 0, groups: int = 0) -> Fragment:
    """Every PE's tile on all PEs of its line, at its place in `request.spread.whole`."""
    spread, own = _spread(request), at_least_one_loop(request.tile)
    plan = plan_for(request, colours, groups)
    assert plan is not None
    body: list[Instruction] = []
    mine = spread.blocks(request.line.position // spread.every)
    if own.access != mine.access:
        body.append(Vector("copy", own.bounds, mine.access, (own.access,)))
    wires = Wires(request.line)
    if request.line.extent > 1:
        for number, (size, radix) in enumerate(plan.levels):
            body += _level(request, plan, wires, number, size, radix)
        body += _multicasts(request, plan, wires)
    parts = tuple(
        RectangleText(where, tuple(body)) for where in request.line.where(range(request.line.extent))
    )
    return Fragment(parts, (), wires.colours, wires.routes())


def _level(
    request: CollectiveRequest, plan: GatherPlan, wires: Wires, number: int, size: int, radix: int
) -> list[Instruction]:
    """`radix` parts of `size` owners each become one, on the first PE of the first."""
    spread, at, grid = _spread(request), request.line.position, request.line.grid
    names = [f"{request.prefix}level{number}{suffix}" for suffix in (("",) if radix == 2 else ("a", "b"))]
    far, number_of = size * spread.every, at // spread.every
    for first in range(size, plan.owners, size):
        if part := first // size % radix:
            wires.connect(names[part % len(names)], first * spread.every, first * spread.every - far)
    part, leads = at // far % radix, const(1) - at % far
    own = spread.blocks(number_of, size)
    if radix == 2:
        other = spread.blocks(number_of + size, size)
        return [
            Send(names[0], only(own, grid, leads, part), own.access),
            Receive(names[0], only(other, grid, leads, const(1) - part), other.access),
        ]
    step = Var(f"{request.prefix}step{number}")
    behind = spread.blocks(number_of + (step + 1) * size, size)
    body: list[Instruction] = []
    for parity, flag in ((0, const(1) - part % 2), (1, part % 2)):
        sends, receives = names[parity], names[1 - parity]
        trips = limited(const(radix - 1) - part, radix, leads, part, flag)
        body.append(Send(sends, only(own, grid, leads, part, flag), own.access))
        body.append(Loop(step.name, trips, (Relay(receives, sends, behind.bounds, None),)))
    taken = Receive(names[1], behind.bounds, behind.access)
    return [*body, Loop(step.name, limited(const(radix - 1), radix, leads, const(1) - part), (taken,))]


def _multicasts(request: CollectiveRequest, plan: GatherPlan, wires: Wires) -> list[Instruction]:
    """What the groups have, from their leaders to everybody, all at once."""
    spread, at, grid = _spread(request), request.line.position, request.line.grid
    alone = len(plan.leaders) == 1
    sends: list[Instruction] = []
    takes: list[Instruction] = []
    for number, first in enumerate(plan.leaders):
        colour, leader = f"{request.prefix}multicast{number}", first * spread.every
        wires.multicast(colour, leader, [p for p in range(plan.extent) if p != leader])
        tile, threads = spread.blocks(first, plan.group), (0, 0) if alone else (1, 2 + number)
        bounds = only(tile, grid, at - (leader - 1), const(leader + 1) - at)
        sends.append(Send(colour, bounds, tile.access, thread=threads[0]))
        bounds = only(tile, grid, maximum(at - leader, const(leader) - at))
        takes.append(Receive(colour, bounds, tile.access, thread=threads[1]))
    if alone:
        return [*sends, *takes]
    # A PE's own send is launched behind its receives: those that are not its own wait on its thread until it is over.
    return [*takes, *sends, Join((1, *range(2, 2 + len(plan.leaders))))]


def _spread(request: CollectiveRequest) -> Spread:
    if request.spread is None:
        raise ValueError("how the blocks lie in the result is not said")
    return request.spread


def cycles(request: CollectiveRequest, *, colours: int = 0, groups: int = 0) -> float:
    """Those of the plan, and of the copy of a PE's own block."""
    spread, grid = _spread(request), request.line.grid
    total, block = (largest(t.bounds, grid) for t in (spread.whole, spread.blocks(0)))
    copied = request.machine.vector.setup + block / request.machine.rate("copy", request.tile.dtype)
    plan = plan_for(request, colours, groups)
    if plan is None or request.line.extent == 1:
        return copied
    return copied + plan.cycles(block, total, request.tile.dtype, request.machine)


def refuses(request: Any, *, colours: int = 0, groups: int = 0) -> str:
    """Why a gathering cannot be done this way."""
    if request.spread is None:
        return "how the blocks lie in the result is not said"
    if plan_for(request, colours, groups) is None:
        return f"no plan has {groups or 'any number of'} groups and {colours or MOST_COLOURS} colours"
    return ""


MULTICAST = register(
    Algorithm(
        "multicast",
        "all_gather",
        "few PEs collect their neighbours' blocks and stream them to the whole line",
        build,
        cycles,
        refuses,
        {"colours": 0, "groups": 0},
    )
)
