"""Products of a vector and a matrix: results bit for bit in the order of each algorithm's sums."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pytest
from product_programs import request, run, summed, tensors

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.passes.wafer.algorithms.fragment import ProductRequest
from wse_mlir.wse_target.instructions import Vector
from wse_mlir.wse_target.sim.arithmetic import NUMPY_DTYPE, convert

NAMES = ["mesh_gemv{group=4}", "chain_allreduce_gemv", "gemv_collectives"]
TYPES = [("f32", "f32"), ("f16", "f16"), ("f16", "f32"), ("bf16", "bf16"), ("i8", "i32")]


def parts(asked: ProductRequest, a: np.ndarray, b: np.ndarray, block: int, dtype: str) -> list[np.ndarray]:
    """What each row of PEs contributes, k being cut into blocks."""
    found = []
    for start in range(0, asked.k, block):
        k = range(min(block, asked.k - start))
        found.append(summed(asked, a[:, start : start + block], b[start : start + block], k))
    return [convert(part, NUMPY_DTYPE[dtype]) for part in found]


def add(*tiles: np.ndarray) -> np.ndarray:
    """From left to right, each step rounded to the tiles' type."""
    return reduce(lambda total, tile: (total + tile).astype(total.dtype), tiles)


@pytest.mark.parametrize("name", ["chain_allreduce_gemv", "gemv_collectives"])
@pytest.mark.parametrize(("dtype", "accumulate"), TYPES)
def test_the_library_sums_along_a_chain_in_f32(name: str, dtype: str, accumulate: str) -> None:
    asked = request((3, 6), (1, 23, 10), dtype, accumulate)
    a, b = tensors(asked, seed=1)
    wide = "i32" if accumulate == "i32" else "f32"
    expected = convert(add(*reversed(parts(asked, a, b, 4, wide))), NUMPY_DTYPE[accumulate])
    np.testing.assert_array_equal(run(name, asked, a, b).outputs[0], expected)


@pytest.mark.parametrize(("dtype", "accumulate"), TYPES)
def test_mesh_gemv_sums_in_groups_towards_their_middles(dtype: str, accumulate: str) -> None:
    asked = request((3, 8), (1, 30, 7), dtype, accumulate)
    a, b = tensors(asked, seed=2)
    p = parts(asked, a, b, 4, accumulate)
    low = add(p[2], p[3], add(p[1], p[0]))
    expected = add(p[6], p[7], add(p[5], p[4]), low)
    np.testing.assert_array_equal(run("mesh_gemv{group=4}", asked, a, b).outputs[0], expected)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("grid", [(1, 1), (5, 1), (1, 9), (4, 3), (3, 16)])
@pytest.mark.parametrize("sizes", [(1, 5, 3), (1, 30, 31), (1, 1, 1)])
def test_any_grid_and_any_sizes(name: str, grid: tuple[int, int], sizes: tuple[int, int, int]) -> None:
    asked = request(grid, sizes)
    a, b = tensors(asked, whole=True)
    np.testing.assert_array_equal(run(name, asked, a, b).outputs[0], a @ b)


@pytest.mark.parametrize("name", NAMES)
def test_batches(name: str) -> None:
    asked = request((3, 5), (1, 7, 5), "f16", batch=3)
    a, b = tensors(asked, whole=True)
    np.testing.assert_array_equal(run(name, asked, a, b).outputs[0], a @ b)


def test_sums_that_the_library_has_are_not_widened() -> None:
    def conversions(accumulate: str) -> int:
        asked = request((3, 5), (1, 7, 5), "f16", accumulate)
        fragment = choose("matvec", "chain_allreduce_gemv").build(asked).fragment
        bodies = [op for part in fragment.parts for op in part.body]
        return sum(isinstance(op, Vector) and op.kind == "convert" for op in bodies)

    assert conversions("f16") > 0
    assert conversions("f32") == 0


def test_a_matrix_is_refused_by_name() -> None:
    assert "3 rows" in choose("matvec", "mesh_gemv").refuses(request((2, 2), (3, 4, 5)))
