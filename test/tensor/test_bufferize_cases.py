"""wse-bufferize on particular programs: sizes known at run time, calls, while loops, threads, the arena."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from native import run_natively

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_base import PassRun
from wse_mlir.passes.tensor.bufferization.arena import LiveInterval, arena_bytes, plan_offsets
from wse_mlir.passes.tensor.bufferization.wse_bufferize import Bufferize

BRANCH = """
func.func @main(%flag: tensor<i1>, %a: tensor<?xi32>) -> tensor<?xi32> {
  %c = tensor.extract %flag[] : tensor<i1>
  %r = scf.if %c -> tensor<?xi32> {
    %x = tensor.concat dim(0) %a, %a : (tensor<?xi32>, tensor<?xi32>) -> tensor<?xi32>
    scf.yield %x : tensor<?xi32>
  } else {
    scf.yield %a : tensor<?xi32>
  }
  return %r : tensor<?xi32>
}"""


@pytest.mark.parametrize("flag", [True, False])
def test_branches_may_differ_in_size(flag: bool) -> None:
    a = np.arange(5, dtype=np.int32)
    out = np.full(10 if flag else 5, -1, np.int32)
    run_natively(BRANCH, [np.array(flag), a, out])
    np.testing.assert_array_equal(out, np.concatenate([a, a]) if flag else a)


CALL = """
func.func private @twice(%a: tensor<4xi32>) -> tensor<4xi32> {
  %e = tensor.empty() : tensor<4xi32>
  %0 = linalg.add ins(%a, %a : tensor<4xi32>, tensor<4xi32>) outs(%e : tensor<4xi32>) -> tensor<4xi32>
  return %0 : tensor<4xi32>
}
func.func @main(%a: tensor<8xi32>) -> (tensor<4xi32>, tensor<4xi32>) {
  %part = tensor.extract_slice %a[0] [4] [2] : tensor<8xi32> to tensor<4xi32>
  %0 = call @twice(%part) : (tensor<4xi32>) -> tensor<4xi32>
  %1 = call @twice(%0) : (tensor<4xi32>) -> tensor<4xi32>
  return %0, %1 : tensor<4xi32>, tensor<4xi32>
}"""


def test_a_strided_slice_is_made_contiguous_for_a_call() -> None:
    a, once, again = np.arange(8, dtype=np.int32), np.zeros(4, np.int32), np.zeros(4, np.int32)
    run_natively(CALL, [a, once, again])
    np.testing.assert_array_equal(once, 2 * a[::2])
    np.testing.assert_array_equal(again, 4 * a[::2])


WHILE = """
func.func @main(%a: tensor<4xi32>, %b: tensor<4xi32>) -> (tensor<4xi32>, tensor<4xi32>) {
  %c0 = arith.constant 0 : index
  %limit = arith.constant 100 : i32
  %r:2 = scf.while (%x = %a, %y = %b) : (tensor<4xi32>, tensor<4xi32>) -> (tensor<4xi32>, tensor<4xi32>) {
    %v = tensor.extract %x[%c0] : tensor<4xi32>
    %go = arith.cmpi slt, %v, %limit : i32
    scf.condition(%go) %y, %x : tensor<4xi32>, tensor<4xi32>
  } do {
  ^bb0(%p: tensor<4xi32>, %q: tensor<4xi32>):
    %s = linalg.add ins(%p, %q : tensor<4xi32>, tensor<4xi32>) outs(%q : tensor<4xi32>) -> tensor<4xi32>
    scf.yield %s, %q : tensor<4xi32>, tensor<4xi32>
  }
  return %r#0, %r#1 : tensor<4xi32>, tensor<4xi32>
}"""


def test_a_while_loop_may_exchange_what_it_carries() -> None:
    a, b = np.arange(1, 5, dtype=np.int32), np.arange(4, dtype=np.int32)
    first, second = np.zeros(4, np.int32), np.zeros(4, np.int32)
    run_natively(WHILE, [a, b, first, second])
    x, y = a, b
    while x[0] < 100:
        x, y = y + x, x
    np.testing.assert_array_equal(first, y)
    np.testing.assert_array_equal(second, x)


EXCHANGE = """
func.func @main(%a: tensor<4xi32> {wse.kind = "state", wse.name = "a"}, %b: tensor<4xi32> {wse.kind = "state", wse.name = "b"})
    -> (tensor<4xi32> {wse.kind = "state", wse.name = "a"}, tensor<4xi32> {wse.kind = "state", wse.name = "b"}) {
  return %b, %a : tensor<4xi32>, tensor<4xi32>
}"""  # noqa: E501


def test_two_states_may_change_places() -> None:
    a, b = np.arange(4, dtype=np.int32), np.arange(10, 14, dtype=np.int32)
    old_a, old_b = a.copy(), b.copy()
    run_natively(EXCHANGE, [a, b])
    np.testing.assert_array_equal(a, old_b)
    np.testing.assert_array_equal(b, old_a)


def test_statistics_and_remarks_tell_what_was_copied_and_why() -> None:
    run = PassRun("wse-bufferize")
    with create_context(), ir.Location.unknown():
        module = ir.Module.parse(
            """func.func @main(%a: tensor<4xi32>, %v: i32) -> tensor<4xi32> {
              %c0 = arith.constant 0 : index
              %0 = tensor.insert %v into %a[%c0] : tensor<4xi32>
              return %0 : tensor<4xi32>
            }"""
        )
        Bufferize().run(module.operation, run)
    assert run.statistics["copies"] == 1
    assert run.statistics["bytes allocated"] == 0
    assert [r.message for r in run.remarks.items] == [
        "copied tensor<4xi32>: argument 0 of the function is read only"
    ]


intervals = st.lists(
    st.tuples(st.integers(1, 500), st.integers(0, 30), st.integers(0, 15)).map(
        lambda t: LiveInterval(t[0], t[1], t[1] + t[2])
    ),
    max_size=12,
)


@given(intervals)
def test_the_arena_gives_no_byte_to_two_buffers_at_once(wanted: list[LiveInterval]) -> None:
    offsets = plan_offsets(wanted)
    assert all(offset % 64 == 0 for offset in offsets)
    for k, (one, start) in enumerate(zip(wanted, offsets, strict=True)):
        for other, begin in zip(wanted[:k], offsets, strict=False):
            if one.overlaps(other):
                assert start + one.size <= begin or begin + other.size <= start
    assert arena_bytes(wanted, offsets) <= sum(-(-i.size // 64) * 64 for i in wanted)
