"""What a plan for one grid says of plans for others."""

from __future__ import annotations

from typing import Any
from unittest import mock

import pytest
from lowering import run
from zoo import family

from wse_mlir.frontend.imported import import_model
from wse_mlir.passes.wafer.shard import wse_partition
from wse_mlir.passes.wafer.shard.choice import grids
from wse_mlir.passes.wafer.shard.choice.guides import Guide
from wse_mlir.passes.wafer.shard.choice.problem import build_problem
from wse_mlir.passes.wafer.shard.cost import CostModel
from wse_mlir.passes.wafer.shard.layout_rules import grid_mesh
from wse_mlir.pipelines.named import named_pipeline


def partitioned(name: str) -> None:
    case = family(name)
    stages = named_pipeline("wafer").stages
    names = [stage.name for stage in stages]
    run(import_model(case.model, case.args), [s.text for s in stages[: names.index("partition") + 1]])


def test_a_guide_leaves_few_options_and_a_plan_as_good() -> None:
    """On its own grid the same plan, on another one nearly that of the narrow search."""
    seen: list[bool] = []

    def watched(main: Any, _: Any, limits: Any, cost: CostModel, *rest: Any, **options: Any) -> Any:
        def problem(side: int, guide: Guide | None = None) -> Any:
            return build_problem(main, grid_mesh(side, side), cost, *rest, guide)

        def cycles(side: int, guide: Guide | None = None) -> float:
            plan = grids.plan_for(problem(side, guide), grid_mesh(side, side), cost, width=1)
            assert plan is not None
            return plan.cycles

        first = grids.plan_for(problem(4), grid_mesh(4, 4), cost, width=1)
        assert first is not None
        guide = Guide.of(first.options)
        assert cycles(4, guide) == pytest.approx(first.cycles)
        assert problem(8, guide).size < problem(8).size / 3
        assert cycles(8, guide) < 1.3 * cycles(8)
        seen.append(True)
        return search(main, [], limits, cost, *rest, **options)

    search = wse_partition.search
    with mock.patch.object(wse_partition, "search", watched):
        partitioned("residual")
    assert seen


def test_large_problems_are_planned_by_a_guide(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[bool, int]] = []
    build = grids.build_problem

    def watched(*arguments: Any, **options: Any) -> Any:
        problem = build(*arguments, **options)
        made.append((arguments[-1] is not None and isinstance(arguments[-1], Guide), problem.size))
        return problem

    monkeypatch.setattr(grids, "_MANY", 1)
    monkeypatch.setattr(grids, "build_problem", watched)
    partitioned("mlp")
    guided = [size for by_guide, size in made if by_guide]
    assert guided and max(guided) < max(size for by_guide, size in made if not by_guide)
