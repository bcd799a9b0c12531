"""wse-bufferize keeps a program's meaning, whatever shares a buffer with what."""

import numpy as np
import pytest
from buffer_programs import random_program
from hypothesis import given, settings
from hypothesis import strategies as st
from native import run_natively


def check(seed: int, length: int, flag: bool, passes: str) -> None:
    text, evaluate = random_program(seed, length)
    numbers = np.random.default_rng(seed)
    a, b, s = (numbers.integers(-50, 50, (4, 6), dtype=np.int32) for _ in range(3))
    expected = evaluate({"a": a.copy(), "b": b.copy(), "s": s.copy(), "flag": flag})
    originals = a.copy(), b.copy()
    outputs = [np.full((4, 6), -999, np.int32) for _ in range(2)]
    run_natively(text, [a, b, s, np.array(flag), *outputs], passes)
    for actual, wanted in zip([*outputs, s], expected, strict=True):
        np.testing.assert_array_equal(actual, wanted, err_msg=text)
    np.testing.assert_array_equal((a, b), originals, err_msg="a read-only argument was written")


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 10**9), st.integers(1, 12), st.booleans())
def test_random_programs_mean_the_same(seed: int, length: int, flag: bool) -> None:
    check(seed, length, flag, "wse-bufferize")


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.integers(0, 10**9),
    st.tuples(st.integers(0, 3), st.integers(0, 4)),
    st.booleans(),
    st.sampled_from(["for", "forall"]),
)
def test_tiled_random_programs_mean_the_same(
    seed: int, sizes: tuple[int, int], fuse: bool, loops: str
) -> None:
    options = f"sizes={sizes[0]},{sizes[1]} loops={loops} fuse-producers={str(fuse).lower()}"
    check(seed, 10, True, f"func.func(wse-tile{{{options}}}),wse-bufferize")


@pytest.mark.slow
@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.integers(0, 10**9), st.integers(1, 25), st.booleans())
def test_many_random_programs_mean_the_same(seed: int, length: int, flag: bool) -> None:
    check(seed, length, flag, "wse-bufferize")
