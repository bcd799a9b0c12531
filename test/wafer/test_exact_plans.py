"""The planner's search against an exact solver."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from exact_plans import least_cycles
from lowering import run
from zoo import family

from wse_mlir.frontend.imported import import_model
from wse_mlir.passes.wafer.shard import wse_partition
from wse_mlir.passes.wafer.shard.cost import CostModel
from wse_mlir.pipelines.named import named_pipeline


@pytest.mark.parametrize(
    ("name", "grid"), [("mlp", "8x8"), ("lstm", "2x2"), ("residual", "2x1"), ("decode", "4x1")]
)
def test_plans_are_within_a_twentieth_of_the_best(name: str, grid: str) -> None:
    """Memory is not scarce here."""
    case, compared = family(name), list[tuple[float, float]]()
    search = wse_partition.search

    def watched(main: Any, meshes: Any, limits: Any, cost: CostModel, *rest: Any, **options: Any) -> Any:
        found = search(main, meshes, limits, cost, *rest, **options)
        plan, problem = found.plan, found.problem
        assert plan.peak <= cost.sram
        compared.append((plan.cycles, least_cycles(problem, plan.mesh, cost)))
        return found

    pipeline = named_pipeline("wafer").override(partition=f"wse-partition{{machine=tiny grid={grid}}}")
    names = [stage.name for stage in pipeline.stages]
    with mock.patch.object(wse_partition, "search", watched):
        imported = import_model(case.model, case.args)
        run(imported, [s.text for s in pipeline.stages[: names.index("partition") + 1]])
    ((planned, least),) = compared
    assert planned <= 1.05 * least, f"{planned:.0f} cycles are planned, {least:.0f} are possible"
