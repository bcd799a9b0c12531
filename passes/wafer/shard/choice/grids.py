"""Which grid of PEs a program runs on: shapes are tried where the operations' least cycles leave room for better."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from .....wse_target.layout.mesh import Mesh
from ....infra.diagnostics import PassFailure
from ..cost import CostModel
from ..layout_rules import grid_mesh
from ..nodes import Node
from .equal_layers import with_equal_layers
from .guides import Guide
from .plan import Plan, Planner
from .problem import Problem, build_problem, moves_only
from .product_options import ProductOptions
from .refine import follows_anywhere, refined
from .sub_axes import factored_meshes

FINAL_WIDTH = 16  # of the beam on a grid that is given, or one of the best
_FINALISTS = 2
_MANY = 3000  # options of a problem: with more, grids are compared by what one plan chose, and the beam is narrower
_OVERFLOW = 1e4  # cycles that a byte too much counts as: a plan that fits always wins
_MANY_IN_FACTORS = (
    8000  # options with columns in factors, which have more ways to each other: too many to try
)
_FACTORS = 2  # ways to cut columns in two that a thorough search tries
_WIDTH_IN_FACTORS = 4  # of its beams, which see ahead; what they miss is found when plans are made better
_PROMISING = 3  # plans that a thorough search makes better, at most
_HOPELESS = (
    1.5  # times what the best plan takes: changes of operations seldom gain so much more on another one
)
_SLACK = 1.05  # a narrow search may miss so much of what the whole beam finds
_SLACK_OF_FACTORS = 1.4  # the same with columns in factors, which have many more layouts to miss
_WORSE = 2  # grids in a row after which no larger or smaller ones are tried
_NEAR = 1.2  # how many times as long a side is at least that is tried beside another one
_HEAVIEST = 2  # operations whose sizes say which sides leave no PE with less than others

_THRIFT = 0.1  # cycles that a byte counts as where a plan takes much memory
_GAIN = 0.95  # times the cycles with whole axes that factors of them have to come below

Tried = tuple[Plan, Problem]
GridExtent = tuple[int, int]


@dataclass(frozen=True)
class Searched:
    """What came of a search.

    Attributes:
        plan / problem: the cheapest plan; where none fits the SRAM, the one that is over by the least.
        tried: all plans that were made.
        given_up: grids, as "WxH", on which no plan can be better than one that was known.
    """

    plan: Plan
    problem: Problem
    tried: list[Plan]
    given_up: list[str]


@dataclass
class GridSearch:
    """Plans for the grids of one machine.

    Attributes:
        found: by width and height what was planned; None where no plan can be better than one that is known.
    """

    main: Any
    cost: CostModel
    free: frozenset[int]
    products: ProductOptions
    found: dict[GridExtent, Tried | None] = field(default_factory=dict)
    guide: Guide | None = None

    def run(self, width: int, height: int) -> list[Tried]:
        """Plans for grids up to a size, of which the best ones are searched for with the whole beam."""
        sides = [2**n for n in range(max(width, height).bit_length())] + [max(width, height)]
        squares = list(dict.fromkeys((min(side, width), min(side, height)) for side in sides))
        first = min(range(len(squares)), key=lambda n: self._balance(squares[n]))
        self._climb(squares[first:])
        self._climb(squares[first::-1])
        w, h = self.best
        beside = [(w, h // 2), (w // 2, h), (2 * w, h // 2), (w // 2, 2 * h), (w, 1), (2 * w, 1), (w * h, 1)]
        for grid in beside:
            self._try_within(grid, width, height)
        even = self._even_sides(max(width, height))
        for sides in (
            [s for s in even if s > max(self.best)],
            [s for s in reversed(even) if s < min(self.best)],
        ):
            self._climb([(min(s, width), min(s, height)) for s in _spread(sides)], worse=1)
        return self._look_again()

    @property
    def best(self) -> GridExtent:
        """The grid whose plan is the best one so far."""
        return min((g for g, tried in self.found.items() if tried), key=self._order)

    def _score(self, grid: GridExtent) -> float:
        tried = self.found.get(grid)
        return score_of(tried[0], self.cost) if tried else math.inf

    def _order(self, grid: GridExtent) -> tuple[float, int]:
        """Of two as good the smaller one."""
        return self._score(grid), grid[0] * grid[1]

    def _climb(self, grids: Sequence[GridExtent], worse: int = _WORSE) -> None:
        """Tries grids until they have become worse some times in a row."""
        least, since = math.inf, 0
        for grid in grids:
            self._try(grid)
            since = 0 if self._score(grid) < least else since + 1
            least = min(least, self._score(grid))
            if since >= worse and least < _OVERFLOW:
                return

    def _try_within(self, grid: GridExtent, width: int, height: int) -> None:
        if 1 <= grid[0] <= width and 1 <= grid[1] <= height:
            self._try(grid)

    def _try(self, grid: GridExtent) -> None:
        """Plans for a grid, unless its PEs have more to compute than a plan takes that is known."""
        if grid in self.found:
            return
        known = [score_of(tried[0], self.cost) for tried in self.found.values() if tried]
        limit = min(known, default=math.inf)
        self.found[grid] = None
        if self.work / (grid[0] * grid[1]) > limit or (self.guide is not None and min(grid) == 1):
            return
        mesh = grid_mesh(*grid)
        problem = build_problem(self.main, mesh, self.cost, self.free, self.products, self.guide)
        plan = plan_for(problem, mesh, self.cost, width=1, limit=_SLACK * limit)
        self.found[grid] = None if plan is None else (plan, problem)
        if plan is not None and plan.stuck is None and min(grid) > 1 and problem.size > _MANY:
            self.guide = self.guide or Guide.of(plan.options)

    def _look_again(self) -> list[Tried]:
        """All plans, the best ones searched for with the whole beam."""
        order = sorted((g for g, tried in self.found.items() if tried), key=self._order)
        for grid in order[: _FINALISTS if self.guide is None else 1]:
            tried = self.found[grid]
            assert tried is not None
            plan, problem = tried
            if self.guide is not None:
                problem = _problem(self.main, plan.mesh, self.cost, self.free, self.products)
            wider = plan_for(problem, plan.mesh, self.cost, width=width_for(problem))
            if wider is not None and score_of(wider, self.cost) < score_of(plan, self.cost):
                self.found[grid] = wider, problem
        return [tried for tried in self.found.values() if tried]

    @cached_property
    def _alone(self) -> Problem:
        """What one PE would have to do."""
        return build_problem(self.main, grid_mesh(1, 1), self.cost, self.free, self.products)

    @cached_property
    def work(self) -> float:
        """Cycles that one PE would take, which many have to share."""
        return sum(map(_least, self._alone.nodes))

    def _balance(self, grid: GridExtent) -> float:
        """A first guess at cycles: work is shared, and some word crosses the grid for every operation."""
        hops = len(self._alone.nodes) * max(grid) * self.cost.machine.fabric.hop_latency
        return self.work / (grid[0] * grid[1]) + hops

    def _even_sides(self, most: int) -> list[int]:
        """Sides over which the largest operations' loops are spread without a PE that has less than the others."""
        heavy = sorted(self._alone.nodes, key=_least, reverse=True)[:_HEAVIEST]
        sizes = {
            n for node in heavy for option in node.options for layout in option.gives for n in layout.shape
        }
        near = range(max(2, min(self.best) // 2), min(most, 2 * max(self.best)) + 1)
        return sorted({side for size in sizes for side in near if size % side == 0})


def _spread(sides: Sequence[int]) -> Iterator[int]:
    """Those of ascending or descending sides that differ by some factor from the last one."""
    last = 0
    for side in sides:
        if not last or max(side / last, last / side) >= _NEAR:
            last = side
            yield side


def _least(node: Node) -> float:
    return min((option.cycles for option in node.options), default=0.0)


def _with_factors(
    main: Any, whole: Tried, cost: CostModel, free: frozenset[int], products: ProductOptions
) -> list[Tried]:
    """A plan for the same grid with an axis in factors, if that is better by far; none where an algorithm is forced."""
    plan, problem = whole
    is_large = problem.size > _MANY or not problem.has_dear
    if products.forced or products.combining or plan.stuck is not None or is_large:
        return []
    mesh = next(iter(factored_meshes(plan.mesh, problem.nodes)), None)
    if mesh is None:
        return []
    limit = _GAIN * score_of(plan, cost)
    factored = build_problem(main, mesh, cost, free, products)
    if factored.size > _MANY_IN_FACTORS:
        return []
    if plan_for(factored, mesh, cost, width=1, limit=_SLACK_OF_FACTORS * limit) is None:
        return []  # a narrow beam misses what pays late
    found = plan_for(factored, mesh, cost, width=FINAL_WIDTH, limit=limit)
    better = found is not None and found.stuck is None and score_of(found, cost) < limit
    return [(found, factored)] if found is not None and better else []


def _with_many_factors(
    main: Any, whole: Tried, cost: CostModel, free: frozenset[int], products: ProductOptions
) -> list[Tried]:
    """Plans with an axis in factors, with and without thrift, whatever they take: they are made better afterwards."""
    plan, problem = whole
    if products.forced or products.combining or plan.stuck is not None:
        return []
    found: list[Tried] = []
    for mesh in factored_meshes(plan.mesh, problem.nodes)[:_FACTORS]:
        factored = _problem(main, mesh, cost, free, products)
        if factored.size > _MANY_IN_FACTORS:
            continue
        width = _WIDTH_IN_FACTORS if factored.has_dear else 1
        for thrift in (0.0, _THRIFT):
            planner = Planner(factored, mesh, cost, thrift=thrift, sees_ahead=True)
            made = planner.run(width=width)
            if made is not None and made.stuck is None:
                found.append((made, factored))
    return found


def search(
    main: Any,
    meshes: Sequence[Mesh],
    limits: GridExtent,
    cost: CostModel,
    free: frozenset[int],
    products: ProductOptions,
    *,
    is_thorough: bool = False,
) -> Searched:
    """The cheapest plan.

    Args:
        is_thorough: looks longer for plans with columns in factors, and makes plans better by larger changes.
        meshes: to plan for; none: any grid up to `limits`.
    """
    found: list[Tried] = []
    given_up: list[str] = []
    if meshes:
        for mesh in meshes:
            problem = _problem(main, mesh, cost, free, products)
            plan = plan_for(problem, mesh, cost, width=width_for(problem))
            assert plan is not None, "no limit was set"
            found.append((plan, problem))
    else:
        grids = GridSearch(main, cost, free, products)
        found = grids.run(*limits)
        given_up = [f"{w}x{h}" for (w, h), tried in grids.found.items() if tried is None]
    best_whole = min(found, key=lambda tried: (score_of(tried[0], cost), tried[0].mesh.rect.size))
    better = (_thorough if is_thorough else _quick)(main, best_whole, cost, free, products)
    best, problem = min(better, key=lambda tried: score_of(tried[0], cost))
    found = [tried for tried in found if tried is not best_whole] + better
    if best.stuck is not None:
        raise PassFailure(
            best.stuck,
            "no way is known to bring the operands of this operation to where it could be computed",
            hint="use another grid, or target='cpu'",
        )
    return Searched(best, problem, [plan for plan, _ in found if plan.stuck is None], given_up)


def _quick(
    main: Any, whole: Tried, cost: CostModel, free: frozenset[int], products: ProductOptions
) -> list[Tried]:
    """A plan made better, and one with columns in factors."""
    better = _refined(whole, cost, is_thorough=False)
    factored = _with_factors(main, better, cost, free, products)
    return [better, *(_refined(tried, cost, is_thorough=False) for tried in factored)]


def _thorough(
    main: Any, whole: Tried, cost: CostModel, free: frozenset[int], products: ProductOptions
) -> list[Tried]:
    """The most promising plans for a grid, with axes whole and in factors, made better."""
    tried = [whole, *_with_sight(whole, cost), *_with_many_factors(main, whole, cost, free, products)]
    tried.sort(key=lambda one: score_of(one[0], cost))
    least = score_of(tried[0][0], cost)
    promising = [one for one in tried[:_PROMISING] if score_of(one[0], cost) <= _HOPELESS * least]
    return [_refined(one, cost, is_thorough=True) for one in promising]


def _problem(
    main: Any, mesh: Mesh, cost: CostModel, free: frozenset[int], products: ProductOptions
) -> Problem:
    """What a beam of full width is for: where there are very many options, those that may be worth their cycles."""
    problem = build_problem(main, mesh, cost, free, products)
    if problem.size <= _MANY:
        return problem
    return build_problem(main, mesh, cost, free, products, dear=False)


def _with_sight(tried: Tried, cost: CostModel) -> list[Tried]:
    """What a beam finds for the same grid that sees ahead."""
    plan, problem = tried
    other = plan_for(problem, plan.mesh, cost, width=width_for(problem), sees_ahead=True)
    return [] if other is None or other.stuck is not None else [(other, problem)]


def _refined(tried: Tried, cost: CostModel, *, is_thorough: bool) -> Tried:
    plan, problem = tried
    planner = Planner(problem, plan.mesh, cost, sees_ahead=is_thorough)
    follows = follows_anywhere if is_thorough else moves_only
    better = refined(plan, planner, follows, is_thorough=is_thorough)
    return with_equal_layers(better, planner), problem


def width_for(problem: Problem) -> int:
    """The width of the beam on a grid that is given, or one of the best."""
    return max(1, min(FINAL_WIDTH, FINAL_WIDTH * _MANY // max(1, problem.size)))


def score_of(plan: Plan, cost: CostModel) -> float:
    """Cycles, with bytes that are too many counted in."""
    return plan.cost + _OVERFLOW * max(0, plan.peak - cost.sram)


def plan_for(
    problem: Problem,
    mesh: Mesh,
    cost: CostModel,
    *,
    width: int,
    limit: float = math.inf,
    sees_ahead: bool = False,
) -> Plan | None:
    """The best plan for one mesh; None where none is below a limit.

    A plan that takes much memory is held against thriftier ones: a beam that counts no bytes is soon full of states
    that differ in what they repeat.
    """
    plan = Planner(problem, mesh, cost, sees_ahead=sees_ahead).run(width=width, limit=limit)
    for thrift, much in ((_THRIFT, cost.sram // 2), (10.0, cost.sram)):
        if plan is not None and plan.peak > much:
            planner = Planner(problem, mesh, cost, thrift=thrift, sees_ahead=sees_ahead)
            thrifty = planner.run(width=width)
            plan = plan if thrifty is None else min(plan, thrifty, key=lambda p: score_of(p, cost))
    return plan
