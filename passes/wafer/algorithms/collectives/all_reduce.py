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


def rooted(request: CollectiveRequest, middle: int) -> CollectiveRequest:
    """The request with its root in the middle of the line, if so wanted: half as far from both ends."""
    return replace(request, root=request.line.extent // 2) if middle else request


def _of_reduction(reduction: Algorithm, *, tried_in_the_middle: bool = False) -> Algorithm:
    """Reduce by an algorithm, to the request's root or to the middle of the line, then multicast from there.

    Trees towards the middle, whose root hears from twice as many children, need more colours and text than they are
    worth where others want them too: they are there to be asked for.
    """

    def build(request: CollectiveRequest, middle: int = 0, **options: int) -> Fragment:
        request = rooted(request, middle)
        fragments = [reduction.build(request, **options), broadcast.build(request)]
        return sequence(fragments, request.line.grid)

    def cycles(request: CollectiveRequest, middle: int = 0, **options: int) -> float:
        request = rooted(request, middle)
        return reduction.cycles(request, **options) + broadcast.cycles(request)

    def refuses(request: CollectiveRequest, middle: int = 0, **options: int) -> str:
        return reduction.refuses(rooted(request, middle), **options)

    return register(
        Algorithm(
            reduction.name,
            "all_reduce",
            f"reduce by {reduction.name}, then multicast; `middle=1`: by way of the middle of the line",
            build,
            cycles,
            refuses,
            {**reduction.options, "middle": 0},
            ({"middle": 1},) if tried_in_the_middle else (),
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
CHAIN = _of_reduction(reduce.CHAIN, tried_in_the_middle=True)
TREE = _of_reduction(reduce.TREE)
TWO_PHASE = _of_reduction(reduce.TWO_PHASE, tried_in_the_middle=True)
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
