"""What products cost: predictions against the simulator, and the simulator against measurements."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from product_programs import WSE3, program_of, request

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.passes.wafer.algorithms.fragment import ProductRequest
from wse_mlir.wse_target.machine import Machine
from wse_mlir.wse_target.sim import Simulation

MATMUL = ["mesh_gemm", "mesh_gemm{aligned=2}", "cannon", "summa_collectives", "summa_multicast_pipelined"]
MATVEC = ["mesh_gemv{group=4}", "chain_allreduce_gemv", "gemv_collectives"]
MEASURED = Path(__file__).parents[3] / "bench" / "data" / "calibration.csv"


def simulated(name: str, asked: ProductRequest, repeat: int = 1) -> float:
    """Cycles of a repetition."""
    operation = "matvec" if "gemv" in name else "matmul"
    program = program_of(choose(operation, name).build(asked), asked)
    report = Simulation(program, asked.machine, timing_only=True).call([], repeat=repeat).report
    return report.cycles.device if repeat > 1 else report.cycles.makespan


def predicted(name: str, asked: ProductRequest) -> float:
    return choose("matvec" if "gemv" in name else "matmul", name).cycles(asked)


@pytest.mark.parametrize("name", MATMUL)
@pytest.mark.parametrize(
    ("grid", "sizes"), [((4, 4), (64, 64, 64)), ((3, 6), (30, 30, 30)), ((5, 4), (9, 17, 12))]
)
def test_prediction_of_matmul(name: str, grid: tuple[int, int], sizes: tuple[int, int, int]) -> None:
    asked = request(grid, sizes, "f16")
    assert predicted(name, asked) == pytest.approx(simulated(name, asked), rel=0.15)


@pytest.mark.parametrize("name", MATVEC)
@pytest.mark.parametrize(("grid", "sizes"), [((4, 30), (1, 300, 40)), ((8, 5), (1, 333, 90))])
def test_prediction_of_matvec(name: str, grid: tuple[int, int], sizes: tuple[int, int, int]) -> None:
    asked = request(grid, sizes, "f16")
    assert predicted(name, asked) == pytest.approx(simulated(name, asked), rel=0.1)


@pytest.mark.parametrize(("tile", "best"), [(2, "mesh_gemm"), (24, "summa_multicast_pipelined")])
def test_small_tiles_favour_rings_and_large_ones_multicasts(tile: int, best: str) -> None:
    side = 12
    asked = request((side, side), (side * tile, side * tile, side * tile), "f16")
    names = ["mesh_gemm", "summa_multicast_pipelined", "summa_collectives"]
    assert min(names, key=lambda name: predicted(name, asked)) == best
    assert min(names, key=lambda name: simulated(name, asked)) == best


def per_step(name: str, tile: int, machine: Machine = WSE3) -> float:
    """Cycles a step, from two grids small enough for a test: what does not grow with the steps cancels out."""
    small, large = (
        simulated(name, request((side, side), (side * tile,) * 3, "f16", machine=machine))  # type: ignore[arg-type]
        for side in (6, 12)
    )
    return (large - small) / 6


def rows(program: str) -> list[dict[str, str]]:
    with MEASURED.open(newline="") as file:
        return [row for row in csv.DictReader(file) if row["program"] == program]


@pytest.mark.parametrize("row", rows("matmul"), ids=lambda r: f"{r['algorithm']}-{r['P']}-{r['M']}")
def test_a_step_of_a_measured_product_takes_what_was_measured(row: dict[str, str]) -> None:
    side = int(row["P"])
    measured = float(row["cycles"]) / side
    assert per_step(row["algorithm"], int(row["M"]) // side) == pytest.approx(measured, rel=0.08)


@pytest.mark.parametrize("row", rows("matvec"), ids=lambda r: f"{r['algorithm']}-{r['P']}-{r['N']}")
def test_measured_products_of_vectors(row: dict[str, str]) -> None:
    side, k, n = int(row["P"]), int(row["K"]), int(row["N"])
    column = request((1, side), (1, k, n // side), "f16")  # columns of PEs know nothing of each other
    assert simulated(row["algorithm"], column, repeat=3) == pytest.approx(float(row["cycles"]), rel=0.08)


@pytest.mark.parametrize("name", ["mesh_gemm", "cannon", "summa_collectives", "summa_multicast_pipelined"])
def test_half_the_vector_rate_costs_the_arithmetic_again(name: str) -> None:
    tile, rate = 16, WSE3.rate("fma", "f16")
    slow = WSE3.replace(rates__fma={"default": 0.5, "f16": rate / 2})
    assert per_step(name, tile, slow) - per_step(name, tile) == pytest.approx(tile**3 / rate, rel=0.05)


def test_hops_cost_a_chain_its_length_and_a_ring_next_to_nothing() -> None:
    far = WSE3.replace(fabric__hop_latency=2 * WSE3.fabric.hop_latency)
    assert per_step("mesh_gemm", 12, far) == pytest.approx(per_step("mesh_gemm", 12), rel=0.02)
    side = 60
    column, stretched = (request((1, side), (1, side, 4), "f16", machine=m) for m in (WSE3, far))
    # Every hop is crossed once by the sum and once by the broadcast.
    added = simulated("chain_allreduce_gemv", stretched) - simulated("chain_allreduce_gemv", column)
    assert added == pytest.approx(2 * (side - 1) * WSE3.fabric.hop_latency, rel=0.05)


def test_queues_of_one_word_never_make_anything_faster() -> None:
    shallow = WSE3.replace(queues__input=[1] * 8, queues__output=[1] * 8)
    for name, tile in (("mesh_gemm", 3), ("summa_multicast_pipelined", 6), ("summa_collectives", 6)):
        assert per_step(name, tile, shallow) >= per_step(name, tile) * 0.999
