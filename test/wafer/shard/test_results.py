"""Sums that are split over PEs: their results are left in blocks where what reads them is faster for that."""

from __future__ import annotations

import numpy as np
import pytest
from lowering import from_partition

from wse_mlir import opt
from wse_mlir.dialects.host import ir
from wse_mlir.passes.wafer.executable import bodies, instructions
from wse_mlir.runtime.wafer.image_builder import build_image
from wse_mlir.wse_target.analysis.deadlock import verdict
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim.report import SimulationResult
from wse_mlir.wse_target.sim.simulation import simulate

TINY = load_machine("tiny")
A = np.random.default_rng(0).integers(-3, 4, (6, 11)).astype(np.float32)
W = np.random.default_rng(1).integers(-3, 4, (45, 11)).astype(np.float32)


def program(split: str) -> str:
    """A product whose loops are split as told, and an expensive function of each of its elements."""
    maps = "affine_map<(i, j, k) -> (i, k)>, affine_map<(i, j, k) -> (j, k)>, affine_map<(i, j, k) -> (i, j)>"
    same = "affine_map<(i, j) -> (i, j)>"
    return f"""
    func.func @main(%a: tensor<6x11xf32>, %w: tensor<45x11xf32>) -> tensor<6x45xf32> {{
      %zero = arith.constant dense<0.0> : tensor<6x45xf32>
      %empty = tensor.empty() : tensor<6x45xf32>
      %0 = linalg.generic {{indexing_maps = [{maps}], iterator_types = ["parallel", "parallel", "reduction"]}}
          ins(%a, %w : tensor<6x11xf32>, tensor<45x11xf32>) outs(%zero : tensor<6x45xf32>)
          attrs = {{wse.iterators = [{split}]}} {{
        ^bb0(%l: f32, %r: f32, %acc: f32):
          %p = arith.mulf %l, %r : f32
          %s = arith.addf %acc, %p : f32
          linalg.yield %s : f32
      }} -> tensor<6x45xf32>
      %1 = linalg.generic {{indexing_maps = [{same}, {same}], iterator_types = ["parallel", "parallel"]}}
          ins(%0 : tensor<6x45xf32>) outs(%empty : tensor<6x45xf32>) {{
        ^bb0(%l: f32, %o: f32):
          %q = arith.mulf %l, %l : f32
          %s = math.sqrt %q : f32
          linalg.yield %s : f32
      }} -> tensor<6x45xf32>
      return %1 : tensor<6x45xf32>
    }}"""


def lowered(split: str, grid: str, until: str) -> ir.Module:
    """The program after a row of the wafer's pipeline."""
    return opt(program(split), from_partition(grid, until))


def run(module: ir.Module, engine: str) -> SimulationResult:
    image = build_image(module.operation)
    assert verdict(image, TINY).outcome == "free"
    return simulate(image, TINY, [A, W], engine=engine)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("split", "grid", "step"),
    [
        ('"y", "", "x"', "4x2", "reduce_scatter along x by ring to [y:2/3, x:4/12]"),
        ('"", "", "y"', "1x7", "reduce_scatter along y by ring to [-, y:7/7]"),
        ('"", "", "x y"', "3x4", "reduce_scatter along x by ring to"),
    ],
)
def test_results_are_left_in_blocks(split: str, grid: str, step: str) -> None:
    assert step in str(lowered(split, grid, "partition"))
    module = lowered(split, grid, "plan-memory")
    found = [run(module, engine) for engine in ("flow", "wavelet")]
    for result in found:
        np.testing.assert_array_equal(result.outputs[0], np.abs(A @ W.T))
    first, second = (result.report.cycles.makespan for result in found)
    assert first == pytest.approx(second, rel=0.05, abs=20)


def test_without_a_message_sums_are_wrong() -> None:
    module = lowered('"y", "", "x"', "4x2", "plan-memory")
    for _, function in bodies(module.operation):
        for op in list(instructions(function.body.blocks[0])):
            if op.operation.name in ("wse.relay", "wse.send", "wse.receive"):
                op.operation.erase()
    image = build_image(module.operation)
    assert not np.array_equal(simulate(image, TINY, [A, W]).outputs[0], np.abs(A @ W.T))
