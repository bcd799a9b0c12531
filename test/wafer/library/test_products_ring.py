"""Products on rings: results bit for bit, on square and other grids, sizes that divide and that do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from product_programs import program_of, request, run, summed, tensors

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.passes.wafer.algorithms.products.cannon import usable
from wse_mlir.wse_target.instructions import Instruction, Loop
from wse_mlir.wse_target.sim import Simulation

NAMES = ["mesh_gemm", "mesh_gemm{aligned=0}", "mesh_gemm{aligned=2 packed=1}", "cannon"]
TYPES = [("f32", "f32"), ("f16", "f16"), ("f16", "f32"), ("bf16", "f32"), ("bf16", "bf16"), ("i8", "i32")]


def ring_order(name: str, extent: int) -> list[int]:
    """Blocks of k in order of labels."""
    if name == "cannon":
        return list(range(extent))
    return [*range(0, extent, 2), *reversed(range(1, extent, 2))]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("dtype", "accumulate"), TYPES)
def test_every_element_is_summed_in_the_order_in_which_blocks_pass(
    name: str, dtype: str, accumulate: str
) -> None:
    side, block = 5, 3
    asked = request((side, side), (side * 2, side * block, side * 4), dtype, accumulate)
    a, b = tensors(asked, seed=3, whole=dtype == "i8")
    result = run(name, asked, a, b).outputs[0]
    ring = ring_order(name, side)
    for y in range(side):
        for x in range(side):
            first = ring.index(x) + ring.index(y)
            blocks = [ring[(first - step) % side] for step in range(side)]
            order = [at * block + i for at in blocks for i in range(block)]
            rows, columns = slice(2 * y, 2 * y + 2), slice(4 * x, 4 * x + 4)
            expected = summed(asked, a[rows], b[:, columns], order)
            np.testing.assert_array_equal(result[rows, columns], expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("grid", [(1, 1), (1, 3), (4, 1), (2, 2), (2, 6), (6, 3), (5, 3), (7, 7)])
@pytest.mark.parametrize("sizes", [(7, 5, 9), (1, 13, 2), (12, 24, 12)])
def test_any_grid_and_any_sizes(name: str, grid: tuple[int, int], sizes: tuple[int, int, int]) -> None:
    asked = request(grid, sizes)
    a, b = tensors(asked, whole=True)
    np.testing.assert_array_equal(run(name, asked, a, b).outputs[0], a @ b)


@pytest.mark.parametrize("name", NAMES)
def test_batches(name: str) -> None:
    asked = request((3, 3), (4, 7, 5), batch=3)
    a, b = tensors(asked, whole=True)
    np.testing.assert_array_equal(run(name, asked, a, b).outputs[0], a @ b)


@pytest.mark.parametrize("grid", [(3, 3), (4, 4), (2, 6), (3, 1)])
def test_operands_stay_as_they_came(grid: tuple[int, int]) -> None:
    asked = request(grid, (4, 7, 5))
    a, b = tensors(asked, whole=True)
    program = program_of(choose("matmul", "mesh_gemm").build(asked), asked)
    resident = replace(program, scatters=tuple(replace(t, resident=True) for t in program.scatters))
    simulation = Simulation(resident, asked.machine).load({0: a, 1: b})
    for _ in range(2):
        np.testing.assert_array_equal(simulation.call([]).outputs[0], a @ b)


def test_the_used_part_of_a_grid_has_one_side_dividing_the_other() -> None:
    assert usable((750, 994)) == (750, 750)
    assert usable((100, 30)) == (90, 30)
    assert usable((3, 8)) == (3, 6)
    assert usable((8, 4)) == (8, 4)


def test_dropping_the_rotation_gives_a_wrong_answer() -> None:
    asked = request((3, 3), (6, 6, 6))
    a, b = tensors(asked, whole=True)
    program = program_of(choose("matmul", "mesh_gemm").build(asked), asked)

    def without(body: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
        return tuple(op for op in body if not (isinstance(op, Loop) and op.variable == "round"))

    broken = replace(program, classes=tuple(replace(c, body=without(c.body)) for c in program.classes))
    result = Simulation(broken, asked.machine).call([a, b]).outputs[0]
    assert not np.array_equal(result, a @ b)


def test_options_are_checked() -> None:
    asked = request((3, 3), (6, 6, 6))
    assert "aligned" in choose("matmul", "mesh_gemm{aligned=3}").refuses(asked)
    assert "packed" in choose("matmul", "mesh_gemm{packed=2}").refuses(asked)
    assert not choose("matmul", "mesh_gemm").refuses(asked)


def test_operands_that_come_in_place_are_not_rotated_and_packed_ones_are_half_as_many_words() -> None:
    asked = request((6, 6), (96, 96, 96), "f16")
    a, b = tensors(asked, whole=True)
    plain, in_place, packed = (
        run(name, asked, a, b) for name in ("mesh_gemm", "mesh_gemm{aligned=0}", "mesh_gemm{packed=1}")
    )
    for result in (in_place, packed):
        np.testing.assert_array_equal(result.outputs[0], plain.outputs[0])
        assert result.report.cycles.makespan < plain.report.cycles.makespan
    words = [int(r.report.links.sum()) for r in (plain, packed)]
    assert words[0] == 2 * words[1]
