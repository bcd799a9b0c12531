"""The sentences of "The machine model" (docs/simulator.md), each against times worked out by hand."""

from __future__ import annotations

import pytest
from fabric_programs import access, ints, rect, row_program
from wavelet_programs import (
    MACHINE,
    SETUP,
    capacity,
    ends,
    path,
    receive,
    row,
    run,
    send,
    way,
    work,
)

from wse_mlir.wse_target.image import PEClass, Route
from wse_mlir.wse_target.instructions import Join, Relay, Switch, Vector
from wse_mlir.wse_target.quasi_affine import const

IDLE = ()


@pytest.mark.parametrize("hops", [1, 2, 5])
@pytest.mark.parametrize("words", [1, 12])
def test_setup_ramps_and_hops(hops: int, words: int) -> None:
    bodies = [(send("c", words),), *[IDLE] * (hops - 1), (receive("c", words),)]
    sender, *_, receiver = ends(row(bodies, path("c", 0, hops), words))
    assert sender == SETUP + words
    assert receiver == SETUP + words + way(hops)


def test_a_receive_that_is_ready_late_takes_its_own_pace() -> None:
    program = row([(send("c", 10),), (work(100), receive("c", 10))], path("c", 0, 1), 10)
    assert ends(program) == [SETUP + 10, 100 + SETUP + 10]


def test_a_turn() -> None:
    routes = [
        Route("c", rect(0, 0, 1, 1), "ramp", ("east",)),
        Route("c", rect(1, 0, 1, 1), "west", ("south",)),
        Route("c", rect(1, 1, 1, 1), "north", ("ramp",)),
    ]
    classes = [PEClass("from", rect(0, 0, 1, 1), (send("c", 4),)), PEClass("to", rect(1, 1, 1, 1), (receive("c", 4),)),
               PEClass("corner", rect(1, 0, 1, 1), IDLE), PEClass("idle", rect(0, 1, 1, 1), IDLE)]  # fmt: skip
    total = run(row_program(2, 4, classes, routes, ["c"], height=2)).report.per_pe["total"]
    assert total[1, 1] == SETUP + 4 + way(2) + 20


def test_words_follow_each_other_at_the_pace_of_a_link() -> None:
    program = row([(send("c", 8),), (receive("c", 8),)], path("c", 0, 1), 8)
    machine = MACHINE.replace(fabric__cycles_per_wavelet=1.125)
    assert ends(program, machine) == [SETUP + 9, SETUP + 9 + way(1)]


def test_a_receive_takes_words_at_the_pace_of_its_arithmetic() -> None:
    """Two cycles an element: the first one ends two cycles after the first word began to come."""
    machine = MACHINE.replace(rates__add={"default": 0.5})
    program = row([(send("c", 8),), (receive("c", 8, combine="add"),)], path("c", 0, 1), 8)
    assert ends(program, machine)[1] == SETUP + way(1) + 2 * 8


def test_narrow_elements_share_words_unless_they_are_unpacked() -> None:
    packed = row([(send("c", 12),), (receive("c", 12),)], path("c", 0, 1), 12, dtype="f16")
    unpacked = row([(send("c", 12, packed=False),), (receive("c", 12),)], path("c", 0, 1), 12, dtype="f16")
    assert ends(packed) == [SETUP + 6, SETUP + 6 + way(1)]
    assert ends(unpacked) == [SETUP + 12, SETUP + 12 + way(1)]
    assert run(packed).outputs[0][0, 1].tolist() == run(unpacked).outputs[0][0, 1].tolist() == list(range(12))


@pytest.mark.parametrize("hops", [1, 3])
def test_a_send_waits_for_places_that_its_receiver_frees(hops: int) -> None:
    late, room = 300, capacity(hops)
    for words in (room, room + 1, room + 5):
        bodies = [(send("c", words),), *[IDLE] * (hops - 1), (work(late), receive("c", words))]
        sender, *_, receiver = ends(row(bodies, path("c", 0, hops), words))
        # The word `words - 1` leaves when the word `words - 1 - room` has been taken.
        assert sender == (SETUP + words if words == room else late + SETUP + words - room)
        assert receiver == late + SETUP + words


def test_messages_of_one_channel_fill_the_same_places() -> None:
    sends, takes = [send("c", 4)] * 6, [receive("c", 4)] * 6
    sender, _ = ends(row([sends, (work(300), *takes)], path("c", 0, 1), 4))
    # 18 places: the sixth send's third and fourth words wait for words 5 and 6, taken in the second receive.
    assert sender == 300 + SETUP + 4 + SETUP + 2


