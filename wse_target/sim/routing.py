"""Routes traced: from each sender's ramp, over routers and links, to all the ramps that its wavelets reach.

Each router takes a colour from one direction at a time, hence in every epoch each router belongs to one tree, whose
root is the router that takes from its own ramp. A tree is a *channel*: one sender, any number of receivers, words in
order. Settings that are the same in every row, and stay in the row, are traced in one row (columns likewise).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from ..errors import TargetError
from ..image import Program, Route
from ..machine import Machine
from .code import Placement

DIRECTIONS = ("north", "east", "south", "west", "ramp")
STEP = {"north": (0, -1), "east": (1, 0), "south": (0, 1), "west": (-1, 0)}
RAMP = 4
LINKS = 6  # a router's four links to its neighbours, the ramp down to the core, the ramp up from it
NONE = -1
UNKNOWN = -2  # a setting that a router's PE never comes to: wavelets wait there for ever
_OPPOSITE = {"north": "south", "east": "west", "south": "north", "west": "east"}
_BIT = {direction: 1 << index for index, direction in enumerate(DIRECTIONS)}
_ALONG_Y = _BIT["north"] | _BIT["south"]
_ALONG_X = _BIT["east"] | _BIT["west"]


@dataclass(frozen=True)
class Rows:
    """Lists of different length, one after the other: row i is `values[start[i]:start[i + 1]]`."""

    start: np.ndarray
    values: np.ndarray

    def take(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positions into `values` of the given rows together, and for each the index of its row in `rows`."""
        counts = self.start[rows + 1] - self.start[rows]
        owner = np.repeat(np.arange(len(rows)), counts)
        ends = np.cumsum(counts)
        inside = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
        return np.repeat(self.start[rows], counts) + inside, owner


@dataclass(frozen=True)
class Routers:
    """Settings of one colour on a grid of routers, [height, width] or one row or column that stands for all.

    Attributes:
        takes: index into `DIRECTIONS` that is taken from, `NONE` or `UNKNOWN`.
        gives: directions that are given to, as bits.
    """

    takes: np.ndarray
    gives: np.ndarray


