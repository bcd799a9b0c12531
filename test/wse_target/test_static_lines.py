"""One row and one column in place of a whole grid: when that is a proof, and that it says no more than it may."""

from __future__ import annotations

import pytest
from fabric_programs import X, Y, access, ints, rect

from wse_mlir.wse_target.analysis.deadlock import execute_whole, verdict
from wse_mlir.wse_target.analysis.lines import line_programs
from wse_mlir.wse_target.image import PEClass, Program, Route, StridedRect
from wse_mlir.wse_target.instructions import Buffer, Instruction, Join, Loop, Receive, Send, Switch
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import Expr, Var, const, maximum, minimum

MACHINE = load_machine("wse3")
STEP = Var("step")


def along(axis: str, side: int, base: int, count: int, step: int = 1) -> StridedRect:
    if axis == "x":
        return rect(base, 0, count, side, step)
    return rect(0, base, side, count, 1, step)


def neighbours(side: int, axis: str) -> list[Route]:
    """Everybody sends towards larger positions: colours `axis`0 and `axis`1 by the sender's parity."""
    low, high = ("west", "east") if axis == "x" else ("north", "south")
    found = []
    for parity in (0, 1):
        senders = len(range(parity, side - 1, 2))
        colour = f"{axis}{parity}"
        found.append(Route(colour, along(axis, side, parity, senders, 2), "ramp", (high,)))
        found.append(Route(colour, along(axis, side, parity + 1, senders, 2), low, ("ramp",)))
    return found


def program(
    side: int, bodies: dict[tuple[int, int], tuple[Instruction, ...]], routes: list[Route]
) -> Program:
    """Classes by the parity of x and y, or one class when there is one body."""
    step = 1 if len(bodies) == 1 else 2
    classes = [
        PEClass(
            f"c{x}{y}",
            rect(x, y, len(range(x, side, step)), len(range(y, side, step)), step, step),
            body,
        )
        for (x, y), body in bodies.items()
    ]
    buffers = {"a": Buffer("a", 0, (100,), "f32"), "r": Buffer("r", 400, (100,), "f32")}
    colours = {colour: number for number, colour in enumerate(dict.fromkeys(r.colour for r in routes))}
    return Program("p", (side, side), (), (), buffers, tuple(classes), colours, tuple(routes))


def shift(axis: str, position: Expr, parity: int, side: int, threads: tuple[int, int]) -> list[Instruction]:
    """Sends to the next PE and receives from the one before; at the ends of the line nothing."""
    sends, receives = minimum(maximum(const(side - 1) - position, 0), 1), minimum(position, 1)
    return [
        Send(f"{axis}{parity}", (sends * 40,), access("a", 1), thread=threads[0]),
        Receive(f"{axis}{1 - parity}", (receives * 40,), access("r", 1), thread=threads[1]),
    ]


def shifts(side: int, trips: int | Expr, threads: tuple[int, int, int, int]) -> Program:
    """Every trip, all PEs pass something on along both axes."""
    join = (Join(tuple(t for t in threads if t)),) if any(threads) else ()
    bodies = {
        (x, y): (
            Loop(
                "step",
                *ints(trips),
                (
                    *shift("x", X, x, side, threads[:2]),
                    *shift("y", Y, y, side, threads[2:]),
                    *join,
                ),
            ),
        )
        for x in (0, 1)
        for y in (0, 1)
    }
    return program(side, bodies, neighbours(side, "x") + neighbours(side, "y"))


def wandering_roots(side: int, *, order: tuple[str, str] = ("x", "y"), thread: bool = True) -> Program:
    """As SUMMA: in step k column k multicasts along the rows and row k along the columns, after all have switched."""
    routes: list[Route] = []
    body: list[Instruction] = []
    for number, axis in enumerate(order):
        position, (low, high) = (X, ("west", "east")) if axis == "x" else (Y, ("north", "south"))
        last = side - 1
        routes += [
            Route(axis, along(axis, side, 1, last - 1), low, (high, "ramp"), 0),
            Route(axis, along(axis, side, last, 1), low, ("ramp",), 0),
            Route(axis, along(axis, side, 1, last - 1), high, (low, "ramp"), 1),
            Route(axis, along(axis, side, 0, 1), high, ("ramp",), 1),
            Route(axis, along(axis, side, 1, last - 1), "ramp", (low, high), 2),
            Route(axis, along(axis, side, 0, 1), "ramp", (high,), 2),
            Route(axis, along(axis, side, last, 1), "ramp", (low,), 2),
        ]
        beyond = STEP - position
        reached, before = minimum(1, maximum(beyond + 1, 0)), minimum(1, maximum(beyond, 0))
        owns = reached + before * -1
        body += [
            Switch(axis, reached * 2 - before, rewrite=True),
            Send(axis, (owns * 40,), access("a", 1), thread=thread * (number + 1)),
            Receive(axis, ((const(1) - owns) * 40,), access("r", 1), thread=thread * (number + 1)),
        ]
    join = (Join((1, 2)),) if thread else ()
    return program(side, {(0, 0): (Loop("step", const(side), (*body, *join)),)}, routes)


