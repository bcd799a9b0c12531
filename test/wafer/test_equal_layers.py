"""Layers that are equal do equal things, also where a search went through each of them by another way."""

from __future__ import annotations

from functools import partial

import torch
from planning import plan_and
from torch import nn

from wse_mlir.passes.wafer.shard.choice.equal_layers import with_equal_layers
from wse_mlir.passes.wafer.shard.choice.plan import PartialPlan, Planner
from wse_mlir.passes.wafer.shard.choice.problem import Problem
from wse_mlir.passes.wafer.shard.nodes import Option

LAYERS = 6


class Layers(nn.Module):
    """Equal ones, or by turns of two kinds."""

    def __init__(self, kinds: list[type[nn.Module]]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(nn.Sequential(nn.Linear(32, 32), kind()) for kind in kinds))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layers(x)


def of_linear_layers(problem: Problem, options: tuple[Option, ...]) -> list[Option]:
    """The choices for products."""
    pairs = zip(problem.nodes, options, strict=True)
    generics = ((node.op.attributes, o) for node, o in pairs if node.op.operation.name == "linalg.generic")
    return [option for attributes, option in generics if "reduction" in str(attributes["iterator_types"])]


def different(options: list[Option]) -> int:
    """How many there are; what they say of scattering has no hash."""
    return sum(option not in options[:at] for at, option in enumerate(options))


def planned_at_random(problem: Problem, planner: Planner) -> PartialPlan:
    """One of the eight cheapest options for each operation, another one each time."""
    state = PartialPlan()
    for at, node in enumerate(problem.nodes):
        cheap = sorted(node.options, key=lambda option: option.cycles)[:8]
        state = planner.extend(state, at, node, cheap[at * 5 % len(cheap)])
    return state


def layers_become_equal(problem: Problem, planner: Planner, kinds: int) -> None:
    uneven = planner.plan_of(planned_at_random(problem, planner))
    assert different(of_linear_layers(problem, uneven.options)) > 2
    found = with_equal_layers(uneven, planner)
    assert planner.worth(found) < planner.worth(uneven)
    assert different(of_linear_layers(problem, found.options)[1:-1]) == kinds


def what_is_much_better_stays(problem: Problem, planner: Planner) -> None:
    best = planner.run(width=16)
    assert best is not None
    assert planner.worth(with_equal_layers(best, planner)) <= 1.02 * planner.worth(best)


def test_layers_become_equal() -> None:
    plan_and(partial(layers_become_equal, kinds=1), Layers([nn.Tanh] * LAYERS), (torch.randn(8, 32),), "4x4")


def test_every_second_layer_is_equal() -> None:
    model = Layers([nn.Tanh, nn.ReLU] * LAYERS)
    plan_and(partial(layers_become_equal, kinds=2), model, (torch.randn(8, 32),), "4x4")


class Behind(nn.Module):
    """Layers behind something else: the first one reads what no layer made."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = Layers([nn.Tanh] * LAYERS)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.layers(torch.cat([x, y], -1) + 1)


def the_first_layer_is_like_the_others(problem: Problem, planner: Planner) -> None:
    uneven = planner.plan_of(planned_at_random(problem, planner))
    found = with_equal_layers(uneven, planner)
    assert different(of_linear_layers(problem, found.options)[:-1]) == 1


def test_the_first_layer_reads_what_no_layer_made() -> None:
    args = torch.randn(8, 20), torch.randn(8, 12)
    plan_and(the_first_layer_is_like_the_others, Behind(), args, "4x4")


class Between(nn.Module):
    """Layers of which the last one reads something else in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.ModuleList(nn.Linear(32, 32) for _ in range(3)) for _ in range(LAYERS))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            first, second, third = layer
            inner = torch.tanh(second(torch.tanh(first(x)))) + (y if layer is self.layers[-1] else x)
            x = torch.tanh(third(inner))
        return x


def parts_of_layers_are_like_layers(problem: Problem, planner: Planner) -> None:
    uneven = planner.plan_of(planned_at_random(problem, planner))
    found = with_equal_layers(uneven, planner)
    products = of_linear_layers(problem, found.options)
    assert different(products[5::3]) == 1, "the last one is behind the layers that are equal"


def test_parts_of_layers_are_like_layers() -> None:
    plan_and(parts_of_layers_are_like_layers, Between(), (torch.randn(8, 32), torch.randn(8, 32)), "4x4")


def test_what_is_much_better_stays() -> None:
    plan_and(what_is_much_better_stays, Layers([nn.Tanh] * LAYERS), (torch.randn(8, 32),), "4x4")
