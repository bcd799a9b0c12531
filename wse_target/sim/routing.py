"""Routes traced: from each sender's ramp, over routers and links, to all the ramps that its wavelets reach.

Each router of a colour takes from one direction, hence every router belongs to one tree whose root is the router
that takes from its own ramp. A tree is a *channel*: one sender, any number of receivers, words in order.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import TargetError
from ..image import Program
from ..machine import Machine
from .code import Placement, strided

DIRECTIONS = ("north", "east", "south", "west", "ramp")
_STEP = {"north": (0, -1), "east": (1, 0), "south": (0, 1), "west": (-1, 0)}
_OPPOSITE = {"north": "south", "east": "west", "south": "north", "west": "east"}
RAMP = 4
LINKS = 6  # a router's four links to its neighbours, the ramp down to the core, the ramp up from it
_NONE = -1


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
class Channels:
    """All channels of a program.

    Attributes:
        colours: names, in the program's order; the first index of `outgoing`, `incoming` and `delay`.
        root: PE that sends on a channel.
        colour: index into `colours` by channel.
        outgoing / incoming: channel that a PE sends on / receives from, by [colour, PE]; -1 when there is none.
        delay: cycles from the sender's core to the receiver's core, by [colour, PE].
        receivers: PEs of each channel.
        links: link ids (router * 6 + link) of each channel, and cycles from the sender's core to each.
        lost: by channel, description of a place where its wavelets leave the routes; "" when nowhere.
    """

    colours: tuple[str, ...]
    root: np.ndarray
    colour: np.ndarray
    outgoing: np.ndarray
    incoming: np.ndarray
    delay: np.ndarray
    receivers: Rows
    links: Rows
    link_delay: np.ndarray
    lost: dict[int, str]


@dataclass
class _Routers:
    """Router settings of one colour over the grid: the direction taken from, and the directions given to."""

    takes: np.ndarray  # [routers], index into DIRECTIONS or -1
    gives: np.ndarray  # [routers, 5] bool


def trace(program: Program, machine: Machine, placement: Placement) -> Channels:
    """Traces all routes of a program.

    Raises:
        TargetError: two settings of one colour on a router, a ring of routers, or a route to a PE without program.
    """
    colours = tuple(program.colours)
    shape = (len(colours), placement.count)
    outgoing, incoming = np.full(shape, _NONE), np.full(shape, _NONE)
    delay = np.zeros(shape)
    roots, owner_colours, lost = [], [], {}
    pes, pe_channels, links, link_channels, link_delays = [], [], [], [], []
    first = 0
    for index, colour in enumerate(colours):
        routers = _settings(program, colour, placement)
        root, cycles = _trees(routers, machine, placement, colour)
        channel_at = np.full(len(root), _NONE)
        sources = np.flatnonzero(root == np.arange(len(root)))
        channel_at[sources] = first + np.arange(len(sources))
        channel = np.where(root >= 0, channel_at[root], _NONE)
        ends = np.flatnonzero((channel >= 0) & routers.gives[:, RAMP])
        _check_programs(placement, np.concatenate([sources, ends]), colour)
        outgoing[index, placement.at[sources]] = channel[sources]
        incoming[index, placement.at[ends]] = channel[ends]
        delay[index, placement.at[ends]] = cycles[ends] + machine.fabric.ramp_in
        pes.append(placement.at[ends])
        pe_channels.append(channel[ends])
        ids, router = _links(routers, channel)
        links += [ids, sources * LINKS + 5]
        link_channels += [channel[router], channel[sources]]
        link_delays += [cycles[router], np.zeros(len(sources))]
        roots.append(placement.at[sources])
        owner_colours.append(np.full(len(sources), index))
        lost |= _leaks(routers, channel, placement)
        first += len(sources)
    receivers, _ = _rows(first, pe_channels, [pes])
    link_rows, (link_delay,) = _rows(first, link_channels, [links, link_delays])
    for channel in np.flatnonzero(np.diff(receivers.start) == 0).tolist():
        lost.setdefault(channel, "reach no PE")
    return Channels(
        colours,
        _join(roots),
        _join(owner_colours),
        outgoing,
        incoming,
        delay,
        receivers,
        link_rows,
        link_delay,
        lost,
    )


def _join(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, np.int64)


def _rows(
    count: int, channels: list[np.ndarray], columns: list[list[np.ndarray]]
) -> tuple[Rows, list[np.ndarray]]:
    """Sorts entries by channel; the first column becomes the rows' values, further ones are sorted alike."""
    channel = _join(channels).astype(np.int64)
    order = np.argsort(channel, kind="stable")
    start = np.searchsorted(channel[order], np.arange(count + 1))
    first, *rest = [_join(column)[order] for column in columns]
    return Rows(start, first), rest


