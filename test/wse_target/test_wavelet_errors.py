"""What the wavelet engine says of programs that are wrong, and that it names who waits for whom."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fabric_programs import access, broadcast, chain_reduce, ints, rect
from wavelet_programs import MACHINE, capacity, path, receive, row, run, send, work

from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import Program, Route
from wse_mlir.wse_target.instructions import Join, Receive, Relay, Send, Source, Switch, Vector
from wse_mlir.wse_target.quasi_affine import const
from wse_mlir.wse_target.sim import Simulation

BOTH = [*path("there", 0, 1), *path("back", 1, 0)]


def exchange(words: int, thread: int) -> Program:
    """Both PEs send first and receive afterwards."""
    joined = (Join((thread,)),) if thread else ()
    left = send("there", words, thread), receive("back", words), *joined
    right = send("back", words, thread), receive("there", words), *joined
    return row([left, right], BOTH, words)


def without(program: Program, kind: type) -> Program:
    """The program less the first instruction of a kind in the first class that has one."""
    classes = list(program.classes)
    for index, pe_class in enumerate(classes):
        kept = [i for i, op in enumerate(pe_class.body) if isinstance(op, kind)]
        if kept:
            body = pe_class.body[: kept[0]] + pe_class.body[kept[0] + 1 :]
            classes[index] = replace(pe_class, body=body)
            return replace(program, classes=tuple(classes))
    raise AssertionError(f"no {kind.__name__} in the program")


def test_what_the_places_hold_can_be_sent_at_each_other() -> None:
    room = capacity(1)
    outputs = run(exchange(room, 0)).outputs[0]
    np.testing.assert_array_equal(outputs[0, 0], np.arange(room, 2 * room))


def test_a_word_more_is_a_deadlock_and_the_cycle_is_named() -> None:
    with pytest.raises(TargetError) as caught:
        run(exchange(capacity(1) + 1, 0))
    text = str(caught.value)
    assert "deadlock: 2 PEs wait, 2 of them in a cycle" in text
    assert "PE (0, 0) waits to send colour 'there' to PE (1, 0)" in text
    assert "PE (1, 0) waits to send colour 'back' to PE (0, 0)" in text


def test_microthreads_break_that_deadlock() -> None:
    run(exchange(1000, 1))


def test_a_cycle_through_a_microthread_and_a_relay() -> None:
    """PE 1 relays to PE 2, which waits for PE 0 first, which waits for PE 1 to take its words."""
    n, long = ints(60), 60
    bodies = [
        (send("in", long), send("last", 1)),
        (Relay("in", "out", n, access("a", 1), thread=1), Join((1,))),
        (receive("last", 1), receive("out", long)),
    ]
    routes = [*path("in", 0, 1), *path("out", 1, 2), *path("last", 0, 2)]
    with pytest.raises(TargetError) as caught:
        run(row(bodies, routes, long))
    assert str(caught.value).splitlines()[:4] == [
        "deadlock: 3 PEs wait, 3 of them in a cycle: PE (0, 0) waits to send colour 'in' to PE (1, 0)",
        "  note: PE (1, 0) waits for its microthread 1",
        "  note: PE (1, 0) thread 1 waits to send colour 'out' to PE (2, 0)",
        "  note: PE (2, 0) waits to receive colour 'last' from PE (0, 0)",
    ]


@pytest.mark.parametrize("make", [broadcast, chain_reduce])
def test_a_missing_send_is_a_deadlock(make) -> None:
    program = without(make(4, 8), Send)
    with pytest.raises(TargetError, match=r"waits to receive colour .* from PE \(., 0\), which has ended"):
        run(program)


def test_a_missing_receive_leaves_words_over() -> None:
    with pytest.raises(
        TargetError, match=r"words of colour 'b' that PE \(0, 0\) sent and PE \(1, 0\) did not"
    ):
        run(without(broadcast(4, 8), Receive))


def test_a_router_that_never_switches_holds_words_up() -> None:
    """The middle PE comes to epoch 1, the words are of epoch 2."""
    bodies = [
        (Switch("c", const(1)), Switch("c", const(1)), send("c", 3)),
        (Switch("c", const(1)),),
        (receive("c", 3),),
    ]
    routes = [*path("c", 0, 2), *path("c", 0, 2, position=1)[:2]]
    with pytest.raises(
        TargetError, match=r"PE \(2, 0\) waits to receive colour 'c', held up by the router of PE \(1, 0\)"
    ):
        run(row(bodies, routes, 3))


def test_lengths_must_agree() -> None:
    program = row([(send("there", 8),), (receive("there", 7),)], BOTH, 8)
    with pytest.raises(
        TargetError, match=r"PE \(1, 0\) receives 7 elements of colour 'there', but PE \(0, 0\) sends 8"
    ):
        run(program)


def test_transfers_need_routes() -> None:
    for body, verb in (((receive("there", 8),), "receives"), ((send("back", 8),), "sends on")):
        with pytest.raises(TargetError, match=rf"PE \(0, 0\) {verb} colour '.*', for which no route leads"):
            run(row([body, ()], BOTH, 8))


def test_wavelets_may_not_leave_the_routes() -> None:
    routes = [*path("c", 0, 2)[:2], *path("d", 0, 1)]
    with pytest.raises(TargetError, match=r"go east from PE \(1, 0\), where no router takes them"):
        run(row([(send("c", 4),), (), ()], routes, 4))


def test_wavelets_that_reach_nobody() -> None:
    with pytest.raises(TargetError, match=r"wavelets of colour 'c' from PE \(0, 0\) reach no PE"):
        run(row([(send("c", 4),)], [Route("c", rect(0, 0, 1, 1), "ramp", ())], 4))


def test_a_route_to_a_pe_without_program() -> None:
    program = row([(send("c", 4),), ()], path("c", 0, 1), 4)
    lonely = replace(program, classes=program.classes[:1], scatters=(), gathers=(), arguments=(), results=())
    with pytest.raises(TargetError, match=r"ends at PE \(1, 0\), which has no program"):
        Simulation(lonely, MACHINE, engine="wavelet").call([])


def test_one_setting_a_router_and_position() -> None:
    program = broadcast(4, 4)
    twice = replace(program, routes=(*program.routes, Route("b", rect(1, 0, 1, 1), "east", ("ramp",))))
    with pytest.raises(TargetError, match=r"two routes at the router of PE \(1, 0\)"):
        run(twice)


def test_an_epoch_in_which_a_router_takes_from_elsewhere() -> None:
    bodies = [
        (Switch("c", const(1)), send("c", 4)),
        (Switch("c", const(1)), work(40), send("c", 4, thread=1), Switch("c", const(2)), Join((1,))),
        (receive("c", 4), receive("c", 4)),
    ]
    routes = [
        *path("c", 0, 1, position=1)[:1], Route("c", rect(1, 0, 1, 1), "west", ("east",), 2),
        Route("c", rect(1, 0, 1, 1), "ramp", ("east",), 1), *path("c", 0, 2)[2:],
    ]  # fmt: skip
    # PE 0's words are of epoch 1, in which PE 1's router takes from its own ramp.
    with pytest.raises(TargetError, match=r"go east from PE \(0, 0\), where no router takes them"):
        run(row(bodies, routes, 4))


def test_an_access_beyond_its_buffer_names_layer_and_pe() -> None:
    source = Source("fc1", "model.py:3")
    copy = Vector("copy", ints(8), access("r", 1), (access("a", 1, offset=1),), source)
    with pytest.raises(
        TargetError, match=r"fc1 \(model.py:3\), PE \(0, 0\): elements 1 to 8 of buffer 'a' .* which has 8"
    ):
        run(row([(copy, send("there", 8)), (receive("there", 8),)], BOTH, 8))


def test_a_deadlock_is_named_with_its_layer() -> None:
    late = Receive("there", ints(4), access("r", 1), source=Source("head", "model.py:9"))
    with pytest.raises(TargetError, match=r"head \(model.py:9\): deadlock"):
        run(row([(), (late,)], BOTH, 4))
