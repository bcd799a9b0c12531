"""What the search for a plan is given, to look at while its IR is there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
from lowering import run
from torch import nn

from wse_mlir.frontend.imported import import_model
from wse_mlir.passes.wafer.shard import wse_partition
from wse_mlir.passes.wafer.shard.choice.plan import Planner
from wse_mlir.passes.wafer.shard.choice.problem import Problem, build_problem
from wse_mlir.passes.wafer.shard.cost import CostModel
from wse_mlir.pipelines.named import named_pipeline


def plan_and(
    check: Callable[[Problem, Planner], None], model: nn.Module, args: tuple[torch.Tensor, ...], grid: str
) -> None:
    """Runs a check on what is planned for a model on a grid of `wse3`."""
    search, checked = wse_partition.search, list[Problem]()

    def watched(main: Any, meshes: Any, limits: Any, cost: CostModel, *rest: Any, **options: Any) -> Any:
        problem = build_problem(main, meshes[0], cost, *rest)
        check(problem, Planner(problem, meshes[0], cost))
        checked.append(problem)
        return search(main, meshes, limits, cost, *rest, **options)

    pipeline = named_pipeline("wafer").override(partition=f"wse-partition{{machine=wse3 grid={grid}}}")
    stages = [stage.text for stage in pipeline.stages]
    with mock.patch.object(wse_partition, "search", watched):
        imported = import_model(model, args)
        run(imported, stages[: [stage.name for stage in pipeline.stages].index("partition") + 1])
    assert len(checked) == 1
