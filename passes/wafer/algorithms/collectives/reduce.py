"""Reduce along lines: the tiles of each line summed (or multiplied, or their extremes taken) on its root.

Works in place: afterwards the root's tile holds the result, those of the other PEs are undefined. The order of
operations is the plan's (`reduction_plan.py`): own, first child, second child, ..., each rounded to the tile's type.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from .....wse_target.instructions import Receive, Relay, Send
from ..algorithm import Algorithm, register
from ..fragment import CollectiveRequest, Fragment
from . import reduction_plan as plans
from .auto_tree import plan_for_words
from .costs import Costs, tile_words
from .line_program import LineProgram, at_least_one_loop
from .reduction_plan import ROOT, ReductionPlan
from .wires import colour_edges

ReductionPlanner = Callable[..., ReductionPlan]  # (request, **options) -> plan
_PLANS = 1 << 10  # that are kept: of few sizes plans are wanted often
_RELAYS, _SENDS = 1 << 20, 1 << 21  # ranks behind those of the children that come before


def build_plan(request: CollectiveRequest, plan: ReductionPlan) -> Fragment:
    """The program of a plan: each PE takes its children's tiles, relays the last one, or sends when it has none."""
    program, tile = LineProgram(request.line, request.prefix), at_least_one_loop(request.tile)
    senders = [x for x, parent in enumerate(plan.parents) if parent != ROOT]
    numbers = colour_edges([(x, plan.parents[x]) for x in senders])
    colour = {x: program.name(f"up{number}") for x, number in zip(senders, numbers, strict=True)}
    rank = dict(zip(senders, numbers, strict=True))
    for x in senders:
        program.wires.connect(colour[x], x, plan.parents[x])
    for x, children in enumerate(plan.children):
        relayed = plan.relayed(x)
        for place, child in enumerate(children):
            if child != relayed:
                receive = Receive(colour[child], tile.bounds, tile.access, request.combine)
                program.add(x, (place, rank[child], 0), receive)
        if relayed is not None:
            relay = Relay(colour[relayed], colour[x], tile.bounds, tile.access, request.combine)
            program.add(x, (_RELAYS, rank[relayed], rank[x]), relay)
        elif x in colour:
            program.add(x, (_SENDS, rank[x], 0), Send(colour[x], tile.bounds, tile.access))
    return program.fragment()


@dataclass(frozen=True)
class _Size:
    """All of a request that a plan depends on."""

    extent: int
    root: int
    words: int
    costs: Costs

    @staticmethod
    def of(request: CollectiveRequest) -> _Size:
        words = tile_words(request.tile, request.line.grid)
        return _Size(request.line.extent, request.root, words, Costs.of_request(request))

    @property
    def sides(self) -> tuple[int, int]:
        """PEs from the root to the low and to the high end, the root in both."""
        return self.root + 1, self.extent - self.root

    def joined(self, one_side: Sequence[Sequence[int]]) -> ReductionPlan:
        """The plan whose sides are these, for tiles of so many words."""
        return plans.both_sides(self.extent, self.root, one_side).settled(self.words, self.costs)


def plan_chain(request: CollectiveRequest) -> ReductionPlan:
    """See `reduction_plan.chain`."""
    return plans.chain(request.line.extent, request.root)


def plan_tree(request: CollectiveRequest) -> ReductionPlan:
    """Binary trees on both sides of the root."""
    return _tree(_Size.of(request))


@lru_cache(maxsize=_PLANS)
def _tree(size: _Size) -> ReductionPlan:
    return size.joined([plans.binary(count) for count in size.sides])


def plan_two_phase(request: CollectiveRequest, *, group: int = 0) -> ReductionPlan:
    """Groups on both sides of the root; of the sizes near the best one, about sqrt(P), the cheapest if `group` is 0."""
    return _two_phase(_Size.of(request), group)


@lru_cache(maxsize=_PLANS)
def _two_phase(size: _Size, group: int) -> ReductionPlan:
    if group:
        return size.joined([plans.two_phase(count, group) for count in size.sides])
    middle = math.isqrt(max(size.sides))
    groups = {2**power for power in range(size.extent.bit_length())}
    groups |= {near for near in range(middle - 2, middle + 3) if near > 0}
    tried = (_two_phase(size, near) for near in sorted(groups))
    return min(tried, key=lambda plan: plan.cycles(size.words, size.costs))


def plan_auto_tree(request: CollectiveRequest) -> ReductionPlan:
    """The trees that `auto_tree.plan_for_words` finds for both sides of the root."""
    return _auto_tree(_Size.of(request))


@lru_cache(maxsize=_PLANS)
def _auto_tree(size: _Size) -> ReductionPlan:
    return size.joined([plan_for_words(count, size.words, size.costs).parents for count in size.sides])


@lru_cache(maxsize=_PLANS)
def _colours(plan: ReductionPlan) -> int:
    edges = [(x, p) for x, p in enumerate(plan.parents) if p != ROOT]
    return 1 + max(colour_edges(edges), default=-1)


def _register(name: str, summary: str, planner: ReductionPlanner, **options: int) -> Algorithm:
    def build(request: CollectiveRequest, **chosen: int) -> Fragment:
        return build_plan(request, planner(request, **chosen))

    def cycles(request: CollectiveRequest, **chosen: int) -> float:
        words = tile_words(request.tile, request.line.grid)
        return planner(request, **chosen).cycles(words, Costs.of_request(request))

    def refuses(request: CollectiveRequest, **chosen: int) -> str:
        needed, there = _colours(planner(request, **chosen)), len(request.machine.usable_colours)
        return f"it needs {needed} colours, of which there are {there}" if needed > there else ""

    return register(Algorithm(name, "reduce", summary, build, cycles, refuses, options))


CHAIN = _register("chain", "each PE adds its own to its neighbour's and passes it on", plan_chain)
TREE = _register("tree", "a binary tree: fewest steps that depend on each other", plan_tree)
TWO_PHASE = _register(
    "two_phase", "chains in groups, then over the groups' first PEs", plan_two_phase, group=0
)
AUTO_TREE = _register(
    "auto_tree", "the tree that a dynamic program finds for the line and the tile", plan_auto_tree
)
