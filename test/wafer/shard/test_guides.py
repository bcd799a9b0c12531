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


class Seen(BaseException):
    """Ends a compilation that has shown what is to be seen: no pass takes it for a failure of its own."""


def test_a_guide_leaves_few_options_and_a_plan_as_good() -> None:
    """On its own grid the same plan, on another one nearly that of the narrow search."""

    def watched(main: Any, _: Any, limits: Any, cost: CostModel, *rest: Any, **options: Any) -> Any:
        def planned(side: int, guide: Guide | None = None) -> tuple[int, Any]:
            """The size of a problem, and its plan."""
            mesh = grid_mesh(side, side)
            problem = build_problem(main, mesh, cost, *rest, guide=guide)
            plan = grids.plan_for(problem, mesh, cost, width=1)
            assert plan is not None
            return problem.size, plan

        _, first = planned(4)
        guide = Guide.of(first.options)
        assert planned(4, guide)[1].cycles == pytest.approx(first.cycles)
        (few, guided), (many, free) = planned(8, guide), planned(8)
        assert few < many / 3
        assert guided.cycles < 1.3 * free.cycles
        raise Seen

    with mock.patch.object(wse_partition, "search", watched), pytest.raises(Seen):
        partitioned("residual")


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
