"""Makes layers that are equal do equal things, where that costs next to nothing.

A beam finds many ways through a network that take nearly the same time, and may go through each layer by another one.
PEs run what is equal as a loop; what differs is program text, of which they have 48 KiB together with their data.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from .....wse_target.layout.tensor_layout import TensorLayout
from ...emit.repeats import Repeat, repeats
from ..nodes import Node, Option
from .plan import PartialPlan, Plan, Planner

_DEARER = 1.02  # what equal layers may score, as a share of what the plan did
_WAYS = 8  # through a layer that are tried for all of them
_LEAST_TRIPS = 3  # of two layers, the first and the last, each has neighbours of its own
_LEAST_PERIOD = 12  # operations of layers that read what others made in other places, and may be two

LayerOptions = tuple[Option, ...]  # of the operations of a layer


@dataclass(frozen=True)
class _Entry:
    """What the first layer reads of an operation before it, and the others of the layer before them.

    Attributes:
        before / inside: the operation that makes it, and which of its results that is.
    """

    before: tuple[int, int]
    inside: tuple[int, int]

    def differs(self, choices: Sequence[Option]) -> bool:
        """Whether the two are laid out in another way."""
        return self.layout(choices, self.before) != self.layout(choices, self.inside)

    @staticmethod
    def layout(choices: Sequence[Option], made: tuple[int, int]) -> TensorLayout:
        """How a result is laid out."""
        at, number = made
        return choices[at].gives[number]


@dataclass(frozen=True)
class _Margins:
    """Parts of layers around those of a repeat, whose operations do the same, and read what others made.

    Attributes:
        front / behind: how many operations in front of the first trip are as the end of one, and behind the last one as
            the begin.
    """

    front: int
    behind: int

    @staticmethod
    def of(repeat: Repeat, kinds: Sequence[int]) -> _Margins:
        """Those of a repeat among operations of these kinds."""
        start, period, front, behind = repeat.start, repeat.period, 0, 0
        while front < min(period, start) and kinds[start - front - 1] == kinds[start - front - 1 + period]:
            front += 1
        while (
            behind < min(period, len(kinds) - repeat.stop)
            and kinds[repeat.stop + behind] == kinds[repeat.stop + behind - period]
        ):
            behind += 1
        return _Margins(front, behind)

    def different(self, choices: Sequence[Option], repeat: Repeat) -> int:
        """How many of the two are done in another way than in the trip beside them."""
        start, stop, period = repeat.start, repeat.stop, repeat.period
        front, behind = range(start - self.front, start), range(stop, stop + self.behind)
        return int(any(choices[at] != choices[at + period] for at in front)) + int(
            any(choices[at] != choices[at - period] for at in behind)
        )


def with_equal_layers(plan: Plan, planner: Planner) -> Plan:
    """A plan with fewer different layers that is hardly dearer, or the same plan."""
    if plan.stuck is not None:
        return plan
    chosen = list(plan.options)
    limit = _DEARER * planner.worth(plan)
    kinds = _kinds(planner.problem.nodes, by_sources=False)
    for repeat in _layers(planner.problem.nodes):
        chosen = _with_fewer(chosen, repeat, _Margins.of(repeat, kinds), planner, limit)
    return plan if chosen == list(plan.options) else _plan_of(chosen, planner)


def _with_fewer(
    chosen: list[Option], repeat: Repeat, margins: _Margins, planner: Planner, limit: float
) -> list[Option]:
    """The choices with the fewest different ones for the trips of `repeat`; of several the best."""
    nodes = planner.problem.nodes
    entries = _entries(repeat, nodes)

    def different(choices: list[Option]) -> int:
        entered = sum(entry.differs(choices) for entry in entries)
        return len(_distinct(_choices(choices, repeat))) + entered + margins.different(choices, repeat)

    best, least = chosen, (different(chosen), planner.worth(_plan_of(chosen, planner)))
    templates = _distinct([*_choices(chosen, repeat), *_ways_through(chosen, repeat, planner)])
    for candidate in _candidates(chosen, repeat, margins, nodes, templates):
        for changed in (candidate, _entered_alike(candidate, entries, nodes)):
            kinds = different(changed)
            if kinds <= least[0]:
                worth = planner.worth(_plan_of(changed, planner))
                if worth <= limit and (kinds, worth) < least:
                    best, least = changed, (kinds, worth)
    return best


def _ways_through(chosen: list[Option], repeat: Repeat, planner: Planner) -> list[LayerOptions]:
    """Good ways through the second layer, with all in front of it as it is."""
    begin = repeat.start + repeat.period
    beam = [_extended(PartialPlan(), chosen[:begin], planner)]
    for at in range(begin, begin + repeat.period):
        beam = planner.step(beam, at, planner.problem.nodes[at], _WAYS)
    return [state.chosen[begin:] for state in beam]


def _candidates(
    chosen: list[Option],
    repeat: Repeat,
    margins: _Margins,
    nodes: Sequence[Node],
    templates: Sequence[LayerOptions],
) -> Iterator[list[Option]]:
    """All layers as a template says; the same without the first one, the last one, or both, and with margins."""
    start, stop, period = repeat.start, repeat.stop, repeat.period
    firsts = dict.fromkeys((start, start + period, start - margins.front))
    lasts = dict.fromkeys((stop, stop - period, stop + margins.behind))
    for template in templates:
        for first, last in product(firsts, lasts):
            changed = list(chosen)
            for at in range(first, last):
                changed[at] = template[(at - start) % period]
            if all(changed[at] in nodes[at].options for at in range(first, last)):
                yield changed


def _entries(repeat: Repeat, nodes: Sequence[Node]) -> list[_Entry]:
    """What layers read of the one before."""
    makers = {result: (at, k) for at, node in enumerate(nodes) for k, result in enumerate(node.results)}
    found = list[_Entry]()
    for at in range(repeat.start, repeat.start + repeat.period):
        for first, second in zip(nodes[at].operands, nodes[at + repeat.period].operands, strict=True):
            before, inside = makers.get(first), makers.get(second)
            if before and inside and before[0] < repeat.start <= inside[0] < repeat.start + repeat.period:
                found.append(_Entry(before, inside))
    return list(dict.fromkeys(found))


def _entered_alike(chosen: list[Option], entries: Sequence[_Entry], nodes: Sequence[Node]) -> list[Option]:
    """The choices with what the first layer reads laid out as the others find theirs, as far as that can be."""
    changed = list(chosen)
    for entry in entries:
        (at, number), wanted = entry.before, entry.layout(changed, entry.inside)
        if changed[at].gives[number] != wanted:
            fitting = [option for option in nodes[at].options if option.gives[number] == wanted]
            changed[at] = min(fitting, key=lambda option: option.cycles, default=changed[at])
    return changed


def _choices(chosen: Sequence[Option], repeat: Repeat) -> list[LayerOptions]:
    places = range(repeat.start, repeat.stop, repeat.period)
    return [tuple(chosen[at : at + repeat.period]) for at in places]


def _distinct(choices: Sequence[LayerOptions]) -> list[LayerOptions]:
    found = list[LayerOptions]()
    for choice in choices:
        if choice not in found:
            found.append(choice)
    return found


def _plan_of(chosen: Sequence[Option], planner: Planner) -> Plan:
    final = _extended(PartialPlan(), chosen, planner)
    if final.cycles == math.inf:
        return Plan(planner.mesh, (), (), math.inf, 0, 0)
    return planner.plan_of(final)


def _extended(state: PartialPlan, choices: Sequence[Option], planner: Planner) -> PartialPlan:
    """A state of the search after the next operations."""
    for at, option in enumerate(choices, len(state.chosen)):
        state = planner.extend(state, at, planner.problem.nodes[at], option)
        if state.cycles == math.inf:
            break
    return state


def _layers(nodes: Sequence[Node]) -> list[Repeat]:
    """What follows itself, the longest stretches first; kinds of layers have no operation in common.

    A stretch that ends within a layer is there a second time, with that layer's begin at its end: what the last layers
    do is known to all of them then; and a third time with layers before it that read what was made elsewhere.
    """
    kinds, of_operations = _kinds(nodes, by_sources=True), _kinds(nodes, by_sources=False)
    taken, found = [False] * len(nodes), list[Repeat]()
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
        earlier = _with_those_before(latest, of_operations)
        found += [earlier] if earlier != latest else []
        taken[earlier.start : earlier.stop] = [True] * (earlier.stop - earlier.start)
    for _, repeat in repeats(of_operations, [1] * len(nodes), [True] * len(nodes)):
        if repeat.period >= _LEAST_PERIOD and not any(taken[repeat.start : repeat.stop]):
            taken[repeat.start : repeat.stop] = [True] * (repeat.stop - repeat.start)
            found.append(repeat)
    return found


def _with_those_before(repeat: Repeat, kinds: Sequence[int]) -> Repeat:
    """A repeat with the layers before it that do the same, but read what was made elsewhere."""
    start, period = repeat.start, repeat.period
    while start > 0 and kinds[start - 1] == kinds[start - 1 + period]:
        start -= 1
    more = (repeat.start - start) // period
    return Repeat(repeat.start - more * period, period, repeat.trips + more)


def _kinds(nodes: Sequence[Node], *, by_sources: bool) -> list[int]:
    """A number for each operation, the same for those that do the same; reading what as far before was made."""
    numbers: dict[Any, int] = {}
    makers = {result: at for at, node in enumerate(nodes) for result in node.results}
    found = []
    for at, node in enumerate(nodes):
        op = node.op.operation
        types = tuple(str(value.type) for value in (*node.operands, *node.results))
        attributes = tuple((name, str(op.attributes[name])) for name in sorted(op.attributes))
        sources = tuple(at - makers[value] if value in makers else None for value in node.operands)
        body = tuple(inner.operation.name for region in op.regions for block in region for inner in block)
        key = (op.name, types, attributes, body, sources if by_sources else ())
        found.append(numbers.setdefault(key, len(numbers)))
    return found
