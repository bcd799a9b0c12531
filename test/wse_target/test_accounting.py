"""Bins by PE and by phase: what is counted, where, and over which repetitions."""

import numpy as np
import pytest

from wse_mlir.wse_target.instructions import Access, Receive, Relay, Send, Source, Vector
from wse_mlir.wse_target.quasi_affine import Const
from wse_mlir.wse_target.sim.accounting import Accounting, quick
from wse_mlir.wse_target.sim.code import Code
from wse_mlir.wse_target.sim.work import work_per_element


def code(*phases: str) -> Code:
    return Code(phases=[("", Source()), *((name, Source()) for name in phases)])


def test_phases_get_what_was_spent_in_them() -> None:
    accounts = Accounting(code("a", "b"), 4, {})
    everybody = np.arange(4)
    accounts.enter(everybody, 1, 0.0)
    accounts.add(everybody, compute=10.0)
    accounts.add(slice(0, 2), wait_words=np.array([3.0, 5.0]))
    clock = np.array([13.0, 15.0, 10.0, 10.0])
    accounts.enter(everybody, 2, clock)
    accounts.add(np.array([3, 1]), wait_switch=np.array([7.0, 1.0]))
    accounts.end(everybody, clock + np.array([0, 1, 0, 7]))
    assert accounts.per_phase["compute"].tolist() == [0, 40, 0]
    assert accounts.per_phase["wait_words"].tolist() == [0, 8, 0]
    assert accounts.per_phase["wait_switch"].tolist() == [0, 0, 8]
    assert accounts.per_pe["wait_switch"].tolist() == [0, 1, 0, 7]
    assert (accounts.first[1], accounts.last[1]) == (0, 15)
    assert (accounts.first[2], accounts.last[2]) == (10, 17)
    assert accounts.spent[2].tolist() == [0, 1, 0, 7]
    assert 0 not in accounts.spent


def test_the_first_of_several_repetitions_is_left_out() -> None:
    accounts = Accounting(code("a"), 2, {}, repetitions=3)
    clock = np.zeros(2)
    for cycles in (100.0, 7.0, 9.0):
        # PE 1 runs ahead: it is in its next repetition when PE 0 ends this one.
        for pe in (np.array([1]), np.array([0])):
            accounts.enter(pe, 1, clock[pe])
            accounts.add(pe, compute=cycles)
            clock[pe] += cycles
            accounts.end(pe, clock[pe])
    assert accounts.repetitions == 2
    assert accounts.per_pe["compute"].tolist() == [16, 16]
    assert accounts.per_phase["compute"].tolist() == [0, 32]
    assert (accounts.first[1], accounts.last[1]) == (107, 116)


def test_groups_in_different_phases_and_repetitions_are_settled_apart() -> None:
    accounts = Accounting(code("a", "b"), 4, {}, repetitions=2)
    accounts.end(np.array([1, 3]), np.array([5.0, 5.0]))
    accounts.enter(np.array([1]), 1, 5.0)
    accounts.enter(np.array([3]), 2, 5.0)
    accounts.add(slice(0, 4), communication=np.arange(4.0))
    accounts.end(slice(0, 4), 9.0)
    assert accounts.per_phase["communication"].tolist() == [0, 1, 3]
    assert accounts.per_pe["communication"].tolist() == [0, 1, 0, 3]


@pytest.mark.parametrize("pes", [[2, 3, 4], [7]])
def test_neighbours_become_slices(pes: list[int]) -> None:
    assert quick(np.array(pes)) == slice(pes[0], pes[-1] + 1)


@pytest.mark.parametrize("pes", [[0, 2, 1, 3], [1, 3], [2, 1], []])
def test_other_groups_stay(pes: list[int]) -> None:
    group = np.array(pes, np.int64)
    assert quick(group) is group


def test_work_of_an_element() -> None:
    dtypes = {"a": "f16", "c": "f32"}
    a, c, held = (Access(n, Const(0), s) for n, s in (("a", (1,)), ("c", (1,)), ("c", (0,))))
    n = (Const(4),)
    assert work_per_element(Vector("add", n, c, (c, a)), dtypes) == (1, 10)
    assert work_per_element(Vector("copy", n, a, (a,)), dtypes) == (0, 4)
    assert work_per_element(Vector("fma", n, c, (a, a)), dtypes) == (2, 12)
    assert work_per_element(Vector("fma", n, held, (a, a)), dtypes) == (2, 4)
    assert work_per_element(Send("x", n, a), dtypes) == (0, 2)
    assert work_per_element(Receive("x", n, c, "add"), dtypes) == (1, 8)
    assert work_per_element(Relay("x", "y", n, c), dtypes) == (1, 4)
    assert work_per_element(Relay("x", "y", n, None, dst=c), dtypes) == (0, 4)
