"""Routes for random programs: trees of routers, and groups of PEs as strided rectangles."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from wse_mlir.wse_target.image import Route, StridedRect
from wse_mlir.wse_target.instructions import Direction

PE = tuple[int, int]
_TOWARDS: dict[PE, Direction] = {(1, 0): "east", (-1, 0): "west", (0, 1): "south", (0, -1): "north"}
_BACK: dict[Direction, Direction] = {"east": "west", "west": "east", "south": "north", "north": "south"}


@dataclass
class Tree:
    """A multicast: where each router takes from, what it gives to, and the PEs that receive."""

    root: PE
    takers: list[PE]
    takes: dict[PE, Direction] = field(default_factory=dict)
    gives: dict[PE, set[Direction]] = field(default_factory=dict)

    @property
    def hops(self) -> int:
        """Links between routers."""
        return sum(len(sends - {"ramp"}) for sends in self.gives.values())


def tree(root: PE, paths: Iterable[Sequence[PE]], takers: Iterable[PE]) -> Tree:
    """The union of paths from one root; a router that two of them reach must be reached from one side."""
    found = Tree(root, list(dict.fromkeys(takers)), {root: "ramp"}, {root: set()})
    for path in paths:
        for here, there in itertools.pairwise(path):
            step = _TOWARDS[there[0] - here[0], there[1] - here[1]]
            assert found.takes.setdefault(there, _BACK[step]) == _BACK[step]
            found.gives.setdefault(here, set()).add(step)
            found.gives.setdefault(there, set())
    for taker in found.takers:
        found.gives[taker].add("ramp")
    return found


def straight(start: PE, goal: PE) -> list[PE]:
    """The path along x first, then along y."""
    (x, y), path = start, [start]
    while (x, y) != goal:
        x, y = (x + int(np.sign(goal[0] - x)), y) if x != goal[0] else (x, y + int(np.sign(goal[1] - y)))
        path.append((x, y))
    return path


def routes(colour: str, trees: Sequence[Tree], position: int = 0) -> list[Route]:
    """Router settings of one colour; equal ones are one strided rectangle where they can be."""
    settings: dict[tuple[Direction, tuple[Direction, ...]], list[PE]] = {}
    for one in trees:
        for pe, receive in one.takes.items():
            settings.setdefault((receive, tuple(sorted(one.gives[pe]))), []).append(pe)
    return [
        Route(colour, where, receive, sends, position)
        for (receive, sends), pes in settings.items()
        if sends
        for where in rectangles(pes)
    ]


def rectangles(pes: Iterable[PE]) -> list[StridedRect]:
    """Disjoint strided rectangles that together are a set of PEs."""
    rows: dict[int, list[int]] = {}
    for x, y in sorted(set(pes)):
        rows.setdefault(y, []).append(x)
    by_columns: dict[tuple[int, ...], list[int]] = {}
    for y in sorted(rows):
        by_columns.setdefault(tuple(rows[y]), []).append(y)
    return [
        StridedRect((xs[0], ys[0]), (len(xs), len(ys)), (xs.step, ys.step))
        for columns, lines in by_columns.items()
        for ys in _progressions(lines)
        for xs in _progressions(columns)
    ]


def _progressions(members: Sequence[int]) -> list[range]:
    """Ascending numbers cut into arithmetic progressions."""
    found: list[range] = []
    at = 0
    while at < len(members):
        step = members[at + 1] - members[at] if at + 1 < len(members) else 1
        end = at + 1
        while end < len(members) and members[end] - members[end - 1] == step:
            end += 1
        found.append(range(members[at], members[end - 1] + 1, step))
        at = end
    return found
