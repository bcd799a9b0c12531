"""Programs of products are proven free of deadlock, up to grids of the size of a wafer."""

from __future__ import annotations

import pytest
from product_programs import WSE3, program_of, request

from wse_mlir.passes.wafer.algorithms.algorithm import Algorithm, Choice, algorithms
from wse_mlir.wse_target.analysis.deadlock import verdict

PRODUCTS = [a for operation in ("matmul", "matvec") for a in algorithms(operation)]
SMALL_PART = 10_000_000  # of work; PEs times steps are forty times as many at the size of a wafer


def outcome(algorithm: Algorithm, side: int, work: int) -> str:
    rows = 1 if algorithm.operation == "matvec" else side * 6
    asked = request((side, side), (rows, side * 6, side * 6), "f16")
    program = program_of(Choice(algorithm, dict(algorithm.options)).build(asked), asked)
    return verdict(program, WSE3, work).outcome


@pytest.mark.parametrize("algorithm", PRODUCTS, ids=lambda a: a.name)
def test_products_are_free(algorithm: Algorithm) -> None:
    assert outcome(algorithm, 30, SMALL_PART) == "free"


@pytest.mark.parametrize("algorithm", [a for a in PRODUCTS if a.name == "cannon"], ids=lambda a: a.name)
def test_products_on_whole_wafers_are_free(algorithm: Algorithm) -> None:
    assert outcome(algorithm, 720, SMALL_PART) == "free"
