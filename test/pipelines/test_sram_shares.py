"""How much memory the next plan may take, by what came of those before it."""

from __future__ import annotations

from unittest import mock

from wse_mlir.passes.wafer.memory.wse_plan_memory import DoesNotFit
from wse_mlir.passes.wafer.route.wse_route import TooManyColours
from wse_mlir.runtime.wafer.sram_shares import FIRST_SHARE, Shares

AVAILABLE = 40_000


def too_large(data: int, text: int) -> DoesNotFit:
    """Of a program with so many bytes of buffers and of code."""
    at = mock.Mock(location=None)
    return DoesNotFit(at, "", "", needed=data + text, text=text, available=AVAILABLE, helped_by_turns=True)


def test_data_get_what_the_text_leaves() -> None:
    shares = Shares()
    assert shares.next == FIRST_SHARE
    shares.note(too_large(30_000, 20_000))
    assert shares.next == 50
    shares.note(too_large(22_000, 20_000))  # more than was planned
    assert shares.next == 45


def test_text_that_takes_most_of_the_memory_shall_be_brief() -> None:
    shares = Shares()
    shares.note(too_large(30_000, 19_000))
    assert not shares.brief
    shares.note(too_large(10_000, 36_000))
    assert shares.brief


def test_brief_text_may_leave_room_enough() -> None:
    """For the same plan, if a third less would do; a smaller share comes after that."""
    shares = Shares()
    shares.note(too_large(14_000, 30_000))
    assert (shares.next, shares.brief) == (FIRST_SHARE, True)
    shares.note(too_large(14_000, 28_000))
    assert (shares.next, shares.brief) == (FIRST_SHARE, 2)
    shares.note(too_large(14_000, 27_000))
    assert (shares.next, shares.brief) == (32, 2)


def test_text_may_be_as_brief_as_another_plans() -> None:
    shares = Shares()
    shares.note(too_large(30_000, 15_000))
    assert (shares.next, shares.brief) == (62, 0)
    shares.note(too_large(24_000, 38_000))  # a third less would not do
    assert (shares.next, shares.brief) == (62, 1)


def test_collectives_with_too_many_colours_are_planned_with_fewer_once() -> None:
    shares = Shares()
    shares.note(TooManyColours(mock.Mock(location=None), ""))
    assert (shares.next, shares.brief) == (FIRST_SHARE, True)
    shares.note(TooManyColours(mock.Mock(location=None), ""))
    assert shares.next is None


def test_where_nothing_can_be_planned_the_next_plan_is_between() -> None:
    shares = Shares()
    shares.note(too_large(30_000, 36_000))
    assert shares.next == 10
    shares.note(None)
    assert shares.next == 50
    shares.note(None)
    assert shares.next == 70


def test_a_few_plans_are_made_and_none_when_the_first_one_fails_otherwise() -> None:
    shares = Shares()
    for _ in range(4):
        assert shares.next is not None
        shares.note(too_large(30_000, 50_000))
    assert shares.next is None
    shares = Shares()
    shares.note(ValueError())
    assert shares.next is None


def test_text_of_several_memories_is_given_up() -> None:
    shares = Shares()
    shares.note(too_large(1_000, 2 * AVAILABLE + 1))
    assert shares.next is None


def test_dear_calls_of_shared_text_are_held_against_a_brief_plan_once() -> None:
    shares = Shares()
    shares.note_calls(50, planned=1_000)
    assert shares.next is None
    shares = Shares()
    shares.note_calls(150, planned=1_000)
    assert (shares.next, shares.brief) == (FIRST_SHARE, 1)
    shares.note_calls(150, planned=1_000)
    assert shares.next is None


def test_a_brief_plan_that_does_not_fit_ends_the_search_for_one_with_cheaper_calls() -> None:
    shares = Shares()
    shares.note(too_large(14_000, 30_000))
    shares.note_calls(500, planned=1_000)
    assert (shares.next, shares.brief) == (None, 1)
