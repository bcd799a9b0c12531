"""Random programs: data against a step-by-step execution, and times that respect what must hold of them.

A program is a global sequence of exchanges; each PE executes its part of it in that order, so no program can get
stuck, whatever the lengths and the queues' depths.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest
from fabric_programs import X, Y, access, ints, rect
from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import (
    Buffer,
    Direction,
    HostTransfer,
    Instruction,
    Join,
    PEClass,
    Phase,
    Program,
    Receive,
    Relay,
    Route,
    Send,
    TensorSpec,
    Vector,
)  # fmt: skip
from wse_mlir.wse_target.machine import load_machine
from wse_mlir.wse_target.sim import Simulation, simulate

SLOTS, LENGTH = 4, 40
DEEP = load_machine("tiny")
SHALLOW = DEEP.replace(queues__input=[1], queues__output=[1], fabric__router_words=1)
PEName = tuple[int, int]


@dataclass
class Colour:
    """One sender; the wavelets go east or west along its row and may turn into a column at their end."""

    name: str
    path: list[PEName]
    takers: list[PEName]


@dataclass
class Case:
    """A random program, and the memory that each PE must end with."""

    program: Program
    start: np.ndarray
    expected: np.ndarray
    kinds: dict[str, int] = field(default_factory=dict)


def random_colour(random: np.random.Generator, name: str, width: int, height: int) -> Colour:
    """A path that starts anywhere, goes along x, then along y."""
    x, y = int(random.integers(width)), int(random.integers(height))
    goal = int(random.integers(width)), int(random.integers(height))
    path = [(x, y)]
    while (x, y) != goal:
        x, y = (x + int(np.sign(goal[0] - x)), y) if x != goal[0] else (x, y + int(np.sign(goal[1] - y)))
        path.append((x, y))
    if len(path) == 1:
        path.append((x + 1, y) if x + 1 < width else (x - 1, y))
    takers = [pe for pe in path[1:-1] if random.random() < 0.4] + [path[-1]]
    return Colour(name, path, takers)


def routes(colour: Colour) -> list[Route]:
    towards: dict[PEName, Direction] = {(1, 0): "east", (-1, 0): "west", (0, 1): "south", (0, -1): "north"}
    back: dict[Direction, Direction] = {"east": "west", "west": "east", "south": "north", "north": "south"}
    found: list[Route] = []
    arrived: Direction = "ramp"
    for at, pe in enumerate(colour.path):
        sends: list[Direction] = ["ramp"] if pe in colour.takers else []
        if at + 1 < len(colour.path):
            following = colour.path[at + 1]
            step = towards[(following[0] - pe[0], following[1] - pe[1])]
            sends.append(step)
        found.append(Route(colour.name, rect(*pe, 1, 1), arrived, tuple(sends)))
        if at + 1 < len(colour.path):
            arrived = back[step]
    return found


def random_case(seed: int) -> Case:
    random = np.random.default_rng(seed)
    width, height = int(random.integers(2, 6)), int(random.integers(1, 5))
    colours = [random_colour(random, f"c{i}", width, height) for i in range(random.integers(1, 6))]
    start = random.normal(size=(height, width, SLOTS, LENGTH)).astype(np.float32)
    memory, kinds = (
        start.copy(),
        dict.fromkeys(("send", "relay", "receive", "thread", "long", "multicast"), 0),
    )
    bodies: dict[PEName, list[Instruction]] = {
        (x, y): [Phase("all")] for y in range(height) for x in range(width)
    }
    for _ in range(int(random.integers(1, 12))):
        _exchange(random, colours, memory, bodies, kinds)
        _compute(random, memory, bodies)
    where = rect(0, 0, width, height)
    spec = TensorSpec("m", start.shape, "f32")
    move = HostTransfer(0, where, ints(1, 1, SLOTS, LENGTH), ints(Y, X, 0, 0), access("m", 0, 0, LENGTH, 1))
    program = Program(
        "random", (width, height), (spec,), (spec,), {"m": Buffer("m", 8, (SLOTS, LENGTH), "f32")},
        tuple(PEClass(f"pe{x}_{y}", rect(x, y, 1, 1), tuple(body)) for (x, y), body in bodies.items()),
        {c.name: i for i, c in enumerate(colours)}, tuple(r for c in colours for r in routes(c)),
        scatters=(move,), gathers=(move,),
    )  # fmt: skip
    return Case(program, start, memory, kinds)


def slot(number: int):
    return access("m", 1, offset=LENGTH * number)


def _exchange(random, colours, memory, bodies, kinds) -> None:
    """One message from a sender to its takers, one of which may relay it on another colour."""
    colour = colours[random.integers(len(colours))]
    n = int(random.integers(1, LENGTH + 1))
    sx, sy = colour.path[0]
    source, thread = int(random.integers(SLOTS)), int(random.integers(2))
    data = memory[sy, sx, source, :n].copy()
    bodies[(sx, sy)].append(Send(colour.name, ints(n), slot(source), thread=thread))
    kinds["send"] += 1
    kinds["thread"] += thread
    kinds["long"] += n > DEEP.stream_capacity
    kinds["multicast"] += len(colour.takers) > 1
    _deliver(random, colours, colour, data, memory, bodies, kinds, {(sx, sy)})
    if thread:
        bodies[(sx, sy)].append(Join((thread,)))


def _deliver(random, colours, colour, data, memory, bodies, kinds, busy) -> None:
    n = len(data)
    busy = busy | set(colour.takers)
    for x, y in colour.takers:
        onwards = [c for c in colours if c.path[0] == (x, y) and not busy & set(c.takers) and c is not colour]
        if onwards and random.random() < 0.7:
            own, following = int(random.integers(SLOTS)), onwards[0]
            bodies[(x, y)].append(Relay(colour.name, following.name, ints(n), slot(own)))
            kinds["relay"] += 1
            _deliver(random, colours, following, data + memory[y, x, own, :n], memory, bodies, kinds, busy)
            busy |= set(following.takers)
            continue
        target, combine = int(random.integers(SLOTS)), ("store", "add", "max")[random.integers(3)]
        bodies[(x, y)].append(Receive(colour.name, ints(n), slot(target), combine))
        kinds["receive"] += 1
        place = memory[y, x, target]
        place[:n] = {"store": data, "add": place[:n] + data, "max": np.maximum(place[:n], data)}[combine]


def _compute(random, memory, bodies) -> None:
    """A vector operation of any length on some PE."""
    x, y = list(bodies)[random.integers(len(bodies))]
    a, b, n = int(random.integers(SLOTS)), int(random.integers(SLOTS)), int(random.integers(1, LENGTH + 1))
    bodies[(x, y)].append(Vector("mul", ints(n), slot(a), (slot(b), 0.5)))
    memory[y, x, a, :n] = memory[y, x, b, :n] * np.float32(0.5)


@pytest.mark.parametrize("first", range(0, 300, 50))
def test_data_match_and_time_is_sane(first: int) -> None:
    for seed in range(first, first + 50):
        case = random_case(seed)
        deep = simulate(case.program, DEEP, [case.start])
        assert deep.outputs[0].tobytes() == case.expected.tobytes(), seed
        shallow = simulate(case.program, SHALLOW, [case.start])
        assert shallow.outputs[0].tobytes() == case.expected.tobytes(), seed
        split = sum(deep.report.per_pe[name] for name in ("compute", "communication", "waiting"))
        np.testing.assert_allclose(split, deep.report.per_pe["total"], err_msg=str(seed))
        far = simulate(case.program, DEEP.replace(fabric__hop_latency=50.0), [], timing_only=True)
        if case.kinds["send"]:
            assert far.report.cycles.makespan > deep.report.cycles.makespan, seed


def test_the_generator_covers_what_it_should() -> None:
    totals = [random_case(seed).kinds for seed in range(300)]
    for kind in totals[0]:
        assert sum(t[kind] for t in totals) >= 50, kind


def test_calls_are_independent_in_time() -> None:
    for seed in range(20):
        case = random_case(seed)
        simulation = Simulation(case.program, DEEP)
        first, second = simulation.call([case.start]), simulation.call([case.start])
        assert first.outputs[0].tobytes() == second.outputs[0].tobytes()
        assert first.report.to_json(arrays=True) == second.report.to_json(arrays=True)


def test_a_program_that_lacks_any_one_send_never_passes_for_whole() -> None:
    for seed in range(40):
        case = random_case(seed)
        for index, pe_class in enumerate(case.program.classes):
            at = next((i for i, op in enumerate(pe_class.body) if isinstance(op, Send)), None)
            if at is None:
                continue
            classes = list(case.program.classes)
            body = pe_class.body[:at] + pe_class.body[at + 1 :]
            classes[index] = PEClass(pe_class.name, pe_class.where, body)
            program = Program(**{**vars(case.program), "classes": tuple(classes)})
            with pytest.raises(TargetError):
                simulate(program, DEEP, [case.start])
            break
