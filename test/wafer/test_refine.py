"""Plans made better one operation at a time."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from planning import plan_and
from torch import nn

from wse_mlir.passes.wafer.shard.choice.plan import Planner
from wse_mlir.passes.wafer.shard.choice.problem import Problem
from wse_mlir.passes.wafer.shard.choice.refine import Refinement, follows_anywhere, refined


class MaskedSoftmax(nn.Module):
    """The mask is cheapest where it is shared most; its readers want it elsewhere."""

    def forward(self, x: torch.Tensor, position: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        visible = torch.arange(x.shape[1]) <= position
        return torch.softmax(torch.where(visible, x, -torch.inf), 1) @ y


def no_other_option_is_better(problem: Problem, planner: Planner) -> None:
    narrow = planner.run(width=1)
    assert narrow is not None
    better = refined(narrow, planner)
    assert better.cycles < narrow.cycles
    assert refined(better, planner) is better
    chosen = list(better.options)
    for at, node in enumerate(problem.nodes):
        for option in node.options:
            changed = Refinement(planner, [*chosen[:at], option, *chosen[at + 1 :]]).states[-1]
            assert planner.score(changed) >= better.cycles - 1


def scores_of_changes_are_those_of_whole_plans(problem: Problem, planner: Planner) -> None:
    plan = planner.run(width=2)
    assert plan is not None
    work, chosen = Refinement(planner, list(plan.options)), list(plan.options)
    for at, node in enumerate(problem.nodes):
        for option in node.options:
            whole = Refinement(planner, [*chosen[:at], option, *chosen[at + 1 :]]).states[-1]
            score, change = work.score_with(at, option)
            assert change == {at: option}
            assert score == pytest.approx(planner.score(whole)) or (score == whole.cycles == math.inf)


def versions_are_done_without_by_all_that_read_them(problem: Problem, planner: Planner) -> None:
    plan = planner.run(width=2)
    assert plan is not None
    work, chosen = Refinement(planner, list(plan.options), follows_anywhere), list(plan.options)
    followed = 0
    for at, node in enumerate(problem.nodes):
        for option, spared in work.without_moves(at):
            score, change = work.score_with(at, option, work.with_them, spared)
            assert spared[1] in (
                chosen[at].needs[k] for k, v in enumerate(node.op.operands) if v == spared[0]
            )
            whole = Refinement(planner, [change.get(n, own) for n, own in enumerate(chosen)]).states[-1]
            assert score == pytest.approx(planner.score(whole)) or (score == whole.cycles == math.inf)
            if score < math.inf:
                assert not any(
                    way.target == spared[1] and problem.nodes[n].op.operands[k] == spared[0]
                    for n, moves in enumerate(whole.moves)
                    for k, way in moves.items()
                    if follows_anywhere(problem.nodes[n])
                )
                followed += len(change) > 1
    assert followed


@pytest.mark.parametrize(
    "check",
    [
        no_other_option_is_better,
        scores_of_changes_are_those_of_whole_plans,
        versions_are_done_without_by_all_that_read_them,
    ],
)
def test_a_plan_that_is_refined(check: Callable[[Problem, Planner], None]) -> None:
    args = torch.randn(4, 96), torch.tensor([40]), torch.randn(96, 32)
    plan_and(check, MaskedSoftmax(), args, "16x16")
