"""Equal stretches of fragments become loops that compute the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from math import prod

import numpy as np
import pytest
from collective_programs import program_of
from fabric_programs import access, ints, rect

from wse_mlir.passes.wafer.algorithms.collectives import turning
from wse_mlir.passes.wafer.algorithms.collectives.turning import Turning
from wse_mlir.passes.wafer.algorithms.fragment import Fragment, Line, RectangleText, TileWalk, sequence
from wse_mlir.passes.wafer.emit import rolling
from wse_mlir.passes.wafer.emit.repeats import Repeat, repeats
from wse_mlir.passes.wafer.emit.rolling import Rolled, fold
from wse_mlir.wse_target.analysis.deadlock import verdict
from wse_mlir.wse_target.image import HostTransfer, PEClass, Program, Route, TensorSpec
from wse_mlir.wse_target.instructions import (
    Access,
    Buffer,
    Index,
    Instruction,
    Loop,
    Phase,
    Receive,
    Send,
    Source,
    Switch,
    Vector,
)
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import Var, const, maximum, minimum
from wse_mlir.wse_target.sim import Simulation
from wse_mlir.wse_target.sim.engine import EngineName

TINY, N, LAYERS = load_machine("tiny"), 3, 5
HERE = rect(0, 0, 1, 1)


@pytest.fixture(autouse=True)
def every_byte_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rolling, "LEAST_SAVED", 1)


def step(kind: str, into: str, *sources: str | float | Access) -> Fragment:
    found = tuple(access(s, 1) if isinstance(s, str) else s for s in sources)
    return one(Vector(kind, ints(N), access(into, 1), found, Source(f"net.{into}", "model.py:3", "aten.op")))


def one(op: Instruction) -> Fragment:
    return Fragment((RectangleText(HERE, (op,)),))


def layers(body: Callable[[int], Sequence[Fragment]], count: int = LAYERS) -> list[Fragment]:
    return [f for t in range(count) for f in (one(Phase(f"layer {t}", Source(f"net.{t}"))), *body(t))]


class Case:
    """Fragments on one PE, with vectors that the host brings and takes by name."""

    def __init__(
        self,
        fragments: Sequence[Fragment],
        inputs: str,
        results: str,
        resident: str = "",
        whole: str = "",
        **sizes: int,
    ) -> None:
        names = {a.buffer for f in fragments for p in f.parts for op in p.body for a in _accesses(op)}
        names |= {*inputs.split(), *results.split(), *resident.split()}
        self.whole = whole.split()
        self.sizes = {name: sizes.get(name, N) for name in sorted(names)}
        buffers = {n: Buffer(n, -1, (s,), self.dtype(n)) for n, s in self.sizes.items()}
        self.inputs, self.results = [*inputs.split(), *resident.split()], results.split()
        scatters = [self._moved(i, n, n in resident.split()) for i, n in enumerate(self.inputs)]
        gathers = [self._moved(i, n, False) for i, n in enumerate(self.results)]
        self.rolled = Rolled((1, 1), list(fragments), dict(buffers), scatters, gathers)

    def dtype(self, name: str) -> str:
        return "i32" if name in self.whole else "f32"

    def _moved(self, tensor: int, name: str, resident: bool) -> HostTransfer:
        return HostTransfer(
            tensor, HERE, ints(self.sizes[name]), (const(0),), access(name, 1), resident=resident
        )

    def program(self) -> Program:
        buffers, offset = {}, 0
        for name, buffer in self.rolled.buffers.items():
            buffers[name] = replace(buffer, offset=offset)
            offset += 4 * prod(buffer.shape)
        parts = sequence(self.rolled.fragments, (1, 1)).parts
        arguments, results = (
            tuple(TensorSpec(n, (self.sizes[n],), self.dtype(n)) for n in names)
            for names in (self.inputs, self.results)
        )
        classes = tuple(PEClass("all", part.where, fold(part.body)) for part in parts)
        scatters, gathers = tuple(self.rolled.scatters), tuple(self.rolled.gathers)
        return Program("p", (1, 1), arguments, results, buffers, classes, scatters=scatters, gathers=gathers)

    def run(self) -> list[np.ndarray]:
        """Results of two calls with different inputs; what is resident is loaded once."""
        simulation, found = Simulation(self.program(), TINY), []
        values = {n: 1 + np.arange(s, dtype=np.float32) + i for i, (n, s) in enumerate(self.sizes.items())}
        values |= {n: np.roll(np.arange(N, dtype=np.int32), i) for i, n in enumerate(self.whole)}
        called = simulation.call_arguments
        simulation.load({i: values[n] for i, n in enumerate(self.inputs) if i not in called})
        for scale in (1.0, 0.5):
            given = [np.float32(scale) * values[self.inputs[i]] for i in called]
            found += simulation.call(given).outputs
        return found


def _accesses(op: Instruction) -> list[Access]:
    return [op.dst, *(s for s in op.srcs if isinstance(s, Access))] if isinstance(op, Vector) else []


def check(case: Case, loops: int = 1) -> Case:
    expected = case.run()
    assert case.rolled.roll() == loops
    for a, b in zip(expected, case.run(), strict=True):
        np.testing.assert_array_equal(a, b)
    return case


def test_weights_pile_up_and_what_is_handed_on_stays_in_place() -> None:
    case = check(
        Case(
            layers(lambda t: [step("mul", f"c{t}", f"r{t}", f"w{t}"), step("max", f"r{t + 1}", f"c{t}", 0.5)]),
            "r0", f"r{LAYERS}", " ".join(f"w{t}" for t in range(LAYERS)),
        )
    )  # fmt: skip
    assert {name: b.shape for name, b in case.rolled.buffers.items()} == {
        "c0": (N,), "r0": (N,), "w0": (LAYERS, N),
    }  # fmt: skip
    assert case.rolled.of_trips == {"c0"}
    (first, loop) = case.program().classes[0].body
    assert isinstance(first, Phase) and isinstance(loop, Loop) and first.name == f"layer 0-{LAYERS - 1}"
    assert isinstance(loop.body[1], Vector) and loop.body[1].source.module_path == f"net.c0-{LAYERS - 1}"
    assert loop.body[1].source.location == "model.py:3"


def test_a_loop_may_begin_within_a_phase() -> None:
    """What is in front of all ends as layers do, but for the last one: its end is cycles of the layer before."""
    found = [one(Phase("front")), step("neg", "r0", "x")]
    for t in range(LAYERS):
        found += [
            step("mul", f"n{t}", f"r{t}", 0.5),
            one(Phase(f"layer {t}")),
            step("max", f"r{t + 1}", f"n{t}", 1.0),
        ]
    case = check(Case([*found, step("add", "y", f"r{LAYERS}", 3.0)], "x", "y"))
    (loop,) = (op for op in case.program().classes[0].body if isinstance(op, Loop))
    assert loop.trips == const(LAYERS)
    assert [type(op) for op in loop.body] == [Phase, Vector, Phase, Vector]
    assert [op.name for op in loop.body if isinstance(op, Phase)] == [f"layer 0-{LAYERS - 1}"] * 2


def test_what_is_read_after_the_next_one_is_written_takes_turns() -> None:
    body = layers(lambda t: [step("add", f"r{t + 1}", f"r{t}", 1.0), step("add", "sum", "sum", f"r{t}")])
    case = check(Case(body, "r0 sum", f"r{LAYERS} sum"))
    assert case.rolled.buffers["r0"].shape == (2, N)


def test_what_two_trips_later_reads_has_three_places() -> None:
    body = layers(lambda t: [step("add", f"r{t + 2}", f"r{t}", f"r{t + 1}")])
    case = check(Case(body, "r0 r1", f"r{LAYERS + 1}"))
    assert case.rolled.buffers["r0"].shape == (3, N)


@pytest.mark.parametrize("kept", ["taken", "read behind", "resident", "read again"])
def test_what_others_need_has_a_place_of_its_own(kept: str) -> None:
    body = layers(lambda t: [step("mul", f"r{t + 1}", f"r{t}", 2.0)])
    inputs, results, resident = "r0", f"r{LAYERS}", ""
    if kept == "taken":
        results += " r2"
    elif kept == "resident":
        inputs, resident = "", "r0"
    else:
        read = "r0" if kept == "read again" else "r3"
        body.append(step("add", "z", read, 1.0))
        results += " z"
    case = check(Case(body, inputs, results, resident))
    assert case.rolled.buffers["r0"].shape == (LAYERS + 1, N)


def test_each_trip_brings_something_in_and_takes_something_out() -> None:
    every = range(LAYERS)
    case = Case(
        layers(lambda t: [step("add", f"y{t}", f"x{t}", 1.0)]),
        " ".join(f"x{t}" for t in every), " ".join(f"y{t}" for t in every),
    )  # fmt: skip
    check(case)
    assert {b.shape for b in case.rolled.buffers.values()} == {(LAYERS, N)} and not case.rolled.of_trips


def test_steps_of_a_recurrence_walk_over_their_inputs() -> None:
    def body(t: int) -> list[Fragment]:
        x, y = access("x", 1, offset=N * t), access("y", 1, offset=N * (LAYERS - 1 - t))
        into = Vector("mul", ints(N), y, (access(f"h{t + 1}", 1), 3.0))
        return [step("add", f"h{t + 1}", f"h{t}", x), one(into)]

    case = check(Case(layers(body), "h0 x", f"h{LAYERS} y", x=N * LAYERS, y=N * LAYERS))
    assert case.rolled.buffers["h0"].shape == (2, N)


def test_lengths_that_are_nothing_of_an_empty_piece_move_with_the_loop() -> None:
    """A row is on one PE: as many of its elements as there are, times whether it has the row."""

    def body(t: int) -> list[Fragment]:
        here = minimum(1, maximum(Var("x") + (3 - t), 0))
        held = minimum(N, Var("x") + (t + 1)) * here
        y = access("y", 1)
        return [one(Vector("add", (held,), y, (y, access(f"x{t}", 1))))]

    names = " ".join(f"x{t}" for t in range(LAYERS))
    check(Case(layers(body), f"y {names}", "y"))


def test_numbers_that_say_where_are_stacked_too() -> None:
    """Each layer gathers from what was handed on by its own permutation."""

    def body(t: int) -> list[Fragment]:
        index = Index(access(f"i{t}", 1), 1, const(N), const(0))
        gathered = Vector(
            "copy", ints(N), access(f"r{t + 1}", 1), (replace(access(f"r{t}", 0), indices=(index,)),)
        )
        return [one(gathered)]

    numbers = " ".join(f"i{t}" for t in range(LAYERS))
    case = check(Case(layers(body), "r0", f"r{LAYERS}", numbers, numbers))
    assert case.rolled.buffers["i0"].shape == (LAYERS, N)


@pytest.mark.parametrize(("why", "loops"), [("offsets", 1), ("numbers", 0), ("one place for two", 1)])
def test_only_what_follows_a_rule_is_a_loop(why: str, loops: int) -> None:
    """Two trips always do where addresses alone differ; three with places in turn when nothing else is in them."""

    def body(t: int) -> list[Fragment]:
        x = access("x", 1, offset=t * t if why == "offsets" else 0)
        number = float(t) if why == "numbers" else 2.0
        into = f"h{t + 1}" if why != "one place for two" else f"h{(t + 1) % 3}"
        return [step("fma", into, x, number)]

    fragments = layers(body, 4)
    names = " ".join(f"h{t}" for t in range(5 if why != "one place for two" else 3))
    check(Case(fragments, f"x {names}", names, x=N + 10), loops)


def test_stretches_apart_become_loops_of_their_own() -> None:
    first = layers(lambda t: [step("mul", f"a{t + 1}", f"a{t}", 2.0)])
    second = layers(lambda t: [step("max", f"b{t + 1}", f"b{t}", 3.0), step("add", "s", "s", f"b{t + 1}")])
    middle = [one(Phase("middle")), step("neg", "b0", f"a{LAYERS}")]
    check(Case([*first, *middle, *second], "a0 s", f"b{LAYERS} s"), loops=2)


def _sending(prefix: str, switch: str) -> list[Fragment]:
    """The left PE sends to the right one."""
    colour, (left, right) = f"{prefix}c", (rect(0, 0, 1, 1), rect(1, 0, 1, 1))
    n, b = ints(N), access("b", 1)
    routes = Route(colour, left, "ramp", ("east",)), Route(colour, right, "west", ("ramp",))
    parts = RectangleText(left, (Send(colour, n, b),)), RectangleText(right, (Receive(colour, n, b, "add"),))
    turn = (Switch(colour, const(0), rewrite=True),)
    before, after = (turn if switch == when else () for when in ("before", "after"))
    parts = tuple(RectangleText(p.where, (*before, *p.body, *after)) for p in parts)
    return [one(Phase(prefix)), Fragment(parts, (), (colour,), routes)]


@pytest.mark.parametrize("switch", ["never", "before", "after"])
def test_equal_layers_have_one_colour_unless_they_leave_it_switched(switch: str) -> None:
    """What a layer does before it switches finds the routers as the layer before left them."""
    fragments = [f for t in range(4) for f in _sending(f"p{t}", switch)]
    rolled = Rolled((2, 1), fragments, {"b": Buffer("b", 0, (N,), "f32")}, [], [])
    assert rolled.roll() == (0 if switch == "after" else 1)
    whole = sequence(rolled.fragments, (2, 1))
    classes = tuple(PEClass(f"c{i}", p.where, fold(p.body)) for i, p in enumerate(whole.parts))
    assert len(whole.colours) == (4 if switch == "after" else 1)
    colours = {name: number for number, name in enumerate(whole.colours)}
    program = Program("p", (2, 1), (), (), rolled.buffers, classes, colours, whole.routes)
    assert verdict(program, TINY).outcome == "free"


@pytest.mark.parametrize("engine", ["flow", "wavelet"])
def test_layers_turn_to_the_same_root_each(engine: EngineName) -> None:
    """Each PE adds what the third one of its row has, and doubles it; four times."""
    grid, n, machine = (4, 1), ints(N), TINY
    everywhere = rect(0, 0, *grid)
    made = []
    for t in range(4):
        made.append(Fragment((RectangleText(everywhere, (Phase(f"layer {t}"),)),)))
        own, got = (TileWalk(access(name, 1), n, "f32") for name in (f"a{t}", f"t{t}"))
        made.append(turning.build(Line("x", grid), Turning(const(2), own, got), machine, f"c{t}_"))
        both = (access(f"a{t}", 1), access(f"t{t}", 1))
        made.append(Fragment((RectangleText(everywhere, (Vector("add", n, access(f"a{t + 1}", 1), both),)),)))
    listed = [(f"{letter}{t}", N, "f32") for letter, count in (("a", 5), ("t", 4)) for t in range(count)]
    plain = program_of(sequence(made, grid), grid, listed, inputs=["a0"], outputs=["a4"])
    rolled = Rolled(grid, made, dict(plain.buffers), list(plain.scatters), list(plain.gathers))
    assert rolled.roll() == 1
    whole = sequence(rolled.fragments, grid)
    program = replace(
        plain,
        buffers=rolled.buffers,
        classes=tuple(PEClass(f"c{i}", p.where, fold(p.body)) for i, p in enumerate(whole.parts)),
        colours={name: number for number, name in enumerate(whole.colours)},
        routes=whole.routes,
        positions=dict(whole.positions),
        scatters=tuple(rolled.scatters),
        gathers=tuple(rolled.gathers),
    )
    assert len(program.colours) == 1 and verdict(program, machine).outcome == "free"
    a = np.arange(4 * N, dtype=np.float32).reshape(1, 4, N)
    found, expected = (Simulation(p, machine, engine=engine).call([a]) for p in (program, plain))
    np.testing.assert_array_equal(found.outputs[0], expected.outputs[0])
    np.testing.assert_array_equal(found.outputs[0], a + 15 * a[:, 2:3])


def test_repeats_are_found_with_what_they_save() -> None:
    found = repeats([9, 1, 2, 1, 2, 1, 2, 8], [1, 5, 7, 5, 7, 5, 7, 1], [True] * 8)
    assert found[0] == (24, Repeat(1, 2, 3))
    assert Repeat(2, 2, 2) in [repeat for _, repeat in found]
    assert repeats([1, 2, 3], [1, 1, 1], [True] * 3) == []
    assert repeats([1, 1, 1, 1], [4] * 4, [False] * 4) == []