def _settings(program: Program, colour: str, placement: Placement) -> _Routers:
    count = placement.width * placement.height
    takes, gives = np.full(count, _NONE), np.zeros((count, 5), bool)
    for route in program.routes:
        if route.colour != colour:
            continue
        xs, ys = strided(route.where)
        at = ys * placement.width + xs
        taken = at[takes[at] >= 0]
        if taken.size:
            y, x = divmod(int(taken[0]), placement.width)
            raise TargetError(
                f"colour '{colour}' has two routes at the router of PE ({x}, {y})",
                hint="a router takes a colour from one direction; use another colour for the second route",
            )
        takes[at] = DIRECTIONS.index(route.receive)
        for direction in route.send:
            gives[at, DIRECTIONS.index(direction)] = True
    return _Routers(takes, gives)


def _neighbours(placement: Placement, direction: str) -> np.ndarray:
    """Router id next to each router, -1 beyond the grid's edge."""
    dx, dy = _STEP[direction]
    y, x = np.divmod(np.arange(placement.width * placement.height), placement.width)
    inside = (x + dx >= 0) & (x + dx < placement.width) & (y + dy >= 0) & (y + dy < placement.height)
    return np.where(inside, (y + dy) * placement.width + x + dx, _NONE)


def _trees(
    routers: _Routers, machine: Machine, placement: Placement, colour: str
) -> tuple[np.ndarray, np.ndarray]:
    """Root of each router's tree (-1: fed by nobody) and cycles from the root's core to the router.

    Pointers are doubled, so that a path of n hops takes log n steps over the whole grid.
    """
    count = len(routers.takes)
    here = np.arange(count)
    parent = np.full(count, _NONE)
    cycles = np.zeros(count)
    is_root = routers.takes == RAMP
    parent[is_root] = here[is_root]
    cycles[is_root] = machine.fabric.ramp_out
    for index, direction in enumerate(DIRECTIONS[:RAMP]):
        neighbour = _neighbours(placement, direction)
        fed = (routers.takes == index) & (neighbour >= 0)
        fed[fed] = routers.gives[neighbour[fed], DIRECTIONS.index(_OPPOSITE[direction])]
        parent[fed] = neighbour[fed]
        before = routers.takes[np.where(fed, neighbour, 0)]
        turns = fed & (before != RAMP) & (before % 2 != index % 2)
        cycles[fed] = machine.fabric.hop_latency
        cycles[turns] += machine.fabric.turn_latency
    jump = np.zeros(count, bool)
    for _ in range(count.bit_length() + 1):
        up = np.where(parent >= 0, parent, 0)
        jump = ~is_root & (parent >= 0) & ~is_root[up]
        if not jump.any():
            break
        cycles[jump] += cycles[up[jump]]
        parent[jump] = parent[up[jump]]
    else:
        y, x = divmod(int(np.flatnonzero(jump)[0]), placement.width)
        raise TargetError(
            f"the routes of colour '{colour}' form a ring through PE ({x}, {y}) that no PE sends into",
            hint="one router of the ring must take from its ramp",
        )
    last = ~is_root & (parent >= 0)
    cycles[last] += cycles[parent[last]]
    return parent, cycles


def _links(routers: _Routers, channel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ids of all links that a colour's routers give to, and the router of each."""
    router, link = np.nonzero(routers.gives & (channel >= 0)[:, None])
    return router * LINKS + link, router


def _leaks(routers: _Routers, channel: np.ndarray, placement: Placement) -> dict[int, str]:
    """Places where wavelets go to a router that does not take them, by channel."""
    lost: dict[int, str] = {}
    for index, direction in enumerate(DIRECTIONS[:RAMP]):
        neighbour = _neighbours(placement, direction)
        gives = routers.gives[:, index] & (channel >= 0)
        taken = (neighbour >= 0) & (routers.takes[neighbour] == DIRECTIONS.index(_OPPOSITE[direction]))
        for router in np.flatnonzero(gives & ~taken):
            y, x = divmod(int(router), placement.width)
            lost.setdefault(
                int(channel[router]), f"go {direction} from PE ({x}, {y}), where no router takes them"
            )
    return lost


def _check_programs(placement: Placement, routers: np.ndarray, colour: str) -> None:
    missing = routers[placement.at[routers] < 0]
    if missing.size:
        y, x = divmod(int(missing[0]), placement.width)
        raise TargetError(
            f"a route of colour '{colour}' ends at PE ({x}, {y}), which has no program",
            hint="restrict the route to the PEs of a class",
        )
