"""What movements are taken to need of program text, beside what is emitted for them."""

from __future__ import annotations

import pytest
from collective_programs import wide

from wse_mlir.passes.wafer.communicate import Movement, Ways, movements, scattered
from wse_mlir.passes.wafer.communicate.movement import emit
from wse_mlir.passes.wafer.communicate.steps import Step, fragment
from wse_mlir.passes.wafer.communicate.tiles import Placed
from wse_mlir.wse_target.footprint import text_bytes
from wse_mlir.wse_target.layout.tensor_layout import Partial
from wse_mlir.wse_target.layout.text import parse_layout

MACHINE = wide("wse3", 755)
ON = "on x:24; y:24 at (0, 0)"
PAIRS = [
    ("[x:24/4, -]", "[-, -]"),
    ("[x:24/4, y:24/2]", "[-, -]"),
    ("[x:24/4, -]", "[y:24/4, -]"),
    ("[x:24/4, -]", "[-, x:24/2]"),
    ("[x:24/4, -]", "[x:24/4 halo 1,1, -]"),
    ("[x:24/1 cut 0..24, y:24/2]", "[x:24/2 cut 0..24, y:24/2]"),
    ("[-, -]", "[x:24/4, y:24/2]"),
]


def between(source: str, target: str) -> tuple[Movement, Movement]:
    """The fastest way, and the cheapest one where text is scarce."""
    shape = (24, 48) if "/1" in source else (96, 48)
    layouts = [parse_layout(f"{text} {ON}", shape) for text in (source, target)]
    fast, short = (Ways(MACHINE, brief).fastest(layouts[0], layouts[1], "f32") for brief in (False, True))
    assert fast is not None and short is not None
    return fast, short


def emitted(movement: Movement) -> int:
    """Bytes of the longest text."""
    return max(text_bytes(part.body) for part in emit(movement, "source", "target", "m").parts)


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_estimates_are_near_to_what_is_emitted(source: str, target: str) -> None:
    _, short = between(source, target)
    assert short.text == pytest.approx(emitted(short), rel=0.4)
    assert short.cost == short.cycles + short.text


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_scarce_text_is_weighed_against_cycles(source: str, target: str) -> None:
    fast, short = between(source, target)
    assert fast.text == 0 and fast.cost == fast.cycles <= short.cycles
    assert short.cost <= fast.cycles + 1.4 * emitted(fast)


def test_somewhere_the_short_way_is_another_one() -> None:
    assert any(fast.texts != short.texts for fast, short in (between(*pair) for pair in PAIRS))


def test_all_ways_are_cheapest_first_and_each_saves_bytes() -> None:
    layouts = [parse_layout(f"{text} {ON}", (96, 48)) for text in ("[x:24/4, y:24/2]", "[-, -]")]
    found = movements(layouts[0], layouts[1], "f32", MACHINE, texts={})
    assert [way.cost for way in found] == sorted(way.cost for way in found)
    assert [way.peak_bytes for way in found] == sorted((way.peak_bytes for way in found), reverse=True)


def test_where_text_is_scarce_sums_on_lines_that_cross_leave_colours_to_others() -> None:
    on = "on xo:64 xi:4; y:1 at (0, 0)"
    whole, partial = parse_layout(f"[-, -] {on}", (4, 16)), (Partial("add", ("xi",)), Partial("add", ("xo",)))
    colours = {}
    for brief in (False, True):
        ways = Ways(MACHINE, brief)
        in_blocks = scattered(whole, partial, {"xi": 0}, "f16", ways)
        assert in_blocks is not None
        after = ways.fastest(in_blocks.steps[-1].source, in_blocks.target, "f16")
        assert after is not None and after.texts == in_blocks.texts[-1:]
        colours[brief] = len(
            fragment(in_blocks.steps[-1], *_placed(in_blocks.steps[-1]), MACHINE, "m").colours
        )
    assert colours[True] == 3 * 4 < colours[False]


def _placed(step: Step) -> tuple[Placed, Placed]:
    return Placed(step.source, "source", "f16"), Placed(step.target, "target", "f16")