class Tree:
    """The channels of one colour in one epoch.

    What is the same in all rows (or columns) is kept once, by index of the traced router; `pes` and `channels` spread
    such values over the PEs and the channels.

    Attributes:
        routers / parent / path: settings of the traced row, column or grid; the router before each one (itself at a
            root, -1 where nothing comes), and cycles from the root's core to each router.
        ends: traced routers that give to their core; `owner` says which of the traced roots each one listens to,
            `end_delay` the cycles from the sender's core to the receiver's, `end_hops` the links between.
        root: PE that sends, by channel; ascending.
        outgoing / incoming: channel that a PE sends on / receives from, by PE; -1 when there is none.
        delay: cycles from the sender's core to the receiver's core, by PE.
        lost: by channel, description of a place where its wavelets leave the routes.
    """

    def __init__(
        self, routers: Routers, followed: tuple[np.ndarray, ...], machine: Machine, placement: Placement, colour: str
    ) -> None:  # fmt: skip
        root, self.parent, self.path, hops = followed
        self.routers = routers
        self._placement = placement
        self.shape = routers.takes.shape
        self.roots = np.flatnonzero(root == np.arange(root.size))
        number = np.full(root.size, NONE)
        number[self.roots] = np.arange(len(self.roots))
        ends = np.flatnonzero((root >= 0) & (routers.gives.ravel() & _BIT["ramp"] > 0))
        owner = number[root[ends]]
        order = np.argsort(owner, kind="stable")
        self.ends, self.owner = ends[order], owner[order]
        self.end_delay, self.end_hops = self.path[self.ends] + machine.fabric.ramp_in, hops[self.ends]
        self._check_programs(colour)
        senders = self._lines(self.roots)
        self.root = np.sort(senders, axis=None)
        self._rank = np.empty(senders.size, np.int32)
        self._rank[np.argsort(senders, axis=None)] = np.arange(senders.size, dtype=np.int32)
        self._rank = self._rank.reshape(senders.shape)
        self.outgoing = np.full(placement.count, NONE, np.int32)
        self.outgoing[self.root] = np.arange(len(self.root), dtype=np.int32)
        self.incoming = self._incoming()
        self.delay = self.pes(self.end_delay)
        self.lost = _leaks(routers, root, self.outgoing, placement)
        silent = np.bincount(self.owner, minlength=len(self.roots)) == 0
        for channel in np.flatnonzero(self.channels(silent)).tolist():
            self.lost.setdefault(channel, "reach no PE")

    def _lines(self, traced: np.ndarray) -> np.ndarray:
        """PEs of traced routers on all lines: [rows, routers], [routers, columns], or [routers]."""
        at = self._placement.at.reshape(self._placement.height, self._placement.width)
        if self.shape == at.shape:
            return at.ravel()[traced]
        return at[:, traced] if self.shape[0] == 1 else at[traced, :]

    def _spread(self, by_router: np.ndarray) -> np.ndarray:
        """Values by traced router as values by PE."""
        placement = self._placement
        if self.shape == (placement.height, placement.width):
            return by_router[placement.y * placement.width + placement.x]
        return by_router[placement.x if self.shape[0] == 1 else placement.y]

    def pes(self, by_end: np.ndarray) -> np.ndarray:
        """Values by end as values by PE, 0 where nothing is received."""
        by_router = np.zeros(self.parent.size, by_end.dtype)
        by_router[self.ends] = by_end
        return self._spread(by_router)

    def channels(self, by_root: np.ndarray) -> np.ndarray:
        """Values by traced root as values by channel."""
        spread = by_root if self._rank.ndim == 1 or self.shape[0] == 1 else by_root[:, None]
        found = np.empty(len(self.root), by_root.dtype)
        found[self._rank] = np.broadcast_to(spread, self._rank.shape)
        return found

    def owners(self) -> np.ndarray:
        """Which of the traced roots each traced router's words come from, -1 where none come."""
        root = np.where(self.parent >= 0, self.parent, np.arange(len(self.parent)))
        while not (root[root] == root).all():
            root = root[root]
        number = np.full(len(root), NONE)
        number[self.roots] = np.arange(len(self.roots))
        return np.where(self.parent >= 0, number[root], NONE)

    def by_router(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Channel, cycles from the sender's core, and directions given to as bits, for each router of the grid."""
        placement = self._placement
        y, x = np.divmod(np.arange(placement.at.size), placement.width)
        at = (y if self.shape[0] > 1 else 0) * self.shape[1] + (x if self.shape[1] > 1 else 0)
        owner = self.owners()[at]
        if not len(self.roots):
            return owner, self.path[at], self.routers.gives.ravel()[at]
        if self._rank.ndim == 1:
            channel = self._rank[owner]
        else:
            channel = self._rank[y, owner] if self.shape[0] == 1 else self._rank[owner, x]
        return np.where(owner >= 0, channel, NONE), self.path[at], self.routers.gives.ravel()[at]

    def _incoming(self) -> np.ndarray:
        placement, by_router = self._placement, np.full(self.parent.size, NONE)
        by_router[self.ends] = self.owner
        owner = self._spread(by_router)
        if not len(self.roots):
            return owner.astype(np.int32)
        if self._rank.ndim == 1:
            found = self._rank[owner]
        elif self.shape[0] == 1:
            found = self._rank[placement.y, owner]
        else:
            found = self._rank[owner, placement.x]
        found[owner < 0] = NONE
        return found

    @cached_property
    def receivers(self) -> Rows:
        """PEs that receive, by channel."""
        counts = self.channels(np.bincount(self.owner, minlength=len(self.roots)))
        start = np.zeros(len(self.root) + 1, np.int64)
        np.cumsum(counts, out=start[1:])
        values = self._lines(self.ends)
        in_order = bool((np.diff(self._rank.ravel()) > 0).all())
        if in_order and values.ndim == 1:
            return Rows(start, values)
        if in_order and self.shape[0] == 1:
            return Rows(start, values.ravel())
        if in_order and len(self.roots) == 1:
            return Rows(start, values.T.ravel())
        pes = np.sort(values, axis=None)
        return Rows(start, pes[np.argsort(self.incoming[pes], kind="stable")])

    def _check_programs(self, colour: str) -> None:
        if self._placement.count == self._placement.at.size:
            return
        for traced in (self.roots, self.ends):
            pes = self._lines(traced)
            if (pes < 0).any():
                line, place = (int(i) for i in np.atleast_2d(np.argwhere(pes < 0))[0][[0, -1]])
                if pes.ndim == 1:
                    y, x = divmod(int(traced[line]), self.shape[1])
                else:
                    y, x = (line, int(traced[place])) if self.shape[0] == 1 else (int(traced[line]), place)
                raise TargetError(
                    f"a route of colour '{colour}' ends at PE ({x}, {y}), which has no program",
                    hint="restrict the route to the PEs of a class",
                )


TreeShape = Literal["row", "column", "grid"]


class RouterSettings:
    """All router settings of one colour: what each position of a router takes and gives."""

    def __init__(self, program: Program, colour: str) -> None:
        width, height = program.grid
        self.colour = colour
        self.width, self.height = width, height
        routes = [r for r in program.routes if r.colour == colour]
        self.positions = sorted({r.position for r in routes})
        self._takes = np.full((len(self.positions) + 1, height, width), NONE, np.int8)
        self._gives = np.zeros((len(self.positions) + 1, height, width), np.uint8)
        for route in routes:
            self._set(route)
        self._index = {position: i for i, position in enumerate(self.positions)}
        self.shape = self._shape()

    def _set(self, route: Route) -> None:
        (bx, by), (w, h), (sx, sy) = route.where.base, route.where.extent, route.where.step
        at = (self.positions.index(route.position), slice(by, by + sy * h, sy), slice(bx, bx + sx * w, sx))
        taken = np.argwhere(self._takes[at] != NONE)
        if len(taken):
            y, x = by + sy * int(taken[0][0]), bx + sx * int(taken[0][1])
            raise TargetError(
                f"colour '{self.colour}' has two routes at the router of PE ({x}, {y})",
                hint="a router takes a colour from one direction; use another colour for the second route",
            )
        self._takes[at] = DIRECTIONS.index(route.receive)
        self._gives[at] = sum(_BIT[direction] for direction in set(route.send))

    def _shape(self) -> TreeShape:
        """Whether one row, or one column, stands for all of them."""
        takes, gives = self._takes, self._gives
        used = int(np.bitwise_or.reduce(gives, axis=None)) if gives.size else 0
        if not used & _ALONG_Y and (takes == takes[:, :1]).all() and (gives == gives[:, :1]).all():
            return "row"
        if not used & _ALONG_X and (takes == takes[:, :, :1]).all() and (gives == gives[:, :, :1]).all():
            return "column"
        return "grid"

    def at(self, positions: np.ndarray | int) -> Routers:
        """Settings when routers are in these positions, one for all or [height, width]."""
        takes, gives = self._quotient(self._takes, 1), self._quotient(self._gives, 1)
        if isinstance(positions, int):
            index = self._index.get(positions, len(self.positions))
            return Routers(takes[index], gives[index])
        whole = self.shape == "grid"
        positions = self._quotient(positions, 0) if self._alike(positions) else positions
        if not whole and positions.shape != takes.shape[1:]:
            takes, gives = self._takes, self._gives
        index = np.full(positions.shape, len(self.positions))
        for position, number in self._index.items():
            index[positions == position] = number
        chosen = np.take_along_axis(takes, index[None], 0)[0]
        chosen[positions == UNKNOWN] = UNKNOWN
        return Routers(chosen, np.take_along_axis(gives, index[None], 0)[0])

    def _quotient(self, grid: np.ndarray, axis: int) -> np.ndarray:
        """One row or column of [..., height, width] when it stands for all."""
        if self.shape == "row":
            return grid.take([0], axis)
        return grid.take([0], axis + 1) if self.shape == "column" else grid

    def _alike(self, positions: np.ndarray) -> bool:
        if self.shape == "row":
            return bool((positions == positions[:1]).all())
        return self.shape == "column" and bool((positions == positions[:, :1]).all())

    def links(self) -> np.ndarray:
        """Whether some setting uses a link, [height, width, LINKS]."""
        used = np.zeros((self.height, self.width, LINKS), bool)
        gives = np.bitwise_or.reduce(self._gives, axis=0)
        for index in range(len(DIRECTIONS)):
            used[:, :, index] = gives & (1 << index) > 0
        used[:, :, LINKS - 1] = (self._takes == RAMP).any(axis=0)
        return used


def trace(routers: Routers, colour: str, machine: Machine, placement: Placement) -> Tree:
    """Traces the routes of one colour in one epoch.

    Raises:
        TargetError: a ring of routers, or a route to a PE without program.
    """
    return Tree(routers, _follow(routers, machine, placement, colour), machine, placement, colour)


def neighbours(shape: tuple[int, int], direction: str) -> np.ndarray:
    """Index of the router next to each one of a grid, -1 beyond its edge."""
    dx, dy = STEP[direction]
    y, x = np.divmod(np.arange(shape[0] * shape[1]), shape[1])
    inside = (x + dx >= 0) & (x + dx < shape[1]) & (y + dy >= 0) & (y + dy < shape[0])
    return np.where(inside, (y + dy) * shape[1] + x + dx, NONE)


def _follow(
    routers: Routers, machine: Machine, placement: Placement, colour: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Root and parent of each router (-1: fed by nobody), cycles and hops from the root's core to it.

    Pointers are doubled, so that a path of n hops takes log n steps over the whole grid.
    """
    takes, gives = routers.takes.ravel(), routers.gives.ravel()
    count = takes.size
    here = np.arange(count)
    is_root = takes == RAMP
    before = np.where(is_root, here, NONE)
    cycles = np.where(is_root, machine.fabric.ramp_out, 0.0)
    for index, direction in enumerate(DIRECTIONS[:RAMP]):
        fed = np.flatnonzero(takes == index)
        if not fed.size:
            continue
        neighbour = neighbours(routers.takes.shape, direction)[fed]
        fed, neighbour = fed[neighbour >= 0], neighbour[neighbour >= 0]
        given = gives[neighbour] & _BIT[_OPPOSITE[direction]] > 0
        fed, neighbour = fed[given], neighbour[given]
        before[fed] = neighbour
        source = takes[neighbour]
        turns = (source >= 0) & (source != RAMP) & (source % 2 != index % 2)
        cycles[fed] = machine.fabric.hop_latency + machine.fabric.turn_latency * turns
    parent, hops = before.copy(), (before >= 0).astype(np.int32) - is_root
    jump = here[:0]
    for _ in range(count.bit_length() + 1):
        jump = np.flatnonzero(~is_root & (parent >= 0))
        jump = jump[~is_root[parent[jump]]]
        if not jump.size:
            break
        up = parent[jump]
        step, far, onwards = cycles[up], hops[up], parent[up]
        cycles[jump] += step
        hops[jump] += far
        parent[jump] = onwards
    else:
        y, x = divmod(int(jump[0]), routers.takes.shape[1])
        raise TargetError(
            f"the routes of colour '{colour}' form a ring through PE ({x}, {y}) that no PE sends into",
            hint="one router of the ring must take from its ramp",
        )
    last = np.flatnonzero(~is_root & (parent >= 0))
    cycles[last] += cycles[parent[last]]
    return parent, before, cycles, hops


def _leaks(routers: Routers, root: np.ndarray, outgoing: np.ndarray, placement: Placement) -> dict[int, str]:
    """Places where wavelets go to a router that does not take them, by channel."""
    lost: dict[int, str] = {}
    shape = routers.takes.shape
    takes, gives = routers.takes.ravel(), routers.gives.ravel()
    for index, direction in enumerate(DIRECTIONS[:RAMP]):
        giving = np.flatnonzero((gives & (1 << index) > 0) & (root >= 0))
        neighbour = neighbours(shape, direction)[giving] if giving.size else giving
        there = takes[neighbour]
        taken = (neighbour >= 0) & ((there == DIRECTIONS.index(_OPPOSITE[direction])) | (there == UNKNOWN))
        for router in giving[~taken].tolist():
            y, x = divmod(router, shape[1])
            root_y, root_x = divmod(int(root[router]), shape[1])
            for row in range(placement.height) if shape[0] == 1 else (root_y,):
                for column in range(placement.width) if shape[1] == 1 else (root_x,):
                    place = (x if shape[1] > 1 else column, y if shape[0] > 1 else row)
                    channel = int(outgoing[placement.at[row * placement.width + column]])
                    lost.setdefault(channel, f"go {direction} from PE {place}, where no router takes them")
    return lost
