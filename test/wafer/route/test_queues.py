"""Queues: valid wherever there are enough, also where the longest messages' first choice leaves none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wse_mlir.passes.wafer.route.colour_use import Spans, apart
from wse_mlir.passes.wafer.route.queues import OutOfQueues, choose_queues


def on_classes(**spans: tuple[int, int]) -> Spans:
    """Spans by class."""
    return {(name, 0): [span] for name, span in spans.items()}


def test_colours_choose_again_when_the_longest_leave_somebody_without() -> None:
    # A path a - c - d - b: in this order `a` and `b` take the first queue, `c` the second, and `d` finds none.
    spans = {
        "a": on_classes(p=(0, 1)),
        "b": on_classes(q=(0, 1)),
        "c": on_classes(p=(1, 2), r=(0, 1)),
        "d": on_classes(q=(1, 2), r=(1, 2)),
    }
    found = choose_queues(list("abcd"), spans, [4, 4])
    assert found["a"] != found["c"] != found["d"] != found["b"]


def test_the_longest_have_the_deepest_where_that_leaves_enough() -> None:
    spans = {"a": on_classes(p=(0, 1)), "b": on_classes(p=(1, 2)), "c": on_classes(p=(2, 3))}
    assert choose_queues(list("abc"), spans, [2, 8]) == {"a": 1, "b": 0, "c": 1}


def test_who_is_left_without_is_told_with_the_others() -> None:
    spans = {"a": on_classes(p=(0, 5)), "b": on_classes(p=(1, 2)), "c": on_classes(p=(2, 3))}
    with pytest.raises(OutOfQueues) as error:
        choose_queues(list("abc"), spans, [4, 4])
    assert error.value.at_a_time and error.value.names == ["a", "b", "c"]
    ring = {
        "a": on_classes(p=(0, 1), r=(0, 1)),
        "b": on_classes(p=(1, 2), q=(0, 1)),
        "c": on_classes(q=(1, 2), r=(1, 2)),
    }
    with pytest.raises(OutOfQueues) as error:
        choose_queues(list("abc"), ring, [4, 4])
    assert not error.value.at_a_time and set(error.value.names) == {"a", "b", "c"}


@given(
    st.lists(
        st.dictionaries(st.sampled_from("pqr"), st.tuples(st.integers(0, 9), st.integers(0, 3))), max_size=9
    )
)
def test_no_queue_serves_two_at_a_time(drawn: list[dict[str, tuple[int, int]]]) -> None:
    spans = {
        f"c{k}": on_classes(**{n: (b, b + d) for n, (b, d) in one.items()}) for k, one in enumerate(drawn)
    }
    try:
        found = choose_queues(list(spans), spans, [1, 3, 2])
    except OutOfQueues as short:
        assert len(short.names) > 3
        return
    assert found.keys() == spans.keys()
    assert all(found[a] != found[b] or a == b or apart(spans[a], spans[b]) for a in spans for b in spans)
