"""Loops that PEs take one iteration at a time, for want of memory."""

import math

from wse_mlir.passes.wafer.shard.one_by_one import ROOM, loops_one_by_one


def test_as_few_iterations_as_make_room() -> None:
    words = ROOM // 4
    assert loops_one_by_one((words,), lambda kept: 4 * math.prod(kept)) == frozenset()
    assert loops_one_by_one((3, words), lambda kept: 4 * math.prod(kept)) == {0}
    assert loops_one_by_one((words, 2 * words), lambda kept: 4 * math.prod(kept)) == {1}
    assert loops_one_by_one((2, 3 * words), lambda kept: 4 * math.prod(kept)) == {1}
    assert loops_one_by_one((1, 1), lambda _: 2 * ROOM) == frozenset()  # nothing helps
