"""Numbers that the host sends at each call: values, ranges, time, memory, and the proof for all of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fabric_programs import X, access, broadcast, copy_own, ints, rect, row_program

from wse_mlir.wse_target.analysis.deadlock import verdict
from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import PEClass, Program, Route, ScalarSpec, TensorSpec
from wse_mlir.wse_target.instructions import Access, Choose, Control, Instruction, Loop, Receive, Send, Vector
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import Lookup, Scalar, Var, const, minimum
from wse_mlir.wse_target.scalars import SCALAR_BYTES, bound, representatives
from wse_mlir.wse_target.sim import Simulation
from wse_mlir.wse_target.sim.check import sram_use

TINY = load_machine("tiny")
LENGTH = Scalar("length")


def with_scalar(program: Program, least: int, most: int, name: str = "length") -> Program:
    position = len(program.arguments)
    return replace(
        program, arguments=(*program.arguments, TensorSpec(name, (), "i64")),
        scalars=(*program.scalars, ScalarSpec(name, position, least, most)),
    )  # fmt: skip


def row(*body: Instruction, width: int = 3, words: int = 8) -> Program:
    return row_program(width, words, [PEClass("all", rect(0, 0, width, 1), body)], [], [])


def call(program: Program, *scalars: int, engine: Any = "flow") -> np.ndarray:
    data = np.arange(24, dtype=np.float32).reshape(1, 3, 8)
    numbers = [np.array(s, np.int64) for s in scalars]
    return Simulation(program, TINY, engine=engine).call([data, *numbers]).outputs[0]


@pytest.mark.parametrize("engine", ["flow", "wavelet"])
def test_bounds_offsets_and_trips_are_those_of_the_call(engine: Any) -> None:
    """A part of a row that depends on the PE as well, added up as often as the host says."""
    part = minimum(LENGTH, 4) - minimum(X, 1)
    step = Vector(
        "add", (part,), access("r", 1, offset=LENGTH), (access("r", 1, offset=LENGTH), access("a", 1))
    )
    program = with_scalar(row(Loop("i", LENGTH - 1, (step,))), 1, 4)
    simulation = Simulation(program, TINY, engine=engine)
    assert simulation.call_arguments == (0, 1)
    data = np.arange(24, dtype=np.float32).reshape(1, 3, 8)
    expected = np.zeros((1, 3, 8), np.float32)
    for length in (3, 1, 4, 4, 2):  # memory stays from call to call
        got = simulation.call([data, np.array(length, np.int64)]).outputs[0]
        for x in range(3):
            count = min(length, 4) - min(x, 1)
            expected[0, x, length : length + count] += (length - 1) * data[0, x, :count]
        np.testing.assert_array_equal(got, expected)


def test_a_value_out_of_its_range_is_refused() -> None:
    program = with_scalar(row(Control("scalar", LENGTH)), 1, 4)
    for wrong in (0, 5):
        with pytest.raises(TargetError, match=rf"argument 'length' is {wrong}; the program is for 1 to 4"):
            call(program, wrong)
    timing = Simulation(program, TINY, timing_only=True)
    with pytest.raises(TargetError, match="argument 'length' is 7; the program is for 1 to 4"):
        timing.call([], scalars={"length": 7})
    with pytest.raises(TargetError, match="has no scalar 'depth'"):
        timing.call([], scalars={"depth": 1})


def test_time_without_data_is_that_of_the_greatest_value_unless_another_is_given() -> None:
    program = with_scalar(row(Control("task", LENGTH)), 1, 4)
    timing = Simulation(program, TINY, timing_only=True)
    cycles = [timing.call([], scalars=s).report.cycles.device for s in (None, {"length": 2}, {})]
    assert cycles == [4 * TINY.control.task, 2 * TINY.control.task, 4 * TINY.control.task]


def test_the_host_sends_a_word_and_every_pe_holds_it() -> None:
    plain = row(copy_own(8))
    program = with_scalar(plain, 0, 9)
    reports = [Simulation(p, TINY, timing_only=True).call([]).report for p in (plain, program)]
    more = reports[1].cycles.host_io - reports[0].cycles.host_io
    assert more == TINY.host.fixed_in + 1 / TINY.host.words_per_cycle_in
    assert sram_use(program, TINY).high_water - sram_use(plain, TINY).high_water == SCALAR_BYTES


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"scalars": (ScalarSpec("length", 7, 0, 1),)}, "scalar 'length' is argument 7, which the program does"),
        ({"scalars": (ScalarSpec("length", 0, 0, 1),)}, "is argument 'a' of 1x3x8xf32, which is no single"),
        ({"scalars": (ScalarSpec("length", 1, 2, 1),)}, "scalar 'length' has the range from 2 to 1, in which"),
        ({"scalars": (ScalarSpec("length", 1, 0, 1),) * 2}, "names a scalar twice: length, length"),
        ({"scalars": ()}, "class 'all' uses scalar 'length', which the program does not declare"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_refused_before_anything_runs(change: Any, message: str) -> None:
    program = replace(with_scalar(row(Control("scalar", LENGTH)), 0, 1), **change)
    with pytest.raises(TargetError, match=message):
        Simulation(program, TINY)


def test_tensors_do_not_move_with_scalars() -> None:
    program = with_scalar(row(copy_own(8)), 0, 1)
    move = replace(program.scatters[0], origin=(LENGTH, *program.scatters[0].origin[1:]))
    with pytest.raises(TargetError, match="a host transfer depends on scalar 'length'"):
        Simulation(replace(program, scatters=(move,)), TINY)


def test_text_without_scalars_is_shared() -> None:
    program = with_scalar(
        row(copy_own(8), Loop("i", LENGTH, (copy_own(4), Control("scalar", Var("i"))))), 0, 9
    )
    first, loop = bound(program, {"length": 3}).classes[0].body
    assert first is program.classes[0].body[0]
    assert isinstance(loop, Loop) and loop.trips == const(3)
    assert loop.body is program.classes[0].body[1].body  # type: ignore[union-attr]
    assert bound(broadcast(3, 4), {}) == broadcast(3, 4)


def exchange(words: Any, count: Any = 8) -> Program:
    """PE 0 and PE 1 both send before they receive: it ends only as long as the words find places on the way."""
    routes = [
        Route("there", rect(0, 0, 1, 1), "ramp", ("east",)), Route("there", rect(1, 0, 1, 1), "west", ("ramp",)),
        Route("back", rect(1, 0, 1, 1), "ramp", ("west",)), Route("back", rect(0, 0, 1, 1), "east", ("ramp",)),
    ]  # fmt: skip
    classes = []
    for x, (ours, theirs) in enumerate((("there", "back"), ("back", "there"))):
        body = Send(ours, ints(words), access("a", 1)), Receive(theirs, ints(count), access("r", 1))
        classes.append(PEClass(f"pe{x}", rect(x, 0, 1, 1), body))
    return row_program(2, 32, classes, routes, ["there", "back"])


def test_a_program_is_free_when_it_is_for_all_values() -> None:
    assert verdict(with_scalar(exchange(LENGTH, LENGTH), 1, 18), TINY).outcome == "free"
    found = verdict(with_scalar(exchange(LENGTH, LENGTH), 1, 19), TINY)
    assert found.outcome == "deadlocks" and "(for length = 19)" in found.reason
    between = exchange(minimum(LENGTH % 7, 5) + 4, minimum(LENGTH % 7, 6) + 4)
    found = verdict(with_scalar(between, 0, 20), TINY)
    assert found.outcome == "deadlocks" and "(for length = 6)" in found.reason, (
        "not the least, not the greatest"
    )


def test_a_choice_of_roles_by_a_scalar_is_looked_at_case_by_case() -> None:
    program = exchange(4, 4)
    left = replace(program.classes[0], body=(Choose(LENGTH, ((), program.classes[0].body)),))
    program = with_scalar(replace(program, classes=(left, program.classes[1])), 0, 1)
    assert verdict(program, TINY).outcome == "deadlocks"
    assert verdict(replace(program, scalars=(replace(program.scalars[0], least=1),)), TINY).outcome == "free"


def test_too_many_ways_are_left_undecided() -> None:
    """What nobody waits for makes no difference; blocks of 128 of 4,096 positions are 33 values, each position one."""
    silent = with_scalar(row(Loop("i", LENGTH, (copy_own(4),))), 0, 10**9)
    assert verdict(silent, TINY).outcome == "free"
    blocks = (LENGTH + 127) // 128
    program = with_scalar(exchange(minimum(blocks, 8), minimum(blocks, 8)), 0, 4096)
    assert representatives(program, 64) == [{"length": n} for n in (0, *range(1, 1024, 128))]
    assert verdict(program, TINY).outcome == "free"
    every = with_scalar(exchange(LENGTH % 9, LENGTH % 9), 0, 4096)
    assert len(representatives(every, 64) or ()) == 9
    each = with_scalar(exchange(minimum(LENGTH - X * 0 - Var("x"), 8), 8), 0, 4096)
    found = verdict(each, TINY)
    assert found.outcome == "undecided" and "in more than 64 ways" in found.reason
    table = Lookup("t", tuple(range(9)), LENGTH % 9)
    assert len(representatives(with_scalar(exchange(table, table), 0, 4096), 64) or ()) == 9


def test_scalars_in_accesses_by_index() -> None:
    from wse_mlir.wse_target.instructions import Buffer, Index

    index = Index(access("n", 0), 1, LENGTH, LENGTH - 1, partial=True)
    move = Vector("copy", ints(1), access("r", 0), (Access("a", const(0), (0,), (index,)),))
    fill = Vector("fill", ints(1), access("n", 0), (2,))
    program = row(fill, move)
    program = replace(program, buffers={**program.buffers, "n": Buffer("n", 256, (1,), "i32")})
    got = call(with_scalar(program, 1, 4), 2)
    np.testing.assert_array_equal(got[0, :, 0], [1, 9, 17])
