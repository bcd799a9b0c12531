"""All-reduce along lines, in place: every PE of a line ends up with the combined tile.

Multicast being free, a reduction followed by a broadcast from its root is usually best (HPDC24).
"""

from __future__ import annotations

from dataclasses import replace

from ..algorithm import Algorithm, register
from ..fragment import CollectiveRequest, Fragment, sequence
from . import broadcast, reduce, star
from . import reduction_plan as plans
from .costs import Costs, tile_words
from .reduction_plan import ReductionPlan


def _of_reduction(reduction: Algorithm) -> Algorithm:
    """Reduce to the request's root by an algorithm, then multicast from there."""

    def build(request: CollectiveRequest, **options: int) -> Fragment:
        fragments = [reduction.build(request, **options), broadcast.build(request)]
        return sequence(fragments, request.line.grid)

    def cycles(request: CollectiveRequest, **options: int) -> float:
        return reduction.cycles(request, **options) + broadcast.cycles(request)

    summary = f"reduce by {reduction.name}, then multicast"
    return register(
        Algorithm(
            reduction.name, "all_reduce", summary, build, cycles, reduction.refuses, dict(reduction.options)
        )
    )


def _two_level(request: CollectiveRequest, group: int) -> ReductionPlan:
    return plans.two_level(request.line.extent, min(group or 15, request.line.extent))


def build_k_tree(request: CollectiveRequest, *, group: int = 0) -> Fragment:
    """The two-level tree, whose root is its own choice: the middle one of the groups' middles."""
    plan = _two_level(request, group)
    fragments = [reduce.build_plan(request, plan), broadcast.build(replace(request, root=plan.root))]
    return sequence(fragments, request.line.grid)


def cycles_of_k_tree(request: CollectiveRequest, *, group: int = 0) -> float:
    """The plan's cost and the broadcast's."""
    plan = _two_level(request, group)
    words = tile_words(request.tile, request.line.grid)
    return plan.cycles(words, Costs.of_request(request)) + broadcast.cycles(replace(request, root=plan.root))


STAR = _of_reduction(star.STAR)
CHAIN = _of_reduction(reduce.CHAIN)
TREE = _of_reduction(reduce.TREE)
TWO_PHASE = _of_reduction(reduce.TWO_PHASE)
AUTO_TREE = _of_reduction(reduce.AUTO_TREE)
K_TREE = register(
    Algorithm(
        "k_tree",
        "all_reduce",
        "inside groups both ends towards the middle, then the middles likewise, then multicast (WaferLLM, K = 2)",
        build_k_tree,
        cycles_of_k_tree,
        options={"group": 15},
    )
)
