"""Collectives along one factor of the grid's x: the answer needs each message, and each addition of parts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from knocks import Change, combines, drop, is_message, knocked, overwrite

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.runtime.wafer.image_builder import build_image
from wse_mlir.wse_target.analysis.deadlock import verdict
from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.instructions import Instruction
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim.simulation import simulate

TINY = load_machine("tiny")
MESH = "xo:2 xi:3; y:2 at (0, 0)"
DIGITS = {"xo": ("xo:2/6", "y:2/6 xi:3/2", "xo:2/1"), "xi": ("xi:3/4", "y:2/6 xo:2/3", "xi:3/1")}

X = np.random.default_rng(0).integers(-9, 10, (12, 12)).astype(np.float32)
EXPECTED = X - X.sum(0)

PROGRAM = """
#all = affine_map<(i, j) -> (i, j)>
#columns = affine_map<(i, j) -> (j)>
#held = #wse.layout<"[{rows}, {columns}] on {mesh}">
#sums = #wse.layout<"[{columns}] on {mesh}">
#cut = #wse.layout<"[{columns} {part}] on {mesh}">
#parts = #wse.layout<"[{columns}] on {mesh}, partial add over {axis}">
func.func @main(%a: tensor<12x12xf32>) -> tensor<12x12xf32>
    attributes {{wse.machine = "tiny", wse.rect = #wse.rect<0, 0, 6, 2>}} {{
  %zero = arith.constant dense<0.0> : tensor<12xf32>
  %empty = tensor.empty() : tensor<12x12xf32>
  %x = "wse.scatter"(%a) {{layout = #held}} : (tensor<12x12xf32>) -> tensor<12x12xf32>
  %sum = linalg.generic {{indexing_maps = [#all, #columns], iterator_types = ["reduction", "parallel"]}}
      ins(%x : tensor<12x12xf32>) outs(%zero : tensor<12xf32>)
      attrs = {{wse.iterators = #held, wse.layouts = [#parts]}} {{
  ^bb0(%e: f32, %acc: f32):
    %s = arith.addf %acc, %e : f32
    linalg.yield %s : f32
  }} -> tensor<12xf32>
  {collectives}
  %left = linalg.generic {{indexing_maps = [#all, #columns, #all], iterator_types = ["parallel", "parallel"]}}
      ins(%x, %r : tensor<12x12xf32>, tensor<12xf32>) outs(%empty : tensor<12x12xf32>)
      attrs = {{wse.iterators = #held, wse.layouts = [#held]}} {{
  ^bb0(%e: f32, %s: f32, %o: f32):
    %d = arith.subf %e, %s : f32
    linalg.yield %d : f32
  }} -> tensor<12x12xf32>
  %g = "wse.gather"(%left) {{layout = #held}} : (tensor<12x12xf32>) -> tensor<12x12xf32>
  return %g : tensor<12x12xf32>
}}
"""


def _op(name: str, operand: str, result: str, attributes: str) -> str:
    return f'{result} = "wse.{name}"({operand}) {{axis = "AXIS", {attributes}}} : (tensor<12xf32>) -> tensor<12xf32>\n'


def _all_reduce(algorithm: str) -> str:
    return _op("all_reduce", "%sum", "%r", f'kind = "add", algorithm = "{algorithm}", layout = #sums')


COLLECTIVES = {
    "all_reduce by chain": _all_reduce("chain"),
    "all_reduce by tree": _all_reduce("tree"),
    "all_reduce by ring": _all_reduce("ring"),
    "reduce, broadcast": _op(
        "reduce", "%sum", "%0", 'kind = "add", root = 1, algorithm = "chain", layout = #sums'
    )
    + _op("broadcast", "%0", "%r", 'root = 1, algorithm = "multicast", layout = #sums'),
    "reduce_scatter, all_gather": _op(
        "reduce_scatter", "%sum", "%0",
        'kind = "add", dim = 0, algorithm = "ring", source_layout = #sums, layout = #cut',
    )
    + _op("all_gather", "%0", "%r", 'dim = 0, algorithm = "multicast", source_layout = #cut, layout = #sums'),
}  # fmt: skip


def program_along(axis: str, collectives: str) -> Program:
    rows, columns, part = DIGITS[axis]
    text = PROGRAM.format(
        rows=rows, columns=columns, part=part, mesh=MESH, axis=axis,
        collectives=collectives.replace("AXIS", axis),
    )  # fmt: skip
    with create_context():
        module = ir.Module.parse(text)
        run_pipeline(module, "builtin.module(wse-emit-programs,wse-route,wse-plan-memory)")
        return build_image(module.operation)


def is_right(program: Program) -> bool:
    """Whether it comes to its end, with the right numbers."""
    try:
        return np.array_equal(simulate(program, TINY, [X]).outputs[0], EXPECTED)
    except TargetError:
        return False


@pytest.mark.parametrize("axis", DIGITS)
@pytest.mark.parametrize("name", COLLECTIVES)
def test_no_message_and_no_part_can_be_missed(name: str, axis: str) -> None:
    program = program_along(axis, COLLECTIVES[name])
    assert is_right(program) and verdict(program, TINY).outcome == "free"
    knocks: list[tuple[Callable[[Instruction], bool], Change]] = [(is_message, drop), (combines, overwrite)]
    for wanted, change in knocks:
        for number, changed in enumerate(knocked(program, wanted, change)):
            assert not is_right(changed), (change.__name__, number)
