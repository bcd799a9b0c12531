"""What a search knows of what is still to come."""

from __future__ import annotations

import pytest
import torch
from exact_plans import least_cycles
from planning import plan_and
from torch import nn

from wse_mlir.passes.wafer.shard.choice.plan import PartialPlan, Planner
from wse_mlir.passes.wafer.shard.choice.problem import Problem
from wse_mlir.passes.wafer.shard.choice.refine import refined

CHAIN = nn.Sequential(nn.Linear(96, 64), nn.ReLU(), nn.Linear(64, 32)), (torch.zeros(8, 96),)


class Softmax(nn.Module):
    """Its maximum, exponentials and sum meet again: ways part behind each of them."""

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return torch.softmax(x, 1) @ y


BRANCHES = Softmax(), (torch.zeros(4, 96), torch.zeros(96, 32))


@pytest.mark.parametrize(("case", "share"), [(CHAIN, 0.999), (BRANCHES, 0.8)])
def test_what_is_to_come_is_no_more_than_the_best_plan_takes(
    case: tuple[nn.Module, tuple[torch.Tensor, ...]], share: float
) -> None:
    """Along a chain it is just that."""

    def check(problem: Problem, planner: Planner) -> None:
        least = least_cycles(problem, planner.mesh, planner.cost, shared=False)
        bound = planner.prospects.rest[0]
        assert share * least <= bound <= 1.0001 * least, f"at least {bound:.0f}, the best takes {least:.0f}"

    plan_and(check, *case, "16x16")


def test_a_beam_of_one_finds_the_best_way_along_a_chain() -> None:
    def check(problem: Problem, planner: Planner) -> None:
        far = Planner(problem, planner.mesh, planner.cost, sees_ahead=True)
        plan = far.run(width=1)
        assert plan is not None
        assert plan.cycles == pytest.approx(least_cycles(problem, planner.mesh, planner.cost), rel=1e-3)

    plan_and(check, *CHAIN, "16x16")


def test_what_is_to_come_behind_a_whole_plan_is_nothing() -> None:
    def check(problem: Problem, planner: Planner) -> None:
        plan, prospects = planner.run(width=2), planner.prospects
        assert plan is not None
        assert prospects.rest[len(problem.nodes)] == 0
        state = PartialPlan()
        for at, (node, option) in enumerate(zip(problem.nodes, plan.options, strict=True)):
            state = planner.extend(state, at, node, option)
            left = prospects.rest[at + 1] + prospects.ahead(state.layouts.items(), at)
            assert state.cycles + left <= plan.cycles + 1  # ways are not shared here
        assert prospects.ahead(state.layouts.items(), len(problem.nodes) - 1) == 0

    plan_and(check, *CHAIN, "16x16")


def test_choosing_anew_makes_no_plan_worse() -> None:
    def check(problem: Problem, planner: Planner) -> None:
        narrow = planner.run(width=1)
        assert narrow is not None
        once, longer = refined(narrow, planner), refined(narrow, planner, is_thorough=True)
        assert planner.worth(longer) <= planner.worth(once) + 1

    plan_and(check, *BRANCHES, "16x16")
