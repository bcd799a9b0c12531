"""Queues of a PE for colours: no queue serves two at a time, and the longest messages have the deepest ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .colour_use import Spans, apart


@dataclass
class OutOfQueues(Exception):
    """There is no way found to give colours queues.

    Attributes:
        names: those that a PE uses at a time, where these are more than queues; or the one that got none, and those
            that it cannot share a queue with.
        at_a_time: whether `names` are more than there are queues.
    """

    names: list[str]
    at_a_time: bool


def choose_queues(order: Sequence[str], spans: Mapping[str, Spans], depths: Sequence[int]) -> dict[str, int]:
    """A queue for each colour, by name; `order` has the longest messages first.

    They choose in that order. Where that leaves somebody without a queue, they choose once more, those first for which
    fewest queues are left (D. Brelaz, "New methods to color the vertices of a graph", 1979): what is long, but overlaps
    with little, can take what the others leave.

    Raises:
        OutOfQueues: somebody is without a queue again.
    """
    clashes = {name: set[str]() for name in order}
    for at, name in enumerate(order):
        for other in order[:at]:
            if not apart(spans[name], spans[other]):
                clashes[name].add(other)
                clashes[other].add(name)
    by_depth = sorted(range(len(depths)), key=lambda queue: -depths[queue])
    found = _chosen(order, clashes, by_depth, fewest_left_first=False)
    if len(found) < len(order):
        found = _chosen(order, clashes, by_depth, fewest_left_first=True)
    if len(found) == len(order):
        return found
    most = _most_at_a_time(order, spans)
    if len(most) > len(depths):
        raise OutOfQueues(most, at_a_time=True)
    without = next(
        n for n in order if n not in found and len({found.get(o) for o in clashes[n]} - {None}) == len(depths)
    )
    raise OutOfQueues([without, *(n for n in order if n in clashes[without])], at_a_time=False)


def _chosen(
    order: Sequence[str], clashes: Mapping[str, set[str]], by_depth: Sequence[int], *, fewest_left_first: bool
) -> dict[str, int]:
    """Queues for colours, one after the other, until somebody finds none."""
    chosen: dict[str, int] = {}
    taken = {name: set[int]() for name in order}
    left = list(order)
    while left:
        name = max(left, key=lambda n: (len(taken[n]), len(clashes[n]))) if fewest_left_first else left[0]
        free = next((queue for queue in by_depth if queue not in taken[name]), None)
        if free is None:
            break
        left.remove(name)
        chosen[name] = free
        for other in clashes[name]:
            taken[other].add(free)
    return chosen


def _most_at_a_time(order: Sequence[str], spans: Mapping[str, Spans]) -> list[str]:
    """The colours of the moment at which a PE uses most of them."""
    moments: dict[object, list[tuple[int, int, str]]] = {}
    for name in order:
        for group, stretches in spans[name].items():
            moments.setdefault(group, []).extend((first, last, name) for first, last in stretches)
    best: list[str] = []
    for uses in moments.values():
        for begin, _, _ in uses:
            live = {name for first, last, name in uses if first <= begin <= last}
            if len(live) > len(best):
                best = [name for name in order if name in live]
    return best