def test_named_queues_are_as_deep_as_they_are() -> None:
    machine = MACHINE.replace(queues__input=[8, 1], queues__output=[8, 3])
    program = row(
        [(send("c", 10),), (work(300), receive("c", 10))], path("c", 0, 1), 10, queues={"c": (1, 1)}
    )
    room = 1 + 3 + 2
    assert ends(program, machine)[0] == 300 + SETUP + 10 - room


@pytest.mark.parametrize("late", [1, 3])
def test_each_receiver_of_a_multicast_has_places_of_its_own(late: int) -> None:
    words = 30
    bodies = [[work(400) if x == late else work(0), receive("c", words)] for x in range(4)]
    bodies[0], bodies[2] = [send("c", words)], []
    total = ends(row(bodies, path("c", 0, 3, also=[1]), words))
    assert total[0] == 400 + SETUP + words - capacity(late)
    assert total[late] == 400 + SETUP + words
    # The other branch goes on as words leave the sender.
    assert total[4 - late] == total[0] + way(4 - late)


def test_a_relay() -> None:
    words, own = 10, access("a", 1)
    bodies = [(send("in", words),), (Relay("in", "out", ints(words), own),), (receive("out", words),)]
    routes = [*path("in", 0, 1), *path("out", 1, 2)]
    sender, relay, receiver = ends(row(bodies, routes, words))
    assert relay == sender + way(1) + 1.5
    assert receiver == relay + way(1)


def test_a_relay_takes_only_words_that_can_leave() -> None:
    words, own, room = 45, access("a", 1), capacity(1)
    bodies = [
        (send("in", words),),
        (Relay("in", "out", ints(words), own),),
        (work(300), receive("out", words)),
    ]
    sender, relay, receiver = ends(row(bodies, [*path("in", 0, 1), *path("out", 1, 2)], words))
    assert receiver == 300 + SETUP + words
    assert relay == 300 + SETUP + words - room + 1.5
    assert sender == 300 + SETUP + words - 2 * room


def test_a_microthread_costs_its_launch_and_its_words() -> None:
    program = row([(send("c", 8, thread=1),), (receive("c", 8),)], path("c", 0, 1), 8)
    launch = 4 + 8 * 0.25
    assert ends(program) == [launch, launch + SETUP + 8 + way(1)]


def test_the_main_thread_waits_for_a_busy_microthread() -> None:
    sends = send("c", 8, thread=1), send("c", 8, thread=1)
    program = row([sends, (receive("c", 8), receive("c", 8))], path("c", 0, 1), 8)
    assert ends(program)[0] == 6 + SETUP + 8 + 6


@pytest.mark.parametrize("tasks", [False, True])
def test_a_join(tasks: bool) -> None:
    """The long send's words pass the ramp at 12, 13, ..., the short one's at 17, so the long one ends at 20."""
    sends = send("c", 8, thread=1), send("d", 1, thread=2), Join((1, 2), tasks=tasks)
    routes = [*path("c", 0, 1), *path("d", 0, 1)]
    program = row([sends, (receive("c", 8), receive("d", 1))], routes, 8)
    # Without tasks 4 cycles after the later end; with tasks of 10, the first one is over at 17 + 4 + 10.
    assert ends(program)[0] == (31 + 10 if tasks else 20 + 4)


def test_two_sends_of_a_core_share_its_ramp() -> None:
    words = 20
    sends = send("c", words, thread=1), send("d", words, thread=2), Join((1, 2))
    takes = receive("c", words, thread=1), receive("d", words, thread=2), Join((1, 2))
    program = row([sends, takes], [*path("c", 0, 1), *path("d", 0, 1)], words)
    launch = 4 + words * 0.25
    # The ramp is busy from the first send's first word on, until all words have passed.
    assert ends(program)[0] == pytest.approx(launch + SETUP + 2 * words + 4, abs=1)


def sharing(lengths: list[int], late: int = 0) -> list[float]:
    """Streams of PEs 0, 1, ... to the last PE share the last link; when each has left and the last one arrives."""
    last, colours = len(lengths), [f"c{x}" for x in range(len(lengths))]
    bodies = [(send(c, n),) for c, n in zip(colours, lengths, strict=True)]
    takes = [receive(c, n, thread=1 + i) for i, (c, n) in enumerate(zip(colours, lengths, strict=True))]
    threads = tuple(range(1, last + 1))
    if late:
        takes, threads = [*takes[1:], work(late), takes[0]], threads[1:]
    routes = [route for x, c in enumerate(colours) for route in path(c, x, last)]
    program = row([*bodies, (*takes, Join(threads))], routes, max(lengths))
    return ends(
        program, MACHINE.replace(control__launch=0.0, control__microthread_word=0.0, control__join=0.0)
    )


