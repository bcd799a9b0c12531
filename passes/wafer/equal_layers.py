"""Makes layers that are equal do equal things, where that costs next to nothing.

A beam finds many ways through a network that take nearly the same time, and may go through each layer by another one.
PEs run what is equal as a loop; what differs is program text, of which they have 48 KiB together with their data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from .emit.repeats import Repeat, repeats
from .nodes import Node, Option
from .plan import Plan, Planner, State

_DEARER = 1.005  # what equal layers may score, as a share of what the plan did
_WAYS = 8  # through a layer that are tried for all of them
_LEAST_TRIPS = 3  # of two layers, the first and the last, each has neighbours of its own

Choice = tuple[Option, ...]  # of the operations of a layer


def with_equal_layers(plan: Plan, planner: Planner) -> Plan:
    """A plan with fewer different layers that is hardly dearer, or the same plan."""
    if plan.stuck is not None:
        return plan
    chosen = list(plan.options)
    limit = _DEARER * planner.worth(plan)
    for repeat in _layers(planner.problem.nodes):
        chosen = _with_fewer(chosen, repeat, planner, limit)
    return plan if chosen == list(plan.options) else _plan_of(chosen, planner)


def _with_fewer(chosen: list[Option], repeat: Repeat, planner: Planner, limit: float) -> list[Option]:
    """The choices with the fewest different ones for the trips of `repeat`; of several the best."""

    def different(choices: list[Option]) -> int:
        return len(_distinct(_choices(choices, repeat)))

    best, least = chosen, (different(chosen), planner.worth(_plan_of(chosen, planner)))
    templates = _distinct([*_choices(chosen, repeat), *_ways_through(chosen, repeat, planner)])
    for changed in _candidates(chosen, repeat, planner.problem.nodes, templates):
        kinds = different(changed)
        if kinds <= least[0]:
            worth = planner.worth(_plan_of(changed, planner))
            if worth <= limit and (kinds, worth) < least:
                best, least = changed, (kinds, worth)
    return best


def _ways_through(chosen: list[Option], repeat: Repeat, planner: Planner) -> list[Choice]:
    """Good ways through the second layer, with all in front of it as it is."""
    begin = repeat.start + repeat.period
    beam = [_extended(State(), chosen[:begin], planner)]
    for at in range(begin, begin + repeat.period):
        beam = planner.step(beam, at, planner.problem.nodes[at], _WAYS)
    return [state.chosen[begin:] for state in beam]


def _candidates(
    chosen: list[Option], repeat: Repeat, nodes: Sequence[Node], templates: Sequence[Choice]
) -> Iterator[list[Option]]:
    """All layers as a template says; the same without the first one, the last one, or both."""
    for template in templates:
        for first in (0, 1):
            for last in (repeat.trips, repeat.trips - 1):
                changed = list(chosen)
                begin, end = repeat.start + first * repeat.period, repeat.start + last * repeat.period
                for at in range(begin, end):
                    changed[at] = template[(at - repeat.start) % repeat.period]
                if all(changed[at] in nodes[at].options for at in range(begin, end)):
                    yield changed


def _choices(chosen: Sequence[Option], repeat: Repeat) -> list[Choice]:
    places = range(repeat.start, repeat.stop, repeat.period)
    return [tuple(chosen[at : at + repeat.period]) for at in places]


def _distinct(choices: Sequence[Choice]) -> list[Choice]:
    found = list[Choice]()
    for choice in choices:
        if choice not in found:
            found.append(choice)
    return found


def _plan_of(chosen: Sequence[Option], planner: Planner) -> Plan:
    final = _extended(State(), chosen, planner)
    if final.cycles == math.inf:
        return Plan(planner.mesh, (), (), math.inf, 0, 0)
    return planner.plan_of(final)


def _extended(state: State, choices: Sequence[Option], planner: Planner) -> State:
    """A state of the search after the next operations."""
    for at, option in enumerate(choices, len(state.chosen)):
        state = planner.extend(state, at, planner.problem.nodes[at], option)
        if state.cycles == math.inf:
            break
    return state


def _layers(nodes: Sequence[Node]) -> list[Repeat]:
    """What follows itself, the longest stretches first; none has an operation in common with another.

    A stretch that ends within a layer is there a second time, with that layer's begin at its end: what the last layers
    do is known to all of them then.
    """
    kinds, taken, found = _kinds(nodes), [False] * len(nodes), list[Repeat]()
    all_found = [repeat for _, repeat in repeats(kinds, [1] * len(nodes), [True] * len(nodes))]
    for repeat in all_found:
        if repeat.trips < _LEAST_TRIPS or any(taken[repeat.start : repeat.stop]):
            continue
        taken[repeat.start : repeat.stop] = [True] * (repeat.stop - repeat.start)
        found.append(repeat)
        same = (r for r in all_found if (r.period, r.trips) == (repeat.period, repeat.trips))
        in_first_layer = range(repeat.start, repeat.start + repeat.period)
        latest = max((r for r in same if r.start in in_first_layer), key=lambda r: r.start)
        found += [latest] if latest != repeat else []
    return found


def _kinds(nodes: Sequence[Node]) -> list[int]:
    """A number for each operation, the same for those that do the same with what operations as far before them made."""
    numbers: dict[Any, int] = {}
    makers = {result: at for at, node in enumerate(nodes) for result in node.results}
    found = []
    for at, node in enumerate(nodes):
        op = node.op.operation
        types = tuple(str(value.type) for value in (*node.operands, *node.results))
        attributes = tuple((name, str(op.attributes[name])) for name in sorted(op.attributes))
        sources = tuple(at - makers[value] if value in makers else None for value in node.operands)
        body = tuple(inner.operation.name for region in op.regions for block in region for inner in block)
        found.append(numbers.setdefault((op.name, types, attributes, body, sources), len(numbers)))
    return found
