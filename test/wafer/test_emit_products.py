"""Products by the library's algorithms inside of programs: operands from the host or from other operations."""

from collections.abc import Iterator

import numpy as np
import pytest
from lowering import blocks

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_manager import PipelineFailure, run_pipeline
from wse_mlir.runtime.wafer.image_builder import build_image
from wse_mlir.wse_target.analysis.deadlock import verdict
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim.simulation import simulate

TINY = load_machine("tiny")
MAPS = """
#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (k, n)>
#c = affine_map<(m, n, k) -> (m, n)>
#id = affine_map<(i, j) -> (i, j)>
"""


@pytest.fixture(autouse=True)
def context() -> Iterator[None]:
    with create_context():
        yield


def tensor(rows: int, columns: int) -> str:
    return f"tensor<{rows}x{columns}xf32>"


def product(
    a: str, b: str, result: str, sizes: tuple[int, int, int], algorithm: str, grid: tuple[int, int]
) -> str:
    m, k, n = sizes
    layout = blocks((m, n), "yx", grid)
    ta, tb, tc = tensor(m, k), tensor(k, n), tensor(m, n)
    return f"""
      {result}_zero = arith.constant dense<0.0> : {tc}
      {result} = linalg.generic {{indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}}
          ins({a}, {b} : {ta}, {tb}) outs({result}_zero : {tc})
          attrs = {{wse.algorithm = "{algorithm}", wse.layouts = [{layout}]}} {{
        ^bb0(%l: f32, %r: f32, %acc: f32):
          %p = arith.mulf %l, %r : f32
          %s = arith.addf %acc, %p : f32
          linalg.yield %s : f32
      }} -> {tc}"""


def lowered(
    grid: tuple[int, int], arguments: list[tuple[int, int]], body: str, shape: tuple[int, int]
) -> Program:
    """`body` defines %r, in blocks of rows along y and columns along x, from %s0, %s1, ..., scattered like that."""
    result = tensor(*shape)
    rect = f"#wse.rect<0, 0, {grid[0]}, {grid[1]}>"
    taken = ", ".join(f"%a{i}: {tensor(*shape)}" for i, shape in enumerate(arguments))
    scatters = "\n".join(
        f'%s{i} = "wse.scatter"(%a{i}) {{layout = {blocks(s, "yx", grid)}}} : ({tensor(*s)}) -> {tensor(*s)}'
        for i, s in enumerate(arguments)
    )
    text = f"""{MAPS}
    func.func @main({taken}) -> {result} attributes {{wse.machine = "tiny", wse.rect = {rect}}} {{
      {scatters}
      {body}
      %g = "wse.gather"(%r) {{layout = {blocks(shape, "yx", grid)}}} : ({result}) -> {result}
      return %g : {result}
    }}"""
    module = ir.Module.parse(text)
    run_pipeline(module, "builtin.module(wse-emit-programs,wse-route,wse-plan-memory)")
    return build_image(module.operation)


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(-4, 5, shape).astype(np.float32)


@pytest.mark.parametrize("grid", [(3, 3), (4, 2), (5, 3)])
@pytest.mark.parametrize(
    "algorithm",
    ["cannon", "mesh_gemm", "mesh_gemm{aligned=2}", "summa_collectives", "summa_multicast_pipelined"],
)
def test_operands_from_the_host(algorithm: str, grid: tuple[int, int]) -> None:
    a, b = random(7, 11), random(11, 10)
    body = product("%s0", "%s1", "%r", (7, 11, 10), algorithm, grid)
    program = lowered(grid, [a.shape, b.shape], body, (7, 10))
    np.testing.assert_array_equal(simulate(program, TINY, [a, b]).outputs[0], a @ b)
    assert verdict(program, TINY).outcome == "free"


@pytest.mark.parametrize("algorithm", ["cannon", "mesh_gemm{aligned=2}", "summa_collectives"])
def test_products_between_other_operations(algorithm: str) -> None:
    """(-(A B)) C: the first result is read by an elementwise operation, whose result the second product takes."""
    a, b, c = random(6, 9), random(9, 12), random(12, 8)
    first, last = ("mesh_gemm", algorithm) if algorithm == "cannon" else (algorithm, algorithm)
    held = blocks((6, 12), "yx", (3, 3))
    negate = f"""
      %empty = tensor.empty() : {tensor(6, 12)}
      %n = linalg.generic {{indexing_maps = [#id, #id], iterator_types = ["parallel", "parallel"]}}
          ins(%f : {tensor(6, 12)}) outs(%empty : {tensor(6, 12)})
          attrs = {{wse.iterators = {held}, wse.layouts = [{held}]}} {{
        ^bb0(%l: f32, %o: f32):
          %v = arith.negf %l : f32
          linalg.yield %v : f32
      }} -> {tensor(6, 12)}"""
    body = product("%s0", "%s1", "%f", (6, 9, 12), first, (3, 3)) + negate
    body += product("%n", "%s2", "%r", (6, 12, 8), last, (3, 3))
    program = lowered((3, 3), [a.shape, b.shape, c.shape], body, (6, 8))
    np.testing.assert_array_equal(simulate(program, TINY, [a, b, c]).outputs[0], -(a @ b) @ c)
    assert verdict(program, TINY).outcome == "free"


def test_an_operand_in_another_layout_is_refused() -> None:
    """The first product's result feeds the second as its right operand, whose blocks come rotated for mesh_gemm."""
    a, b = random(6, 6), random(6, 6)
    body = product("%s0", "%s1", "%f", (6, 6, 6), "mesh_gemm", (3, 3))
    body += product("%s2", "%f", "%r", (6, 6, 6), "mesh_gemm", (3, 3))
    with pytest.raises(PipelineFailure, match="algorithm 'mesh_gemm' does not keep operand 1 as layout"):
        lowered((3, 3), [a.shape, b.shape, a.shape], body, (6, 6))


def test_the_host_brings_operands_straight_to_the_library() -> None:
    body = product("%s0", "%s1", "%r", (6, 6, 6), "cannon", (3, 3))
    program = lowered((3, 3), [(6, 6), (6, 6)], body, (6, 6))
    assert {t.access.buffer for t in program.scatters} == {"generic_c0_a", "generic_c0_b"}
    assert {t.access.buffer for t in program.gathers} == {"generic_c0_c"}
