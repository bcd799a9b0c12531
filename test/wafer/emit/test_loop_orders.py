"""Orders of loops: the ones that the machine runs in the fewest cycles."""

import itertools

import pytest

from wse_mlir.passes.wafer.communicate.tiles import short_outermost
from wse_mlir.passes.wafer.emit.nests import VectorNest
from wse_mlir.wse_target.instructions import Access, Vector
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import Var, const, minimum

MACHINE = load_machine("wse3")

# A convolution's columns, rows, channels, taps: result [rows, columns], image [channels, rows, columns], filter.
TRIPS = {0: 15, 1: 2, 2: 3, 3: 7, 4: 1}
RESULT = {0: 1, 1: 15, 2: 0, 3: 0, 4: 0}
IMAGE = {0: 2, 1: 72, 2: 468, 3: 36, 4: 1}
FILTER = {0: 0, 1: 0, 2: 7, 3: 1, 4: 1}
CONVOLUTION = VectorNest(TRIPS, [(RESULT, 4), (IMAGE, 4), (FILTER, 4)], 1.0, 0.5)


def test_a_loop_of_one_trip_is_not_innermost():
    """Where accesses are contiguous along it, too."""
    order = CONVOLUTION.cheapest([3, 2, 1, 0, 4], MACHINE)
    assert set(order[-2:]) == {0, 3}


def test_no_order_is_cheaper():
    """Of all there are."""
    least = min(CONVOLUTION.cycles(order, MACHINE) for order in itertools.permutations(TRIPS))
    assert CONVOLUTION.cycles(CONVOLUTION.cheapest(list(TRIPS), MACHINE), MACHINE) == least


def test_loops_that_hit_the_same_banks_are_outside():
    """The longer loop steps over four words, the shorter one over one."""
    nest = VectorNest({0: 8, 1: 6}, [({0: 4, 1: 1}, 4)], 0.1, 0.1)
    assert nest.cheapest([1, 0], MACHINE) == [0, 1]


def test_loops_walked_through_as_one_are_one():
    """So that no trip is outside of the map."""
    nest = VectorNest({0: 4, 1: 5, 2: 6}, [({0: 30, 1: 6, 2: 1}, 4)], 1.0, 1.0)
    assert nest.cycles([0, 1, 2], MACHINE) == 120
    assert nest.cycles([1, 0, 2], MACHINE) > 120


def test_vectors_are_added_up_rather_than_one_place_after_the_other():
    """Even where they hit the same banks: each sum into one place waits for the one before."""
    result, weight, row = {0: 1, 1: 0}, {0: 8, 1: 1}, {0: 0, 1: 1}
    rates = MACHINE.rate("fma", "f16"), MACHINE.rate_into_one("fma", "f16")
    assert rates[0] > 2 * rates[1]
    nest = VectorNest({0: 56, 1: 8}, [(result, 2), (weight, 2), (row, 2)], *rates)
    assert nest.cheapest([0, 1], MACHINE) == [1, 0]
    assert nest.cycles([0, 1], MACHINE) == 56 * 8 / rates[1]
    assert nest.cycles([1, 0], MACHINE) == pytest.approx(56 * 8 / rates[0] * MACHINE.sram.conflict_penalty)


def test_loops_that_some_pes_run_shorter_are_not_one():
    """A result [57, 2, 20] of rows [57, 52] and a weight [52, 2, 20]: of 12 columns the two halves do not follow."""
    strides = ({0: 40, 1: 20, 2: 1, 3: 0}, {0: 52, 1: 0, 2: 0, 3: 1}, {0: 0, 1: 20, 2: 1, 3: 40})
    trips, accesses = {0: 57, 1: 2, 2: 20, 3: 52}, [(access, 2) for access in strides]
    rates = MACHINE.rate("fma", "f16"), MACHINE.rate_into_one("fma", "f16")
    even = VectorNest(trips, accesses, *rates)
    uneven = VectorNest(trips, accesses, *rates, frozenset({2}))
    short = VectorNest(trips | {2: 12}, accesses, *rates)  # strides are those of a whole tile
    loops = list(trips)
    good, bad = (nest.cheapest(loops, MACHINE) for nest in (uneven, even))
    assert bad[-2:] == [1, 2]
    assert uneven.cycles(good, MACHINE) < 1.1 * even.cycles(bad, MACHINE)
    assert short.cycles(bad, MACHINE) > 3 * short.cycles(good, MACHINE)


def test_loops_of_one_trip_are_outermost_in_copies():
    """Of a PE without an element of them all others would be walked through for nothing."""
    strides, bounds = (4, 2, 1), (const(5), const(2), minimum(1, Var("x")))
    copy = Vector("copy", bounds, Access("to", const(0), strides), (Access("from", const(3), (8, 4, 2)), 1.0))
    turned = short_outermost(copy, [5, 2, 1])
    assert turned.bounds == (bounds[2], *bounds[:2])
    assert turned.dst == Access("to", const(0), (1, 4, 2))
    assert turned.srcs == (Access("from", const(3), (2, 8, 4)), 1.0)
    assert short_outermost(copy, [5, 2, 7]) == copy
