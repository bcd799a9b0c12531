"""Plans of least cycles by integer programming: what the planner's search is measured against. Memory is left out.

Every node has one option. A value is where its producer leaves it (an argument where the host first brings it) and is
moved from there to wherever options need it, once for all that need it alike.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import lil_array

from wse_mlir.dialects.host import ir
from wse_mlir.passes.wafer.shard.choice.plan import Planner
from wse_mlir.passes.wafer.shard.choice.problem import Problem
from wse_mlir.passes.wafer.shard.cost import CostModel
from wse_mlir.wse_target.layout.mesh import Mesh
from wse_mlir.wse_target.layout.tensor_layout import TensorLayout

Row = tuple[dict[int, float], float, float]  # coefficients by variable, least and most


class _Program:
    """Binary variables with costs, and rows of constraints."""

    def __init__(self) -> None:
        self.costs: list[float] = []
        self.rows: list[Row] = []

    def variable(self, cost: float) -> int:
        self.costs.append(cost)
        return len(self.costs) - 1

    def one_of(self, variables: Iterable[int]) -> None:
        self.rows.append((dict.fromkeys(variables, 1.0), 1.0, 1.0))

    def implies(self, one: int, others: Iterable[int]) -> None:
        """A variable is set only if some other one is."""
        self.rows.append(({**dict.fromkeys(others, 1.0), one: -1.0}, 0.0, math.inf))

    def least(self) -> float:
        matrix = lil_array((len(self.rows), len(self.costs)))
        for number, (row, _, _) in enumerate(self.rows):
            for variable, factor in row.items():
                matrix[number, variable] = factor
        limits = LinearConstraint(matrix.tocsr(), [r[1] for r in self.rows], [r[2] for r in self.rows])
        ones = np.ones(len(self.costs))
        found = milp(self.costs, constraints=limits, bounds=Bounds(0, ones), integrality=ones)
        assert found.success, found.message
        return float(found.fun)


def least_cycles(problem: Problem, mesh: Mesh, cost: CostModel, *, shared: bool = True) -> float:
    """Cycles of the best plan there is, each value moved only from where it was made.

    Args:
        shared: whether a value that several operations need alike is moved once for all of them.
    """
    planner, program = Planner(problem, mesh, cost), _Program()
    made: dict[ir.Value, dict[TensorLayout, list[int]]] = defaultdict(lambda: defaultdict(list))
    needed: dict[ir.Value, dict[tuple[TensorLayout, int], list[int]]] = defaultdict(lambda: defaultdict(list))
    for at, node in enumerate(problem.nodes):
        chosen = [program.variable(option.cycles) for option in node.options]
        program.one_of(chosen)
        for variable, option in zip(chosen, node.options, strict=True):
            for value, given in zip(node.results, option.gives, strict=True):
                made[value][given].append(variable)
            for value, position, layout in planner.wanted(node, option):
                if value not in planner.free and position not in option.brought:
                    needed[value][layout, 0 if shared else at].append(variable)
    for value, layouts in needed.items():
        if value not in made:  # the host brings it to one place
            first = {layout: program.variable(0.0) for layout, _ in layouts}
            program.one_of(first.values())
            made[value].update({layout: [variable] for layout, variable in first.items()})
        for (layout, _), readers in layouts.items():
            moves = []
            for source, makers in made[value].items():
                way = cost.ways.fastest(source, layout, planner.dtypes[value])
                if way is not None:
                    moves.append(program.variable(way.cycles if source != layout else 0.0))
                    program.implies(moves[-1], makers)
            for reader in readers:
                program.implies(reader, moves)
    return program.least()
