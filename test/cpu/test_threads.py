"""Loops that threads share compute what one thread computes, bit by bit, for every number of threads."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import wse_mlir
from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.cpu.parallel.shares import (
    DividedLine,
    ParallelLoop,
    balance,
    between,
    cuts,
    lay_out,
    length,
)
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.pipelines.named import NAMED_PIPELINES, named_pipeline
from wse_mlir.runtime.cpu.jit import JitFunction, compile_function

LOWER = (
    "expand-strided-metadata,lower-affine,canonicalize,func.func(llvm-request-c-wrappers),convert-scf-to-cf,"
    "finalize-memref-to-llvm,convert-arith-to-llvm,convert-func-to-llvm,convert-cf-to-llvm,"
    "reconcile-unrealized-casts,wse-fork-threads"
)

# y[i, j] = 2 x[i, j] + i, by whole tiles of rows and columns and by their edges
TILES = """
func.func @main(%x: memref<?x?xf32>, %y: memref<?x?xf32>) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %two = arith.constant 2.0 : f32
  %t = memref.alloca() : memref<2xf32>
  %rows = {rows}
  %columns = {columns}
  %step = arith.constant {step} : index
  %rest = arith.remui %rows, %step : index
  %whole = arith.subi %rows, %rest : index
  scf.for %i = %c0 to %whole step %step {{
    scf.for %k = %c0 to %step step %c1 {{
      %r = arith.addi %i, %k : index
      %n = arith.index_cast %r : index to i32
      %b = arith.sitofp %n : i32 to f32
      memref.store %b, %t[%c1] : memref<2xf32>
      scf.for %j = %c0 to %columns step %c1 {{
        %v = memref.load %x[%r, %j] : memref<?x?xf32>
        %s = arith.mulf %v, %two : f32
        memref.store %s, %t[%c0] : memref<2xf32>
        %w = memref.load %t[%c0] : memref<2xf32>
        %a = arith.addf %w, %b : f32
        memref.store %a, %y[%r, %j] : memref<?x?xf32>
      }}
    }}
  }} {{wse.parallel = 0 : i64, wse.cost = {cost} : i64}}
  scf.for %i = %whole to %rows step %c1 {{
    %n = arith.index_cast %i : index to i32
    %b = arith.sitofp %n : i32 to f32
    scf.for %j = %c0 to %columns step %c1 {{
      %v = memref.load %x[%i, %j] : memref<?x?xf32>
      %s = arith.mulf %v, %two : f32
      %a = arith.addf %s, %b : f32
      memref.store %a, %y[%i, %j] : memref<?x?xf32>
    }} {{wse.parallel = 0 : i64, wse.cost = {edge} : i64}}
  }} {{wse.parallel = 0 : i64, wse.cost = {edge} : i64}}
  return
}}
"""
COST = 10**8


def tiles(rows: int, columns: int, step: int, threads: int, *, is_open: bool) -> JitFunction:
    """The loops, compiled for sizes that are known, or not."""
    text = TILES.format(
        rows="memref.dim %x, %c0 : memref<?x?xf32>" if is_open else f"arith.constant {rows} : index",
        columns="memref.dim %x, %c1 : memref<?x?xf32>" if is_open else f"arith.constant {columns} : index",
        step=step,
        cost=COST,
        edge=COST * (rows % step) // max(rows, 1) + 1,
    )
    with create_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        run_pipeline(module, f"builtin.module(canonicalize,wse-parallelize{{threads={threads}}},{LOWER})")
        if threads > 1 and is_open:
            assert "@wse_pool_run" in str(module)
        return compile_function(module, "main", [2, 2])


def results(function: JitFunction, rows: int, columns: int) -> np.ndarray:
    x = np.random.default_rng(0).random((rows, columns), np.float32)
    y = np.full((rows + 1, columns), -1.0, np.float32)
    function([(0, x), (1, y[:rows])])
    assert (y[rows] == -1).all()
    assert np.array_equal(y[:rows], 2 * x + np.arange(rows, dtype=np.float32)[:, None])
    return y


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 23), st.integers(0, 5), st.integers(1, 5), st.integers(1, 5), st.booleans())
def test_tiles_and_edges(rows: int, columns: int, step: int, threads: int, is_open: bool) -> None:
    results(tiles(rows, columns, step, threads, is_open=is_open), rows, columns)


def test_runs_are_equal_bit_by_bit() -> None:
    function = tiles(37, 50, 4, 3, is_open=True)
    first = results(function, 37, 50)
    assert all(np.array_equal(first, results(function, 37, 50)) for _ in range(20))


# y[p, i] = x[i] + p: few panels, many rows in each; the last panel is a loop over rows alone
PANELS = """
func.func @main(%x: memref<{rows}xf32>, %y: memref<{panels}x{rows}xf32>) {{
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %last = arith.constant {last} : index
  %rows = arith.constant {rows} : index
  scf.for %p = %c0 to %last step %c1 {{
    %n = arith.index_cast %p : index to i32
    %b = arith.sitofp %n : i32 to f32
    scf.for %i = %c0 to %rows step %c1 {{
      %v = memref.load %x[%i] : memref<{rows}xf32>
      %a = arith.addf %v, %b : f32
      memref.store %a, %y[%p, %i] : memref<{panels}x{rows}xf32>
    }} {{wse.parallel = 0 : i64, wse.cost = {cost} : i64}}
  }} {{wse.parallel = 0 : i64, wse.cost = {cost} : i64}}
  %n = arith.index_cast %last : index to i32
  %b = arith.sitofp %n : i32 to f32
  scf.for %i = %c0 to %rows step %c1 {{
    %v = memref.load %x[%i] : memref<{rows}xf32>
    %a = arith.addf %v, %b : f32
    memref.store %a, %y[%last, %i] : memref<{panels}x{rows}xf32>
  }} {{wse.parallel = 0 : i64, wse.cost = 1000000 : i64}}
  return
}}
"""


@pytest.mark.parametrize(("panels", "rows"), [(1, 17), (3, 1), (7, 64), (5, 33)])
@pytest.mark.parametrize("threads", [2, 3, 4, 5])
def test_panels_and_the_rows_in_them(panels: int, rows: int, threads: int) -> None:
    with create_context(), ir.Location.unknown():
        module = ir.Module.parse(
            PANELS.format(panels=panels, last=panels - 1, rows=rows, cost=panels * 10**6)
        )
        run_pipeline(module, f"builtin.module(wse-parallelize{{threads={threads}}},{LOWER})")
        function = compile_function(module, "main", [1, 2])
    x = np.arange(rows, dtype=np.float32)
    y = np.full((panels, rows), -1.0, np.float32)
    function([(0, x), (1, y)])
    assert np.array_equal(y, x[None] + np.arange(panels, dtype=np.float32)[:, None])


LOOPS = st.recursive(
    st.tuples(st.integers(0, 12), st.integers(1, 10**6), st.just(())),
    lambda inner: st.tuples(
        st.integers(0, 12), st.integers(1, 10**6), st.lists(inner, min_size=1, max_size=3)
    ),
    max_leaves=4,
)


def loop(trips: int, cost: int, inner: Sequence[Any] = ()) -> ParallelLoop:
    return ParallelLoop(None, trips, cost, tuple(loop(*given) for given in inner))


@given(st.lists(LOOPS, min_size=1, max_size=3), st.integers(1, 3), st.integers(1, 9))
def test_shares_cover_every_iteration_once(given_loops: list[Any], depth: int, shares: int) -> None:
    line = lay_out([loop(*given_loop) for given_loop in given_loops], depth)
    whole = length(line)
    borders = [whole * share // shares for share in range(shares + 1)]
    assert sum(between(line, *part) for part in pairwise(borders)) == whole
    assert 0 < balance((DividedLine(line),), shares) <= 1


def test_shares_are_even() -> None:
    def even(*loops: ParallelLoop) -> float:
        return balance(cuts(loops, 2), 2)

    assert even(loop(8, 800)) == 1
    assert even(loop(7, 700)) == 7 / 8
    assert even(loop(7, 700), loop(1, 100)) == 1
    assert even(loop(7, 700), loop(1, 10)) > 0.85
    assert even(loop(3, 9)) == 3 / 4
    assert even(loop(3, 9, [(2, 9)])) == 1
    assert even(loop(13, 60, [(3, 60)]), loop(1, 4, [(3, 4)])) > 0.97
    assert even(loop(2, 64, [(2, 64)]), loop(2, 22)) == 1


class Heads(torch.nn.Module):
    """Attention of three heads over 65 tokens, a window, and products whose last panels and rows are smaller."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.window = torch.nn.Linear(48, 3 * 48), torch.nn.Conv1d(48, 48, 3, padding=1, groups=48)
        self.widen, self.last = torch.nn.Linear(48, 203), torch.nn.Linear(203, 7)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = self.mix(x).unflatten(-1, (3, 3, 16)).permute(2, 0, 3, 1, 4)
        mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        return self.last(self.widen(x + self.window(mixed.mT).mT).relu()).softmax(-1)


@pytest.fixture
def cheap_forks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every nest is divided, however small it is."""
    cpu = named_pipeline("cpu")
    passes = {stage.name: stage.passes for stage in cpu.stages}["parallelise"]
    cheap = passes.replace("wse-parallelize", "wse-parallelize{minimal-cost=1}")
    monkeypatch.setitem(NAMED_PIPELINES, "cpu", cpu.override(parallelise=cheap))


@pytest.mark.usefixtures("cheap_forks")
def test_a_model_computes_the_same_with_threads() -> None:
    torch.manual_seed(0)
    model, x = Heads().eval().requires_grad_(False), torch.randn(1, 65, 48)
    expected = wse_mlir.compile(model, (x,), cache=False)(x)
    assert (expected - model(x)).abs().max() <= 1e-4 * expected.abs().max()
    assert torch.equal(wse_mlir.compile(model, (x,), cache=False, num_threads=3)(x), expected)
