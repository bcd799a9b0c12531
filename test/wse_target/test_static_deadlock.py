"""The static verdict on deadlocks against what the simulator does, on programs with and without mistakes."""

from __future__ import annotations

from collections import Counter
from itertools import product

import numpy as np
import pytest
from fabric_programs import access, broadcast, chain_reduce, ints, rect, row_program
from mutations import mutate
from random_programs import RandomProgram, random_program

from wse_mlir.wse_target.analysis.deadlock import require_free, verdict
from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import PEClass, Program, Route
from wse_mlir.wse_target.instructions import Join, Receive, Send, Switch
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim import Simulation
from wse_mlir.wse_target.sim.engine import EngineName

MACHINE = load_machine("tiny")
CAPACITY = 8 + 8 + 2  # between neighbours


def completes(case: RandomProgram, engine: EngineName) -> bool:
    """Whether a program ends for all values of its scalars."""
    simulation = Simulation(case.program, case.machine, timing_only=True, engine=engine)
    names = [scalar.name for scalar in case.program.scalars]
    try:
        for values in product(*(range(s.least, s.most + 1) for s in case.program.scalars)):
            simulation.call([], scalars=dict(zip(names, values, strict=True)))
    except TargetError:
        return False
    return True


@pytest.fixture(scope="module")
def cases() -> list[tuple[RandomProgram, str]]:
    """1,000 programs, three quarters of them with a mistake that may or may not matter, and their verdicts."""
    found = []
    for seed in range(1000):
        case = random_program(seed, small=True)
        if seed % 4:
            case = mutate(case, np.random.default_rng(seed))
        found.append((case, verdict(case.program, case.machine).outcome))
    return found


@pytest.mark.parametrize(("engine", "share"), [("wavelet", 1), ("flow", 2)])
def test_verdicts_agree_with_what_happens(
    cases: list[tuple[RandomProgram, str]], engine: EngineName, share: int
) -> None:
    """The slower engine runs the first half of them."""
    counts = Counter((outcome, completes(case, engine)) for case, outcome in cases[: len(cases) // share])
    assert counts["free", False] == 0, "a program called free got stuck"
    assert counts["deadlocks", True] == 0, "a program called deadlocked came to its end"
    assert sum(n for (outcome, _), n in counts.items() if outcome == "undecided") <= 100 // share
    assert sum(n for (_, complete), n in counts.items() if not complete) >= 190 // share
    assert sum(n for (_, complete), n in counts.items() if complete) >= 400 // share


def pair(words: int, left: tuple, right: tuple, *, capacity: int = 0) -> Program:
    """Two PEs; colour "there" goes east, "back" goes west."""
    routes = [
        Route("there", rect(0, 0, 1, 1), "ramp", ("east",)), Route("there", rect(1, 0, 1, 1), "west", ("ramp",)),
        Route("back", rect(1, 0, 1, 1), "ramp", ("west",)), Route("back", rect(0, 0, 1, 1), "east", ("ramp",)),
    ]  # fmt: skip
    classes = [PEClass("left", rect(0, 0, 1, 1), left), PEClass("right", rect(1, 0, 1, 1), right)]
    return row_program(2, words, classes, routes, ["there", "back"], name="pair")


def send(colour: str, words: int, thread: int = 0) -> Send:
    return Send(colour, ints(words), access("a", 1), thread=thread)


def receive(colour: str, words: int, thread: int = 0) -> Receive:
    return Receive(colour, ints(words), access("r", 1), thread=thread)


def exchange(words: int) -> Program:
    """Both send before they receive."""
    return pair(
        words,
        (send("there", words), receive("back", words)),
        (send("back", words), receive("there", words)),
    )


def test_an_exchange_is_free_as_long_as_the_streams_hold_it() -> None:
    assert verdict(exchange(CAPACITY), MACHINE).outcome == "free"
    assert verdict(exchange(CAPACITY + 1), MACHINE).outcome == "deadlocks"


def test_the_cycle_is_named_as_the_simulator_names_it() -> None:
    with pytest.raises(TargetError) as found:
        require_free(exchange(100), MACHINE)
    text = str(found.value)
    assert "2 PEs wait, 2 of them in a cycle" in text
    assert "PE (0, 0) waits to send colour 'there' to PE (1, 0)" in text
    assert "PE (1, 0) waits to send colour 'back' to PE (0, 0)" in text


def test_microthreads_make_an_exchange_free() -> None:
    left = (send("there", 100, 1), receive("back", 100), Join((1,)))
    right = (send("back", 100, 1), receive("there", 100), Join((1,)))
    assert verdict(pair(100, left, right), MACHINE).outcome == "free"


def test_words_left_over_and_words_that_never_come() -> None:
    left_over = verdict(pair(4, (send("there", 4),), ()), MACHINE)
    assert left_over.outcome == "deadlocks" and "left over" in left_over.reason
    missing = verdict(pair(4, (), (receive("there", 4),)), MACHINE)
    assert missing.cycle == ("PE (1, 0) waits to receive colour 'there' from PE (0, 0), which has ended",)


def test_lengths_that_differ_are_named() -> None:
    found = verdict(pair(8, (send("there", 4),), (receive("there", 5),)), MACHINE)
    assert found.outcome == "deadlocks" and "takes 5 elements, but is sent 4" in found.reason


def test_a_switch_that_a_router_forgets() -> None:
    switch = Switch("there", ints(0)[0])
    both = verdict(pair(4, (switch, send("there", 4)), (switch, receive("there", 4))), MACHINE)
    assert both.outcome == "free"
    late = (receive("back", 4), switch, receive("there", 4))
    found = verdict(pair(4, (switch, send("there", 4)), late), MACHINE)
    assert found.outcome == "deadlocks"


def test_queues_that_colours_share_at_a_time_are_not_decided() -> None:
    left = (send("there", 4, 1), send("back", 4, 2), Join((1, 2)))
    routes = [
        Route(c, rect(0, 0, 1, 1), "ramp", ("east",)) for c in ("there", "back")
    ] + [Route(c, rect(1, 0, 1, 1), "west", ("ramp",)) for c in ("there", "back")]  # fmt: skip
    right = (receive("there", 4), receive("back", 4))
    classes = [PEClass("left", rect(0, 0, 1, 1), left), PEClass("right", rect(1, 0, 1, 1), right)]
    program = row_program(2, 4, classes, routes, ["there", "back"])
    assert verdict(program, MACHINE).outcome == "free"
    shared = Program(**{**vars(program), "queues": {"there": (0, 0), "back": (1, 0)}})
    found = verdict(shared, MACHINE)
    assert found.outcome == "undecided" and "share output queue 0" in found.reason


def test_a_bound_on_work_leaves_it_undecided() -> None:
    assert verdict(chain_reduce(64, 8), MACHINE, work=100).outcome == "undecided"


@pytest.mark.parametrize("program", [chain_reduce(512, 4096), broadcast(720, 100, 8)])
def test_large_collectives_are_free(program: Program) -> None:
    assert verdict(program, load_machine("wse2")).outcome == "free"
