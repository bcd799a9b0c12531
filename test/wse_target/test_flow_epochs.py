"""Switches: wandering multicasts, words that wait for routers, and what the engine says when they wait for ever."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import numpy as np
import pytest
from fabric_programs import X, access, copy_own, ints, rect, row_program, values

from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import PEClass, Program, Route, StridedRect
from wse_mlir.wse_target.instructions import Control, Loop, Receive, Send, Switch, Vector
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import Expr, Var, const, maximum, minimum
from wse_mlir.wse_target.sim import Simulation

WIDTH, WORDS, HEIGHT = 5, 8, 3
K = Var("k")
HERE, LEFT, RIGHT = 0, 1, 2  # positions: the sender's, those of PEs to the left and to the right of it


def wandering(*, height: int = HEIGHT) -> Program:
    """In step k PE k of each row sends its tile to all others of the row, which sum up what they get."""
    left, right = minimum(maximum(K - X, 0), 1), minimum(maximum(X - K, 0), 1)
    is_root = const(1) - left - right
    inner = rect(1, 0, WIDTH - 2, height)
    routes = [
        Route("w", inner, "ramp", ("west", "east"), HERE),
        Route("w", rect(0, 0, 1, height), "ramp", ("east",), HERE),
        Route("w", rect(WIDTH - 1, 0, 1, height), "ramp", ("west",), HERE),
        Route("w", inner, "east", ("ramp", "west"), LEFT),
        Route("w", rect(0, 0, 1, height), "east", ("ramp",), LEFT),
        Route("w", inner, "west", ("ramp", "east"), RIGHT),
        Route("w", rect(WIDTH - 1, 0, 1, height), "west", ("ramp",), RIGHT),
    ]
    step = (
        Switch("w", left * LEFT + right * RIGHT, rewrite=True),
        Send("w", (is_root * WORDS,), access("a", 1)),
        Receive("w", ((left + right) * WORDS,), access("r", 1), "add"),
    )
    classes = [PEClass("all", rect(0, 0, WIDTH, height), (copy_own(WORDS), Loop("k", const(WIDTH), step)))]
    return replace(row_program(WIDTH, WORDS, classes, routes, ["w"], height=height), positions={"w": -1})


@pytest.mark.parametrize("machine", ["tiny", "wse3"])
def test_every_pe_hears_every_other_one(machine: str) -> None:
    program = wandering()
    a = values(program)
    result = Simulation(program, load_machine(machine)).call([a])
    for x in range(WIDTH):
        total = a[:, x].copy()
        for k in range(WIDTH):
            total = total + a[:, k] if k != x else total
        np.testing.assert_array_equal(result.outputs[0][:, x], total)


def test_columns_of_a_square_grid_wait_for_their_own_switches() -> None:
    """Every column goes on at its own pace, though there are as many rows as columns."""
    down = {"west": "north", "east": "south", "ramp": "ramp"}

    def turned(where: StridedRect) -> StridedRect:
        return StridedRect(where.base[::-1], where.extent[::-1], where.step[::-1])

    rows = wandering(height=WIDTH)
    swapped = {"x": Var("y"), "y": X}
    routes = tuple(
        replace(r, where=turned(r.where), receive=down[r.receive], send=tuple(down[s] for s in r.send))
        for r in rows.routes
    )
    late = Control("scalar", (X * 3 % 5) * 700)
    body = tuple(with_coordinates(op, swapped) for op in rows.classes[0].body)
    program = replace(
        rows, routes=routes, classes=(replace(rows.classes[0], body=(late, *body)),), code_bytes={}
    )
    flow, wavelet = (
        Simulation(program, load_machine("wse3"), engine=engine).call([values(program)])
        for engine in ("flow", "wavelet")
    )
    assert flow.outputs[0].tobytes() == wavelet.outputs[0].tobytes()
    np.testing.assert_allclose(flow.report.per_pe["total"], wavelet.report.per_pe["total"], rtol=0.01)


def with_coordinates(item: Any, by: dict[str, Expr]) -> Any:
    """An instruction, or a part of one, with expressions in place of coordinates."""
    if isinstance(item, Var):
        return by.get(item.name, item)
    if isinstance(item, tuple):
        return tuple(with_coordinates(part, by) for part in item)
    if not is_dataclass(item) or isinstance(item, type):
        return item
    return replace(item, **{f.name: with_coordinates(getattr(item, f.name), by) for f in fields(item)})


@pytest.mark.parametrize("repeat", [1, 3])
def test_both_engines_agree(repeat: int) -> None:
    program = wandering()
    ends = [
        Simulation(program, load_machine("wse3"), engine=engine).call([values(program)], repeat=repeat)
        for engine in ("flow", "wavelet")
    ]
    assert ends[0].outputs[0].tobytes() == ends[1].outputs[0].tobytes()
    assert ends[0].report.cycles.device == pytest.approx(ends[1].report.cycles.device, rel=0.01)


def test_words_wait_for_routers_on_their_way() -> None:
    """A PE in the middle that comes late to an epoch holds up words for those behind it."""
    program = wandering(height=1)
    (everyone,) = program.classes
    slow = Vector("fma", ints(1000), access("r", 0), (access("a", 0), 0.0))
    classes = []
    for x in range(WIDTH):
        body = everyone.body[:1] + ((slow,) if x == 2 else ()) + everyone.body[1:]
        classes.append(PEClass(f"pe{x}", rect(x, 0, 1, 1), body))
    machine = load_machine("tiny")
    late = Simulation(replace(program, classes=tuple(classes)), machine).call([values(program)]).report
    prompt = Simulation(program, machine).call([values(program)]).report
    assert late.cycles.makespan > prompt.cycles.makespan + 900
    assert late.per_pe["wait_switch"][0, 4] > 800 and late.per_pe["wait_switch"][0, 1] < 100


def test_a_late_router_is_named_in_a_deadlock() -> None:
    """PE 2 waits for a tile that nobody sends before it switches: all words that have to pass it wait."""
    program = wandering(height=1)
    (everyone,) = program.classes
    routes = [
        Route("never", rect(0, 0, 1, 1), "ramp", ("east",)),
        Route("never", rect(1, 0, 1, 1), "west", ("east",)),
    ]
    routes.append(Route("never", rect(2, 0, 1, 1), "west", ("ramp",)))
    waits = Receive("never", ints(WORDS), access("r", 1))
    classes = [
        PEClass("low", rect(0, 0, 2, 1), everyone.body),
        PEClass("middle", rect(2, 0, 1, 1), (waits, *everyone.body)),
        PEClass("high", rect(3, 0, 2, 1), everyone.body),
    ]
    stuck = replace(
        program,
        classes=tuple(classes),
        routes=(*program.routes, *routes),
        colours={**program.colours, "never": 1},
    )
    with pytest.raises(TargetError) as caught:
        Simulation(stuck, load_machine("tiny")).call([values(program)])
    text = str(caught.value)
    assert "deadlock" in text and "PE (2, 0) waits to receive colour 'never' from PE (0, 0)" in text
