"""Every algorithm of the library on 16 x 16 PEs of `wse3`: both engines end alike, in nearly the same time."""

from __future__ import annotations

from collections.abc import Callable

import collective_programs
import numpy as np
import product_programs
import pytest
from collective_programs import X, contents, tile
from test_collectives_redistribute import held

from wse_mlir.passes.wafer.algorithms import algorithm as registry
from wse_mlir.passes.wafer.algorithms.algorithm import Choice, algorithms
from wse_mlir.passes.wafer.algorithms.fragment import (
    CollectiveRequest,
    HaloRequest,
    Line,
    ProductRequest,
    RedistributionRequest,
    Spread,
    TileWalk,
)
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.instructions import Access
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import const
from wse_mlir.wse_target.sim import Simulation

MACHINE = load_machine("wse3")
SIDE, ROW = 16, Line("x", (16, 16))
Case = tuple[Program, list[np.ndarray]]


def in_place(choice: Choice) -> Case:
    """40 elements on each PE, which change where they are."""
    request = CollectiveRequest(ROW, tile("t", 40), MACHINE, "c_", root=5)
    return collective(choice, request, [("t", 40)], ["t"], ["t"])


def collective(choice: Choice, request, buffers, inputs, outputs) -> Case:
    listed = [(name, count, "f32") for name, count in buffers]
    program = collective_programs.program_of(
        choice.build(request), ROW.grid, listed, inputs=inputs, outputs=outputs
    )
    return program, [contents(ROW.grid, dict(buffers)[name], seed=i) for i, name in enumerate(inputs)]


def block(buffer: str, length: int, *, spread: bool) -> TileWalk:
    """A PE's block of a dimension: at its place in the whole or, when not `spread`, alone."""
    return TileWalk(Access(buffer, X * length if spread else const(0), (1,)), (const(length),), "f32")


def gathered(choice: Choice) -> Case:
    own, placed = block("t", 12, spread=False), block("r", 12, spread=True)
    spread = Spread(tile("r", 12 * SIDE), 0, 12)
    request = CollectiveRequest(ROW, own, MACHINE, "g_", result=placed, spread=spread)
    return collective(choice, request, [("t", 12), ("r", 12 * SIDE)], ["t"], ["r"])


def scattered(choice: Choice) -> Case:
    request = CollectiveRequest(
        ROW, block("t", 12, spread=True), MACHINE, "s_", result=block("r", 12, spread=False)
    )
    return collective(choice, request, [("t", 12 * SIDE), ("r", 12)], ["t"], ["r"])


def shifted(choice: Choice) -> Case:
    request = CollectiveRequest(ROW, tile("t", 60), MACHINE, "h_", result=tile("r", 60), distance=3)
    return collective(choice, request, [("t", 60), ("r", 60)], ["t"], ["r"])


def with_halo(choice: Choice) -> Case:
    walk = TileWalk(Access("t", const(2), (13, 1)), (const(6), const(10)), "f32")
    request = HaloRequest(ROW, walk, 1, 2, 1, MACHINE, "n_", outside=0.0)
    return collective(choice, request, [("t", 6 * 13)], ["t"], ["t"])


def redistributed(choice: Choice) -> Case:
    """Rows over y and columns over x become rows over x and columns over y, or those of the transposed tensor."""
    grid, shape = ROW.grid, (40, 30)
    permutation = (1, 0) if choice.algorithm.operation == "transpose" else ()
    after = shape[::-1] if permutation else shape
    source, target = held("s", shape, ("y", "x"), grid), held("t", after, ("x", "y"), grid)
    request = RedistributionRequest(grid, source, target, MACHINE, "d_", permutation)
    counts = [int(np.prod(h.shape)) for h in (source, target)]
    return collective(choice, request, [("s", counts[0]), ("t", counts[1])], ["s", "t"], ["t"])


def product(choice: Choice) -> Case:
    sizes = (1, 96, 80) if choice.algorithm.operation == "matvec" else (32, 48, 32)
    request = ProductRequest((SIDE, SIDE), *sizes, "f16", "f16", MACHINE, "p_")
    tensors = product_programs.tensors(request)
    return product_programs.program_of(choice.build(request), request), list(tensors)


CASES: dict[str, Callable[[Choice], Case]] = {
    "broadcast": in_place, "reduce": in_place, "all_reduce": in_place, "all_gather": gathered,
    "reduce_scatter": scattered, "shift": shifted, "halo_exchange": with_halo, "matmul": product, "matvec": product,
    "redistribute": redistributed, "transpose": redistributed,
}  # fmt: skip

CHOICES = [c for operation in CASES for a in algorithms(operation) for c in a.choices()]


@pytest.mark.parametrize("choice", CHOICES, ids=lambda c: f"{c.algorithm.operation}-{c}")
def test_engines_agree(choice: Choice) -> None:
    program, inputs = CASES[choice.algorithm.operation](choice)
    flow, wavelet = (Simulation(program, MACHINE, engine=e).call(inputs) for e in ("flow", "wavelet"))
    for ours, theirs in zip(wavelet.outputs, flow.outputs, strict=True):
        assert ours.tobytes() == theirs.tobytes()
    for measure in ("makespan", "device"):
        expected = getattr(wavelet.report.cycles, measure)
        assert getattr(flow.report.cycles, measure) == pytest.approx(expected, rel=0.05, abs=20), measure


def test_no_operation_is_left_out() -> None:
    algorithms("reduce")  # loads the library
    assert {operation for operation, _ in registry._REGISTRY} <= set(CASES)
