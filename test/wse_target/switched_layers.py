"""Programs whose layers are trips of a loop, with routers that are switched in each of them."""

from __future__ import annotations

from dataclasses import replace

from fabric_programs import X, access, copy_own, ints, rect, row_program

from wse_mlir.wse_target.image import PEClass, Program, Route
from wse_mlir.wse_target.instructions import Control, Instruction, Loop, Phase, Receive, Send, Switch, Vector
from wse_mlir.wse_target.quasi_affine import Expr, Var, const, maximum, minimum

WIDTH = 6
EASTWARDS, WESTWARDS, AS_WELL = 0, 1, 2  # positions; the last two are alike
LAYER = Var("layer")


def routes(height: int) -> list[Route]:
    """The first PE of a row speaks to all others, or the last one does."""
    last, inner = WIDTH - 1, rect(1, 0, WIDTH - 2, height)
    first_pe, last_pe = rect(0, 0, 1, height), rect(last, 0, 1, height)
    return [
        Route("w", first_pe, "ramp", ("east",), EASTWARDS),
        Route("w", inner, "west", ("ramp", "east"), EASTWARDS),
        Route("w", last_pe, "west", ("ramp",), EASTWARDS),
        *(
            Route("w", where, takes, gives, position)
            for position in (WESTWARDS, AS_WELL)
            for where, takes, gives in (
                (last_pe, "ramp", ("west",)),
                (inner, "east", ("ramp", "west")),
                (first_pe, "east", ("ramp",)),
            )
        ),
    ]


def spoken(position: Expr | int, sends: Expr, words: int) -> list[Instruction]:
    """Routers are set, and one PE of a row (`sends` is 1 there) says something to all others."""
    return [
        Switch("w", const(position) if isinstance(position, int) else position, rewrite=True),
        Send("w", (sends * words,), access("a", 1)),
        Receive("w", ((const(1) - sends) * words,), access("r", 1), "add"),
    ]


def layers(trips: int, *, words: int = 8, work: int = 9, inner: int = 0, turning: bool = False) -> Program:
    """Layers in a loop: the first PE of a row speaks, then the last one does; afterwards the last one alone.

    Args:
        work: elements that a layer computes on.
        inner: trips of a loop inside of each layer, in which the first PE speaks once more.
        turning: the second position is another one in every other layer.
    """
    first = const(1) - minimum(X, 1)
    last = const(1) - minimum(maximum(const(WIDTH - 1) - X, 0), 1)
    back = LAYER % 2 + WESTWARDS if turning else WESTWARDS
    again = (
        Send("w", (first * words,), access("a", 1)),
        Receive("w", ((const(1) - first) * words,), access("r", 1), "add"),
    )
    layer = [
        Phase("there"),
        *spoken(EASTWARDS, first, words),
        *([Loop("again", const(inner), again)] if inner else []),
        Phase("back"),
        *spoken(back, last, words),
        Vector("mul", ints(work), access("r", 1), (access("r", 1), 0.5)),
        Control("task", X + 1),
    ]
    body = (
        copy_own(words),
        Loop("layer", const(trips), tuple(layer)),
        Phase("end"),
        *spoken(WESTWARDS, last, words),
    )
    classes = [
        PEClass("left", rect(0, 0, 2, 1), body),
        PEClass("right", rect(2, 0, WIDTH - 2, 1), body),
    ]
    return replace(row_program(WIDTH, words, classes, routes(1), ["w"]), positions={"w": -1})
