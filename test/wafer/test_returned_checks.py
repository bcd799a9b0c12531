"""What a program on the wafer finds wrong with its data is raised as on the CPU."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from lowering import Function, compile_model

import wse_mlir
from wse_mlir import DivisionByZero, IndexOutOfRange

CHECKED = """
#id = affine_map<(i, j) -> (i, j)>
func.func @main(%ids: tensor<5x3xi64> {wse.kind = "input", wse.name = "0"})
    -> (tensor<5x3xi64> {wse.kind = "output", wse.name = "0"}) {
  %limit = arith.constant LIMIT : i64
  %size = arith.constant 10 : i64
  %zero = arith.constant dense<0> : tensor<i64>
  %greatest = linalg.generic {indexing_maps = [#id, affine_map<(i, j) -> ()>],
      iterator_types = ["reduction", "reduction"]} ins(%ids : tensor<5x3xi64>) outs(%zero : tensor<i64>) {
  ^bb0(%in: i64, %out: i64):
    %0 = arith.addi %in, %shift : i64
    %1 = arith.maxui %out, %0 : i64
    linalg.yield %1 : i64
  } -> tensor<i64>
  %number = tensor.extract %greatest[] : tensor<i64>
  %ok = arith.cmpi ult, %number, %limit : i64
  cf.assert %ok, "index out of range" {wse.dimension = 1 : i64, wse.index_check = "KIND"}
  %empty = tensor.empty() : tensor<5x3xi64>
  %twice = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}
      ins(%ids : tensor<5x3xi64>) outs(%empty : tensor<5x3xi64>) {
  ^bb0(%in: i64, %out: i64):
    %0 = arith.addi %in, %in : i64
    linalg.yield %0 : i64
  } -> tensor<5x3xi64>
  return %twice : tensor<5x3xi64>
}
"""


@pytest.mark.parametrize("grid", ["3x2", "1x1"])
def test_divisors_are_checked_on_the_pes(grid: str, tmp_path: Path) -> None:
    """Of several divisions the first one that is wrong is told; calls before and after are right."""
    x, y = torch.arange(-17, 18).reshape(5, 7), torch.tensor([3, -2, 1, 7, 5, -1, 4])
    z = torch.arange(1, 6, dtype=torch.int32).reshape(5, 1)
    model = Function(lambda x, y, z: (x // y, torch.fmod(x, z)))
    compiled = compile_model(model, (x, y, z), target="tiny", grid=grid)
    compiled.save(tmp_path / "model.wse")
    for some in (compiled, wse_mlir.load(tmp_path / "model.wse")):
        for a, b in zip(some(x, y, z), model(x, y, z), strict=True):
            assert torch.equal(a, b)
        none = y.clone()
        none[4] = 0
        with pytest.raises(DivisionByZero, match=r"aten\.floor_divide\): an integer is divided by zero"):
            some(x, none, torch.zeros_like(z))
        with pytest.raises(DivisionByZero, match=r"aten\.fmod"):
            some(x, y, torch.zeros_like(z))
        assert torch.equal(some(x, y, z)[0], x // y)


@pytest.mark.parametrize(("kind", "least", "limit"), [("front", 0, 10), ("either-end", -10, 20)])
def test_indices_are_checked_on_the_pes(kind: str, least: int, limit: int) -> None:
    text = CHECKED.replace("KIND", kind).replace("LIMIT", str(limit))
    text = text.replace("%shift", "%size" if kind == "either-end" else "%none")
    text = text.replace("  %size =", "  %none = arith.constant 0 : i64\n  %size =")
    ids = torch.arange(15).reshape(5, 3) % 10
    compiled = compile_model(text, (ids,), target="tiny", grid="2x2")
    assert torch.equal(compiled(ids), ids * 2)
    ids[0, 1], ids[4, 2] = least, 9
    assert torch.equal(compiled(ids), ids * 2)
    for wrong in (10, least - 1, 2**40):
        bad = ids.clone()
        bad[3, 1] = wrong
        message = rf"index {wrong} is out of range for dimension 1 of size 10, which takes {least} to 9"
        with pytest.raises(IndexOutOfRange, match=message) as raised:
            compiled(bad)
        assert (raised.value.index, raised.value.size, raised.value.dimension) == (wrong, 10, 1)
    assert torch.equal(compiled(ids), ids * 2)
