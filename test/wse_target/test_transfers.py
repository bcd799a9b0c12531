"""Streams: contention, back-pressure, microthreads, and what happens when a program is wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fabric_programs import (
    access,
    broadcast,
    chain_reduce,
    copy_own,
    ints,
    rect,
    row_program,
    textbook_machine,
    values,
)  # fmt: skip

from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import PEClass, Program, Route
from wse_mlir.wse_target.instructions import Instruction, Join, Receive, Relay, Send, Source, Vector
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim import simulate

MACHINE = textbook_machine(16)


def without(program: Program, kind: type) -> Program:
    """The program less the first instruction of a kind in the first class that has one."""
    classes = list(program.classes)
    for index, pe_class in enumerate(classes):
        body = list(pe_class.body)
        at = next((i for i, op in enumerate(body) if isinstance(op, kind)), None)
        if at is not None:
            del body[at]
            classes[index] = replace(pe_class, body=tuple(body))
            return replace(program, classes=tuple(classes))
    raise AssertionError(f"no {kind.__name__} in the program")


def pair(words: int, left: tuple[Instruction, ...], right: tuple[Instruction, ...]) -> Program:
    """Two PEs that send to each other on "there" and "back"."""
    routes = [
        Route("there", rect(0, 0, 1, 1), "ramp", ("east",)), Route("there", rect(1, 0, 1, 1), "west", ("ramp",)),
        Route("back", rect(1, 0, 1, 1), "ramp", ("west",)), Route("back", rect(0, 0, 1, 1), "east", ("ramp",)),
    ]  # fmt: skip
    classes = [PEClass("left", rect(0, 0, 1, 1), left), PEClass("right", rect(1, 0, 1, 1), right)]
    return row_program(2, words, classes, routes, ["there", "back"])


def exchange(words: int, thread: int) -> Program:
    """Both PEs send first and receive afterwards."""

    def body(out: str, into: str) -> tuple[Instruction, ...]:
        send = Send(out, ints(words), access("a", 1), thread=thread)
        joined = (Join((thread,)),) if thread else ()
        return (send, Receive(into, ints(words), access("r", 1)), *joined)

    return pair(words, body("there", "back"), body("back", "there"))


def test_two_short_sends_at_each_other_complete() -> None:
    program = exchange(MACHINE.stream_capacity, thread=0)
    a = values(program)
    np.testing.assert_array_equal(simulate(program, MACHINE, [a]).outputs[0], a[:, ::-1])


def test_two_long_sends_at_each_other_deadlock_and_the_cycle_is_named() -> None:
    program = exchange(MACHINE.stream_capacity + 1, thread=0)
    with pytest.raises(TargetError) as caught:
        simulate(program, MACHINE, [values(program)])
    text = str(caught.value)
    assert "deadlock: 2 PEs wait, 2 of them in a cycle" in text
    assert "PE (0, 0) waits to send colour 'there' to PE (1, 0)" in text
    assert "PE (1, 0) waits to send colour 'back' to PE (0, 0)" in text


def test_microthreads_break_that_deadlock() -> None:
    program = exchange(1000, thread=1)
    a = values(program)
    np.testing.assert_array_equal(simulate(program, MACHINE, [a]).outputs[0], a[:, ::-1])


@pytest.mark.parametrize("make", [broadcast, chain_reduce])
def test_a_missing_send_is_a_deadlock(make) -> None:
    program = make(4, 8)
    with pytest.raises(TargetError, match=r"waits to receive colour .* from PE \(., 0\), which has ended"):
        simulate(without(program, Send), MACHINE, [values(program)])


def test_a_missing_receive_leaves_words_over() -> None:
    program = broadcast(4, 8)
    with pytest.raises(TargetError, match=r"words of colour 'b' that PE \(0, 0\) sent and PE \(1, 0\)"):
        simulate(without(program, Receive), MACHINE, [values(program)])


def test_a_missing_vector_operation_changes_result_and_cycles() -> None:
    program = chain_reduce(4, 8)
    a = values(program)
    machine = load_machine("tiny")
    whole, less = simulate(program, machine, [a]), simulate(without(program, Vector), machine, [a])
    assert not np.array_equal(whole.outputs[0], less.outputs[0])
    assert whole.report.cycles.device > less.report.cycles.device


def test_a_shifted_buffer_is_spoilt() -> None:
    program = broadcast(4, 8)
    a = values(program)
    # "r" of a leaf now lies over "a": the root's own copy starts from the wrong place.
    buffers = program.buffers | {"r": replace(program.buffers["r"], offset=program.buffers["a"].offset + 4)}
    spoilt = simulate(replace(program, buffers=buffers), MACHINE, [a]).outputs[0]
    assert not np.array_equal(spoilt, simulate(program, MACHINE, [a]).outputs[0])


def test_lengths_must_agree() -> None:
    send, take = Send("there", ints(8), access("a", 1)), Receive("there", ints(7), access("r", 1))
    with pytest.raises(
        TargetError, match=r"PE \(1, 0\) receives 7 elements of colour 'there', but PE \(0, 0\) sends 8"
    ):
        program = pair(8, (send,), (take,))
        simulate(program, MACHINE, [values(program)])


def test_a_receive_needs_a_route() -> None:
    program = pair(8, (Receive("there", ints(8), access("r", 1)),), ())
    with pytest.raises(TargetError, match=r"PE \(0, 0\) receives colour 'there', for which no route"):
        simulate(program, MACHINE, [values(program)])


def test_wavelets_may_not_leave_the_routes() -> None:
    routes = [
        Route("c", rect(0, 0, 1, 1), "ramp", ("east",)),
        Route("c", rect(1, 0, 1, 1), "west", ("ramp", "east")),
    ]
    bodies = (Send("c", ints(4), access("a", 1)),), (Receive("c", ints(4), access("r", 1)),)
    classes = [PEClass(f"pe{i}", rect(i, 0, 1, 1), body) for i, body in enumerate(bodies)]
    program = row_program(2, 4, classes, routes, ["c"])
    with pytest.raises(TargetError, match=r"go east from PE \(1, 0\), where no router takes them"):
        simulate(program, MACHINE, [values(program)])


def test_a_router_takes_a_colour_from_one_side() -> None:
    program = broadcast(4, 4)
    twice = replace(program, routes=(*program.routes, Route("b", rect(1, 0, 1, 1), "east", ("ramp",))))
    with pytest.raises(TargetError, match=r"two routes at the router of PE \(1, 0\)"):
        simulate(twice, MACHINE, [values(program)])


def test_an_access_beyond_its_buffer_is_refused() -> None:
    source = Source("fc1", "model.py:3")
    program = pair(8, (Vector("copy", ints(8), access("r", 1), (access("a", 1, offset=1),), source),), ())
    with pytest.raises(
        TargetError, match=r"fc1 \(model.py:3\), PE \(0, 0\): elements 1 to 8 of buffer 'a' .* which has 8"
    ):
        simulate(program, MACHINE, [values(program)])


def crossing(words: int, colours: tuple[str, str]) -> float:
    """Cycles until PE 2 has received from PE 0 and PE 1, whose streams share the link into PE 2."""
    first, second = colours
    routes = [
        Route(first, rect(0, 0, 1, 1), "ramp", ("east",)), Route(first, rect(1, 0, 1, 1), "west", ("east",)),
        Route(first, rect(2, 0, 1, 1), "west", ("ramp",)),
        Route(second, rect(1, 0, 1, 1), "ramp", ("east",)), Route(second, rect(2, 0, 1, 1), "west", ("ramp",)),
    ]  # fmt: skip
    n = ints(words)
    takes = (
        Receive(first, n, access("a", 1), thread=1), Receive(second, n, access("r", 1), thread=2), Join((1, 2)),
    )  # fmt: skip
    bodies = (Send(first, n, access("a", 1)),), (Send(second, n, access("a", 1)),), takes
    classes = [PEClass(f"pe{i}", rect(i, 0, 1, 1), body) for i, body in enumerate(bodies)]
    program = row_program(3, words, classes, routes, [first, second])
    return simulate(program, MACHINE, [], timing_only=True).report.cycles.makespan


def test_streams_that_meet_share_the_link() -> None:
    alone = simulate(broadcast(3, 1000), MACHINE, [], timing_only=True).report.cycles.makespan
    assert crossing(1000, ("one", "two")) == pytest.approx(alone + 1000, rel=0.01)


def test_a_microthread_overlaps_compute() -> None:
    work = Vector("fma", ints(500, 8), access("r", 0, 1), (access("a", 0, 1), 2.0))

    def cycles(thread: int) -> float:
        send = Send("there", ints(1000), access("a", 1), thread=thread)
        take = Receive("there", ints(1000), access("r", 1))
        joined = (Join((thread,)),) if thread else ()
        program = pair(1000, (send, work, *joined), (take,))
        return simulate(program, MACHINE, [], timing_only=True).report.cycles.makespan

    # 500 trips of 8 elements at 1 a cycle, and 499 cycles between trips; 1000 words.
    assert cycles(0) == pytest.approx(4499 + 1000, rel=0.01)
    assert cycles(1) == pytest.approx(4499, rel=0.01)


def test_a_late_receiver_holds_up_a_long_send_but_not_a_short_one() -> None:
    wait = Vector("fma", ints(1000, 1), access("r", 0, 1), (access("a", 0, 1), 2.0))

    def sender(words: int) -> float:
        program = pair(
            words,
            (Send("there", ints(words), access("a", 1)),),
            (wait, Receive("there", ints(words), access("r", 1))),
        )
        return simulate(program, MACHINE, [], timing_only=True).report.per_pe["total"][0, 0]

    late = 1000 + 999
    assert sender(10) == 10
    assert sender(100) == pytest.approx(late + 100 - MACHINE.stream_capacity, abs=10)


def test_a_queue_of_small_messages_fills_up_too() -> None:
    """Many short sends are held up as one long one is: the receiver takes nothing for a long time."""
    wait = Vector("fma", ints(1000, 1), access("r", 0, 1), (access("a", 0, 1), 2.0))
    sends = tuple(Send("there", ints(4), access("a", 1)) for _ in range(10))
    takes = tuple(Receive("there", ints(4), access("r", 1)) for _ in range(10))
    program = pair(4, sends, (wait, *takes))
    total = simulate(program, MACHINE, [], timing_only=True).report.per_pe["total"][0, 0]
    assert total == pytest.approx(1999 + 40 - MACHINE.stream_capacity, abs=10)


def test_half_precision_packs_two_elements_a_wavelet() -> None:
    machine = load_machine("tiny").replace(grid__width=16)
    single = simulate(chain_reduce(4, 1000), machine, [], timing_only=True).report
    half = simulate(chain_reduce(4, 1000, dtype="f16"), machine, [], timing_only=True).report
    assert half.bytes_moved * 2 == single.bytes_moved == 3 * 4000


def test_relays_can_store_what_they_pass_on() -> None:
    n, own = ints(4), access("a", 1)
    routes = [
        Route("in", rect(0, 0, 1, 1), "ramp", ("east",)), Route("in", rect(1, 0, 1, 1), "west", ("ramp",)),
        Route("out", rect(1, 0, 1, 1), "ramp", ("east",)), Route("out", rect(2, 0, 1, 1), "west", ("ramp",)),
    ]  # fmt: skip
    bodies = (
        (Send("in", n, own), copy_own(4)),
        (Relay("in", "out", n, own, "max", dst=access("r", 1)),),
        (Receive("out", n, access("r", 1)),),
    )
    classes = [PEClass(f"pe{i}", rect(i, 0, 1, 1), body) for i, body in enumerate(bodies)]
    program = row_program(3, 4, classes, routes, ["in", "out"])
    a = values(program)
    out = simulate(program, MACHINE, [a]).outputs[0]
    np.testing.assert_array_equal(out[0, 1], np.maximum(a[0, 0], a[0, 1]))
    np.testing.assert_array_equal(out[0, 2], out[0, 1])


def test_compute_communication_and_waiting_add_up() -> None:
    program = chain_reduce(8, 64)
    report = simulate(program, load_machine("wse3"), [], timing_only=True).report
    parts = sum(report.per_pe[name] for name in ("compute", "communication", "waiting"))
    np.testing.assert_allclose(parts, report.per_pe["total"])
    (phase,) = report.phases
    assert (phase.name, phase.module_path, phase.location) == ("reduce", "model.sum", "model.py:7")
    assert phase.pes == 8 and 0 < phase.utilisation < 1
