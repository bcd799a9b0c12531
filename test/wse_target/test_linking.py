"""Programs of disjoint rectangles as one: text, colours and memory of their own, and words from one to the next."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fabric_programs import X, Y, access, ints, rect

from wse_mlir.wse_target.analysis.deadlock import verdict
from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import HostTransfer, PEClass, Program, Route, TensorSpec
from wse_mlir.wse_target.instructions import Buffer, Loop, Phase, Receive, Send, Vector
from wse_mlir.wse_target.linking import Region, link
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import Lookup, Var
from wse_mlir.wse_target.sim import Simulation

MACHINE = load_machine("tiny")
TABLE = (3, 1, 2)


def sender(width: int, height: int, words: int) -> Program:
    """Argument 0, a block of it on each PE, is summed up along rows onto the last PE, which sends the sum out."""
    n, own, grid = ints(words), access("a", 1), (width, height)
    body = [
        PEClass(
            f"column{x}",
            rect(x, 0, 1, height),
            (
                Phase("sum"),
                *([Receive(f"hop{x - 1}", n, own, "add")] if x else []),
                Send(f"hop{x}" if x + 1 < width else "out", n, own),
            ),
        )
        for x in range(width)
    ]
    routes = [Route(f"hop{x}", rect(x, 0, 1, height), "ramp", ("east",)) for x in range(width - 1)]
    routes += [Route(f"hop{x - 1}", rect(x, 0, 1, height), "west", ("ramp",)) for x in range(1, width)]
    routes.append(Route("out", rect(width - 1, 0, 1, height), "ramp", ("east",)))
    colours = {f"hop{x}": x for x in range(width - 1)} | {"out": 9}
    given = HostTransfer(0, rect(0, 0, *grid), ints(1, 1, words), ints(Y, X, 0), access("a", 0, 0, 1))
    return Program(
        "sender", grid, (TensorSpec("a", (height, width, words), "f32"),), (),
        {"a": Buffer("a", 0, (words,), "f32")}, tuple(body), colours, tuple(routes), (given,),
        queues={"out": (3, 1)}, code_bytes={"column0": 10},
    )  # fmt: skip


def taker(width: int, height: int, words: int) -> Program:
    """What comes from the west is taken by all PEs, which multiply it x + 1 times by the entry of a table for x."""
    n = ints(words)
    factor = Vector("mul", n, access("a", 1), (access("a", 1), access("f", 0)))
    body = (
        Phase("scale"),
        Receive("in", n, access("a", 1)),
        Vector("copy", ints(1), access("f", 0), (access("t", 0, offset=Lookup("t", TABLE, X)),)),
        Loop("again", Var("x") + 1, (factor,)),
    )
    routes = [Route("in", rect(width - 1, 0, 1, height), "west", ("ramp",))]
    if width > 1:
        routes.append(Route("in", rect(0, 0, width - 1, height), "west", ("ramp", "east")))
    everywhere = rect(0, 0, width, height)
    taken = HostTransfer(0, everywhere, ints(1, 1, words), ints(Y, X, 0), access("a", 0, 0, 1))
    table = HostTransfer(1, everywhere, ints(4), ints(0), access("t", 1), resident=True)
    return Program(
        "taker", (width, height), (TensorSpec("in", (words,), "f32"), TensorSpec("t", (4,), "f32")),
        (TensorSpec("r", (height, width, words), "f32"),),
        {"a": Buffer("a", 64, (words,), "f32"), "f": Buffer("f", 0, (1,), "f32"), "t": Buffer("t", 16, (4,), "f32")},
        (PEClass("all", everywhere, body),), {"in": 9}, tuple(routes), (table,), (taken,), queues={"in": (2, 5)},
    )  # fmt: skip


def linked(widths: tuple[int, int], height: int, words: int, **changes: Program) -> Program:
    one, two = sender(widths[0], height, words), taker(widths[1], height, words)
    one, two = changes.get("one", one), changes.get("two", two)
    regions = [
        Region(one, (0, 0), (0,), (), {"out": "stream"}, {"sum": "first sum"}),
        Region(two, (widths[0], 0), (None, 1), ((0,),), {"in": "stream"}),
    ]
    arguments = (one.arguments[0], two.arguments[1])
    return link("both", (sum(widths), height), regions, arguments, two.results)


@pytest.mark.parametrize("engine", ["flow", "wavelet"])
@pytest.mark.parametrize(("widths", "height", "words"), [((1, 1), 1, 5), ((3, 3), 4, 7), ((4, 2), 3, 100)])
def test_regions_run_as_one_program(engine: str, widths: tuple[int, int], height: int, words: int) -> None:
    program = linked(widths, height, words)
    assert verdict(program, MACHINE).outcome == "free"
    a = np.random.default_rng(0).normal(size=(height, widths[0], words)).astype(np.float32)
    table = np.array([5, 2, 3, 7], np.float32)
    simulation = Simulation(program, MACHINE, engine=engine).load({1: table})  # type: ignore[arg-type]
    (result,) = simulation.call([a]).outputs
    total = a[:, 0]
    for x in range(1, widths[0]):
        total = a[:, x] + total
    for x in range(widths[1]):
        expected = total
        for _ in range(x + 1):
            expected = expected * table[TABLE[x]]
        np.testing.assert_array_equal(result[:, x], expected)


@pytest.mark.parametrize("engine", ["flow", "wavelet"])
def test_repetitions_follow_each_other_through_regions(engine: str) -> None:
    """The first region is at the next repetition while the second is busy with the one before."""
    program = linked((3, 3), 4, 200)

    def total(repeat: int) -> float:
        simulation = Simulation(program, MACHINE, engine=engine, timing_only=True)  # type: ignore[arg-type]
        return simulation.call([], repeat=repeat).report.cycles.total

    one, nine = total(1), total(9)
    assert nine < 9 * one * 0.8


def test_a_region_keeps_its_names_and_numbers_to_itself() -> None:
    program = linked((3, 2), 2, 5)
    assert program.colours == {"r0_hop0": 0, "r0_hop1": 1, "stream": 9}
    assert program.queues["stream"] == (2, 1)  # taken as the receiver does, sent as the sender does
    assert set(program.buffers) == {"r0_a", "r1_a", "r1_f", "r1_t"}
    assert [c.body[0] for c in program.classes][::3] == [Phase("first sum"), Phase("scale")]
    assert program.code_bytes == {"r0_column0": 10}
    assert [t.where.base for t in program.gathers] == [(3, 0)]


def test_a_receiver_that_wants_other_words_is_found() -> None:
    program = linked((2, 2), 2, 5, two=taker(2, 2, 6))
    assert verdict(program, MACHINE).outcome == "deadlocks"


def test_what_cannot_be_linked_is_refused() -> None:
    one, two = sender(2, 2, 5), taker(2, 2, 5)

    def made(origin: tuple[int, int], colour: int = 9) -> Program:
        regions = [
            Region(one, (0, 0), (0,), (), {"out": "stream"}),
            Region(replace(two, colours={"in": colour}), origin, (None, 1), ((0,),), {"in": "stream"}),
        ]
        return link("both", (4, 2), regions, (one.arguments[0], two.arguments[1]), two.results)

    made((2, 0))
    with pytest.raises(TargetError, match="regions 0 and 1 share PEs"):
        made((1, 0))
    with pytest.raises(TargetError, match=r"region 1 at .* leaves the grid of 4x2"):
        made((3, 0))
    with pytest.raises(TargetError, match="colour 'stream' has number 9 in one region and 8 in another"):
        made((2, 0), colour=8)


@pytest.mark.parametrize("engine", ["flow", "wavelet"])
@pytest.mark.parametrize(("widths", "words"), [((1, 1), 5), ((3, 2), 7), ((2, 3), 60)])
def test_inputs_follow_each_other(engine: str, widths: tuple[int, int], words: int) -> None:
    """Every input has the results of a call of its own, bit for bit, though several are under way."""
    program = linked(widths, 3, words)
    table = np.array([5, 2, 3, 7], np.float32)
    simulation = Simulation(program, MACHINE, engine=engine).load({1: table})  # type: ignore[arg-type]
    inputs = [
        np.random.default_rng(k).normal(size=(3, widths[0], words)).astype(np.float32) for k in range(5)
    ]
    streamed = simulation.stream([[array] for array in inputs])
    singles = [simulation.call([array]).outputs for array in inputs]
    assert len(streamed.outputs) == len(inputs)
    for one, other in zip(streamed.outputs, singles, strict=True):
        np.testing.assert_array_equal(one, other)
    first = simulation.call([inputs[0]]).report.cycles.total
    assert streamed.clocks.max() < 5 * first
    assert streamed.clocks[0].max() == first
