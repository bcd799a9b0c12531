"""Both engines on every product: the same bits, and times within max(5%, 20 cycles)."""

from __future__ import annotations

import numpy as np
import pytest
from product_programs import program_of, request, tensors

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.wse_target.sim import Simulation

CASES = [
    ("matmul", "mesh_gemm", (6, 6), (20, 18, 24)),
    ("matmul", "mesh_gemm{aligned=2}", (4, 8), (16, 17, 9)),
    ("matmul", "cannon", (5, 5), (11, 15, 20)),
    ("matmul", "summa_collectives", (5, 6), (10, 21, 12)),
    ("matmul", "summa_multicast_pipelined", (6, 5), (24, 13, 20)),
    ("matvec", "mesh_gemv{group=5}", (3, 16), (1, 48, 30)),
    ("matvec", "chain_allreduce_gemv", (3, 12), (1, 40, 20)),
    ("matvec", "gemv_collectives", (6, 8), (1, 30, 25)),
]


@pytest.mark.parametrize(("operation", "name", "grid", "sizes"), CASES)
def test_engines_agree(operation: str, name: str, grid: tuple[int, int], sizes: tuple[int, int, int]) -> None:
    asked = request(grid, sizes, "f16")
    a, b = tensors(asked, seed=7)
    program = program_of(choose(operation, name).build(asked), asked)
    flow, wavelet = (
        Simulation(program, asked.machine, engine=engine).call([a, b])  # type: ignore[arg-type]
        for engine in ("flow", "wavelet")
    )
    np.testing.assert_array_equal(flow.outputs[0], wavelet.outputs[0])
    expected = wavelet.report.cycles.makespan
    assert abs(flow.report.cycles.makespan - expected) <= max(0.05 * expected, 20)