def test_two_streams_share_a_link_word_by_word() -> None:
    first, second, receiver = sharing([100, 100])
    assert receiver == pytest.approx(SETUP + 200 + way(1), abs=1)
    # Both are held up alike: their last words leave when all but what lies in places has passed.
    assert abs(first - second) <= 4


def test_three_streams_get_a_third_each() -> None:
    """Lengths n, 2n, 3n: a third each until 3n, a half each until 5n, then alone until 6n."""
    n = 100
    assert sharing([n, 2 * n, 3 * n])[-1] == pytest.approx(SETUP + 6 * n + way(1), abs=2)
    *left, _ = sharing([n, 2 * n, 3 * n])
    # A sender is through when its last word has left, which is at most its places before that has arrived.
    for end, (passed, hops) in zip(left, [(3 * n, 3), (5 * n, 2), (6 * n, 1)], strict=True):
        assert passed - 3 * capacity(hops) <= end <= passed + SETUP + way(hops)


def test_a_stream_that_waits_does_not_hold_the_link() -> None:
    held, free, _ = sharing([100, 100], late=1000)
    assert held > 1000
    assert free <= SETUP + 100 + capacity(2)


def test_a_word_waits_for_a_router_of_its_epoch() -> None:
    """The middle router is switched late, at 200 + 10, and passes the words one after the other from then on."""
    words = 6
    bodies = [
        (Switch("c", const(1)), send("c", words)),
        (work(200), Switch("c", const(1))),
        (receive("c", words),),
    ]
    routes = [*path("c", 0, 1)[:1], *path("c", 0, 1, position=1)[:1], *path("c", 0, 2)[2:]]
    routes += [Route("c", rect(1, 0, 1, 1), "west", ("east",), 1)]
    sender, _, receiver = ends(row(bodies, routes, words))
    assert sender == 10 + SETUP + words
    # From the middle router the first word has a hop and the ramp to go.
    assert receiver == 200 + 10 + 2 + 3 + words - 1
    split = run(row(bodies, routes, words)).report.per_pe
    assert split["wait_switch"][0, 2] == pytest.approx(210 - (10 + SETUP + 1 + 7 + 2))


def test_a_rewritten_route_costs_more() -> None:
    bodies = [(Switch("c", const(1), rewrite=True), send("c", 1)), (receive("c", 1),)]
    routes = [*path("c", 0, 1), *path("c", 0, 1, position=1)[:1]]
    assert ends(row(bodies, routes, 1))[0] == 100 + SETUP + 1


def test_vector_operations_and_scalar_code_hold_the_main_thread() -> None:
    add = Vector("add", ints(8), access("r", 1), (access("r", 1), access("a", 1)))
    program = row([(add, work(30))], [], 8)
    assert ends(program) == [16 + 8 / 2 + 30]


def test_repetitions_follow_each_other() -> None:
    """The sender is ahead as far as places go; then both go on at the receiver's pace, 5 + 10 cycles each."""
    program = row([(send("c", 10),), (receive("c", 10),)], path("c", 0, 1), 10)
    assert run(program, repeat=20).report.cycles.device == pytest.approx(SETUP + 10)
    slow = row([(send("c", 10),), (work(40), receive("c", 10))], path("c", 0, 1), 10)
    assert run(slow, repeat=20).report.cycles.device == pytest.approx(40 + SETUP + 10, rel=0.05)


def test_positions_are_set_back_when_a_repetition_starts() -> None:
    """Two epochs a repetition: to the neighbour, then past it; the farther PE never switches."""
    bodies = [
        (send("c", 4), Switch("c", const(1)), send("c", 4)),
        (receive("c", 4), Switch("c", const(1))),
        (receive("c", 4),),
    ]
    routes = [*path("c", 0, 1), *path("c", 0, 2, position=1)[:2], *path("c", 0, 2)[2:]]
    report = run(row(bodies, routes, 4), repeat=3)
    assert report.outputs[0][0, 1].tolist() == report.outputs[0][0, 2].tolist() == [0, 1, 2, 3]
    # Per repetition: two sends and a switch.
    assert report.report.per_pe["total"][0, 0] >= 2 * (SETUP + 4) + 10
