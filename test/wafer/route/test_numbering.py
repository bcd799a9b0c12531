"""Colours and their numbers: valid, and with as few rewritten routers as can be."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wse_mlir.passes.wafer.route.colour_use import Use
from wse_mlir.passes.wafer.route.numbering import (
    Holder,
    OutOfNumbers,
    Wanted,
    number_colours,
    written_again,
)

PE = ("class", 0)


def wanted(name: str, settings: str, phases: tuple[int, int], loop: tuple[int, int] | None = None) -> Wanted:
    """A colour that every PE uses in those phases."""
    use = Use({PE: [phases]}, phases=phases, loops={loop} if loop else set(), outside=loop is None)
    return Wanted(name, use, settings)


@st.composite
def lists(draw: st.DrawFn) -> list[Wanted]:
    """Colours of four settings; most are used in one phase, and phases follow each other."""
    drawn = draw(
        st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 1), st.integers(0, 2)), max_size=9)
    )
    found, begin = list[Wanted](), 0
    for k, (settings, gap, length) in enumerate(drawn):
        begin += gap
        found.append(wanted(f"c{k}", settings, (begin, begin + length)))
    return found


@given(lists(), st.integers(2, 3))
def test_numbers_are_valid_and_the_fewest_are_written(colours: list[Wanted], count: int) -> None:
    least = fewest(colours, count)
    if least is None:
        with pytest.raises(OutOfNumbers):
            number_colours(colours, count)
        return
    numbers = number_colours(colours, count)
    check(colours, numbers)
    assert len(written_again(numbers)) == least


def check(colours: list[Wanted], numbers: list[list[Holder]]) -> None:
    by_name = {c.name: c for c in colours}
    held = [[by_name[n] for holder in number for n in holder.names] for number in numbers]
    assert sorted(c.name for number in held for c in number) == sorted(by_name)
    for number, names in zip(numbers, held, strict=True):
        for first, second in pairwise(names):
            assert first.use.phases[1] < second.use.phases[0]
        for holder in number:
            assert {by_name[n].settings for n in holder.names} == {holder.first.settings}


def fewest(colours: list[Wanted], count: int) -> int | None:
    """By trying all: how many colours find another's settings on their number; None where there is no way."""

    @cache
    def least(k: int, numbers: tuple[tuple[str, int], ...]) -> float:
        if k == len(colours):
            return 0
        settings, (begin, end) = colours[k].settings, colours[k].use.phases
        found = [float("inf")]
        for place, (has, until) in enumerate(numbers):
            if until < begin:
                after = tuple(sorted((*numbers[:place], (settings, end), *numbers[place + 1 :])))
                found.append(least(k + 1, after) + (has not in ("", settings)))
        return min(found)

    answer = least(0, (("", -1),) * count)
    return None if answer == float("inf") else int(answer)


def test_in_a_loop_the_paths_of_the_next_trip_count() -> None:
    """Of three settings in a loop of three phases one number keeps its own; the loop's begin is written again."""
    loop = (1, 3)
    colours = [wanted(name, name, (k, k), loop) for k, name in enumerate("abc", 1)]
    numbers = number_colours(colours, 2)
    assert [[holder.names for holder in held] for held in numbers] == [[["a"]], [["b"], ["c"]]]
    assert written_again(numbers) == {"b": 2, "c": 3}


def test_where_numbers_are_short_a_loop_shares_none_with_what_is_outside() -> None:
    loop = (1, 2)
    colours = [wanted("a", "a", (0, 0)), wanted("b", "a", (1, 1), loop), wanted("c", "c", (2, 2), loop)]
    assert [[h.names for h in held] for held in number_colours(colours, 1)] == [[["a"], ["b"], ["c"]]]


def test_a_colour_with_settings_of_its_own_has_its_number_first() -> None:
    own = Wanted("own", wanted("own", "own", (2, 2)).use, "own", True, True, True)
    numbers = number_colours([wanted("a", "a", (0, 0)), wanted("b", "b", (1, 1)), own], 2)
    assert [[holder.names for holder in held] for held in numbers] == [[["a"], ["b"]], [["own"]]]
    with pytest.raises(OutOfNumbers) as error:
        number_colours([wanted("a", "a", (1, 1)), own], 1)
    assert error.value.name == "a"


def test_colours_that_keep_numbers_for_later_are_named() -> None:
    early, late = wanted("early", "a", (0, 0)), replace(wanted("late", "b", (1, 1)), starts_number=True)
    with pytest.raises(OutOfNumbers) as error:
        number_colours([early, late], 1)
    assert (error.value.name, error.value.holders, error.value.kept) == ("early", [], ["late"])
