"""The grid that is chosen: as good as any that is given, of any shape, and found without planning for all."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from zoo import family

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.frontend.imported import import_model
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.runtime.wafer.target import lower

PRODUCT = """
#rows = affine_map<(m, n, k) -> (m, k)>
#columns = affine_map<(m, n, k) -> (k, n)>
#result = affine_map<(m, n, k) -> (m, n)>
func.func @main(%a: tensor<SxSxf32>, %b: tensor<SxSxf32>) -> tensor<SxSxf32> {
  %zero = arith.constant dense<0.0> : tensor<SxSxf32>
  %c = linalg.generic {indexing_maps = [#rows, #columns, #result],
                       iterator_types = ["parallel", "parallel", "reduction"]}
    ins(%a, %b : tensor<SxSxf32>, tensor<SxSxf32>) outs(%zero : tensor<SxSxf32>) {
  ^bb0(%x: f32, %y: f32, %sum: f32):
    %p = arith.mulf %x, %y : f32
    %s = arith.addf %sum, %p : f32
    linalg.yield %s : f32
  } -> tensor<SxSxf32>
  return %c : tensor<SxSxf32>
}
"""


def chosen(module: ir.Module, machine: str, grid: str = "") -> tuple[str, float]:
    """The grid that is planned for a module, or given, and the cycles that are predicted; the module stays as it is."""
    given = f" grid={grid}" if grid else ""
    attempt = module.operation.clone()
    result = run_pipeline(attempt.operation, f"builtin.module(wse-partition{{machine={machine}{given}}})")
    taken = next(r.data["chosen"] for r in result.remarks if "bytes" in r.data.get("chosen", {}))
    return taken["name"], taken["cycles"]


def planned(size: int, machine: str, grid: str = "") -> tuple[str, float]:
    """What is chosen for a product of square matrices."""
    with create_context():
        return chosen(ir.Module.parse(PRODUCT.replace("S", str(size))), machine, grid)


def test_sides_that_divide_the_sizes_are_tried() -> None:
    grid, cycles = planned(2160, "wse3")
    sides = [int(side) for side in grid.split("x")]
    assert any(side & (side - 1) for side in sides), grid
    assert all(cycles < planned(2160, "wse3", given)[1] for given in ("256x256", "512x512"))


@pytest.mark.parametrize("name", ["mlp", "lstm"])
def test_no_grid_that_is_given_is_much_better(name: str) -> None:
    case = family(name)
    module = import_model(case.model, case.args).module
    run_pipeline(module.operation, named_pipeline("wafer").before("partition").text)
    best, *given = (chosen(module, "tiny", grid)[1] for grid in ("", "8x8", "8x4", "4x4", "6x6"))
    assert best <= 1.05 * min(given)


def test_few_numbers_take_few_pes() -> None:
    imported = import_model(nn.ReLU(), (torch.zeros(3),))
    choices = lower(imported.module, "tiny", {}).choices
    width, height = choices[0]["chosen"]["name"].split("x")
    assert int(width) * int(height) <= 4
