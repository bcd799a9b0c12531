"""SUMMA: results bit for bit in the order of k, on any grid and of any sizes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from product_programs import program_of, request, run, summed, tensors

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.wse_target.instructions import Instruction, Loop, Receive
from wse_mlir.wse_target.quasi_affine import const
from wse_mlir.wse_target.sim import Simulation

NAMES = ["summa_collectives", "summa_multicast_pipelined"]
TYPES = [("f32", "f32"), ("f16", "f16"), ("f16", "f32"), ("bf16", "bf16"), ("i8", "i32")]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("dtype", "accumulate"), TYPES)
@pytest.mark.parametrize("grid", [(4, 4), (3, 5)])
def test_every_element_is_summed_in_the_order_of_k(
    name: str, dtype: str, accumulate: str, grid: tuple[int, int]
) -> None:
    asked = request(grid, (9, 14, 11), dtype, accumulate)
    a, b = tensors(asked, seed=4)
    expected = summed(asked, a, b, range(asked.k))
    np.testing.assert_array_equal(run(name, asked, a, b).outputs[0], expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("grid", [(1, 1), (1, 3), (4, 1), (2, 2), (2, 6), (5, 3), (6, 6)])
@pytest.mark.parametrize("sizes", [(7, 5, 9), (1, 13, 2), (12, 24, 6)])
def test_any_grid_and_any_sizes(name: str, grid: tuple[int, int], sizes: tuple[int, int, int]) -> None:
    asked = request(grid, sizes)
    a, b = tensors(asked, whole=True)
    np.testing.assert_array_equal(run(name, asked, a, b).outputs[0], a @ b)


@pytest.mark.parametrize("name", NAMES)
def test_batches(name: str) -> None:
    asked = request((3, 2), (4, 7, 5), batch=3)
    a, b = tensors(asked, whole=True)
    np.testing.assert_array_equal(run(name, asked, a, b).outputs[0], a @ b)


@pytest.mark.parametrize("name", NAMES)
def test_a_panel_that_is_put_in_the_wrong_place_gives_a_wrong_answer(name: str) -> None:
    asked = request((3, 3), (12, 12, 12))
    a, b = tensors(asked, whole=True)
    program = program_of(choose("matmul", name).build(asked), asked)

    def misplaced(body: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
        return tuple(
            replace(op, body=misplaced(op.body)) if isinstance(op, Loop)
            else replace(op, dst=replace(op.dst, offset=const(0))) if isinstance(op, Receive)
            else op
            for op in body
        )  # fmt: skip

    broken = replace(program, classes=tuple(replace(c, body=misplaced(c.body)) for c in program.classes))
    result = Simulation(broken, asked.machine).call([a, b]).outputs[0]
    assert not np.array_equal(result, a @ b)