@pytest.mark.parametrize("side", [2, 3, 6])
def test_whole_grids_are_free_where_their_lines_are(side: int) -> None:
    for made in (shifts(side, 3, (1, 2, 3, 4)), wandering_roots(side), wandering_roots(side, thread=False)):
        lines = line_programs(made)
        assert lines is not None and all(min(line.grid) == 1 for line in lines)
        assert all(execute_whole(line, MACHINE).outcome == "free" for line in lines)
        assert execute_whole(made, MACHINE).outcome == "free"


def test_programs_for_half_a_million_pes_are_proven_free() -> None:
    """Few steps of few PEs have to be looked at: the bound on work is a small part of one per PE and trip."""
    side = 720
    assert verdict(shifts(side, side, (1, 2, 3, 4)), MACHINE, work=10_000_000).outcome == "free"
    assert verdict(wandering_roots(120), MACHINE, work=10_000_000).outcome == "free"


def test_a_thread_for_both_axes_is_no_case_for_lines() -> None:
    assert line_programs(shifts(6, 3, (1, 2, 1, 2))) is None


def test_lengths_that_depend_on_the_other_axis_are_no_case_for_lines() -> None:
    made = shifts(6, 3, (1, 2, 3, 4))
    odd = Receive("x0", (Y,), access("r", 1), thread=2)
    classes = (PEClass("odd", made.classes[0].where, (odd,)), *made.classes[1:])
    assert line_programs(Program(**{**vars(made), "classes": classes})) is None


def test_loops_that_pes_run_differently_are_no_case_for_lines() -> None:
    assert line_programs(shifts(6, X, (1, 2, 3, 4))) is None


def test_routes_that_turn_are_no_case_for_lines() -> None:
    made = shifts(6, 3, (1, 2, 3, 4))
    turning = Route("x0", rect(5, 5, 1, 1), "west", ("north",))
    assert line_programs(Program(**{**vars(made), "routes": (*made.routes, turning)})) is None


def test_texts_in_another_order_are_no_case_for_lines() -> None:
    """Two classes that wait along x and y crosswise deadlock, though each line by itself does not."""
    side = 4
    routes = [r for r in neighbours(side, "x") + neighbours(side, "y") if r.colour in ("x0", "y0")]

    def body(x: int, y: int) -> tuple[Instruction, ...]:
        along_x = (Send if x == 0 else Receive)("x0", ints(40), access("a", 1))
        along_y = (Send if y == 0 else Receive)("y0", ints(40), access("a", 1))
        return (along_x, along_y) if (x + y) % 2 == 0 else (along_y, along_x)

    crossed = program(side, {(x, y): body(x, y) for x in (0, 1) for y in (0, 1)}, routes)
    assert line_programs(crossed) is None
    assert verdict(crossed, MACHINE).outcome == "deadlocks"


def test_lines_that_get_stuck_leave_the_whole_to_decide() -> None:
    """Words sent in one stage and taken in a later one: too many for a barrier in between, which nobody asks for."""
    side = 4
    routes = [r for r in neighbours(side, "x") + neighbours(side, "y") if r.colour in ("x0", "y0")]

    def body(x: int, y: int) -> tuple[Instruction, ...]:
        first, last = (60, 0) if x == 0 else (0, 60)
        along_x = [(Send if x == 0 else Receive)("x0", ints(n), access("a", 1)) for n in (first, last)]
        along_y = (Send if y == 0 else Receive)("y0", ints(1), access("a", 1))
        return (along_x[0], along_y, along_x[1])

    made = program(side, {(x, y): body(x, y) for x in (0, 1) for y in (0, 1)}, routes)
    lines = line_programs(made)
    assert lines is not None
    assert any(execute_whole(line, MACHINE).outcome == "deadlocks" for line in lines)
    assert verdict(made, MACHINE).outcome == "free"
