"""Columns side by side: members get theirs back, and what they have in common is not cut."""

from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wse_mlir.passes.tensor.contraction.stacked_columns import StackedColumns, stack


@pytest.mark.parametrize(
    ("members", "outer", "parts", "inner"),
    [
        ([(14,), (14,)], (), (1, 1), (14,)),
        ([(8, 4, 2, 64), (8, 2, 64), (8, 128)], (8,), (4, 1, 1), (2, 64)),  # queries, keys and values
        ([(12, 64), (12, 64), (768,)], (), (1, 1, 1), (12, 64)),
        ([(4, 6), (4, 5)], (4,), (6, 5), ()),
        ([(3, 2), (2,)], (), (3, 1), (2,)),
    ],
)
def test_what_columns_have_in_common(members: list, outer: tuple, parts: tuple, inner: tuple) -> None:
    assert stack(members) == StackedColumns(outer, parts, inner)


def test_columns_that_have_nothing_in_common() -> None:
    assert stack([(6,), (5,)]) is None
    assert stack([(4096,), (1024,)]) is None, "a dimension is cut nowhere but where a member's dimensions are"


SIZES = st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple)


@settings(deadline=None, derandomize=True)
@given(st.lists(SIZES, min_size=2, max_size=4))
def test_every_member_finds_its_columns_again(members: list[tuple[int, ...]]) -> None:
    stacked = stack(members)
    if stacked is None:
        return
    whole = np.full(stacked.sizes, -1)
    axis = len(stacked.outer)
    for k, sizes in enumerate(members):
        part = np.arange(prod(sizes)).reshape(stacked.member(k)) + 1000 * k
        slices = [slice(None)] * whole.ndim
        slices[axis] = slice(stacked.start(k), stacked.start(k) + stacked.parts[k])
        whole[tuple(slices)] = part
    assert (whole >= 0).all()
    for k, sizes in enumerate(members):
        found = whole.take(range(stacked.start(k), stacked.start(k) + stacked.parts[k]), axis)
        np.testing.assert_array_equal(found.reshape(sizes).ravel(), np.arange(prod(sizes)) + 1000 * k)
