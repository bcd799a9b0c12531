"""Streams between regions side by side: of each row the last PE sends, and all PEs of the row behind it take that.

The rows run in parallel, each on links of its own. The two colours are linked when regions become one program
(`wse_target/linking.py`), hence their fixed names.
"""

from __future__ import annotations

from dataclasses import dataclass

from ....wse_target.image import Route, StridedRect
from ....wse_target.instructions import Receive, Send
from ....wse_target.machine import Machine
from .collectives.costs import Costs
from .fragment import Fragment, RectangleText, TileWalk

STREAM_IN, STREAM_OUT = "stream_in", "stream_out"  # the colours: words from the west, and words to the east


@dataclass(frozen=True)
class StreamRequest:
    """A value that goes from one region to the next one.

    Attributes:
        grid: columns and rows of the region at this end.
        tile: what each PE of a row has of the value, or is to have: the same on all of them.
    """

    grid: tuple[int, int]
    tile: TileWalk
    machine: Machine


def stream_in(request: StreamRequest) -> Fragment:
    """Every PE of a row takes the words that come from the west."""
    width, height = request.grid
    tile = request.tile
    take = Receive(STREAM_IN, tile.bounds, tile.access)
    routes = [Route(STREAM_IN, StridedRect((width - 1, 0), (1, height)), "west", ("ramp",))]
    if width > 1:
        passing = StridedRect((0, 0), (width - 1, height))
        routes.append(Route(STREAM_IN, passing, "west", ("east", "ramp")))
    everywhere = RectangleText(StridedRect((0, 0), request.grid), (take,))
    return Fragment((everywhere,), (), (STREAM_IN,), tuple(routes))


def stream_out(request: StreamRequest) -> Fragment:
    """The last PE of a row sends what the row has to the east."""
    (width, height), tile = request.grid, request.tile
    last = StridedRect((width - 1, 0), (1, height))
    send = Send(STREAM_OUT, tile.bounds, tile.access)
    route = Route(STREAM_OUT, last, "ramp", ("east",))
    return Fragment((RectangleText(last, (send,)),), (), (STREAM_OUT,), (route,))


def send_cycles(words: int, dtype: str, machine: Machine) -> float:
    """Predicted cycles of the PE that sends."""
    costs = Costs.of(machine, dtype)
    return costs.setup + words * costs.pace


def take_cycles(words: int, dtype: str, machine: Machine, columns: int) -> float:
    """Predicted cycles from the moment at which the sender begins until the last PE has its words."""
    costs = Costs.of(machine, dtype)
    return costs.setup + costs.way(columns) + (words + 1) * costs.pace


def stream_numbers(machine: Machine) -> dict[str, int]:
    """The hardware's numbers of the two colours, which no other colour of a region has at any time."""
    *_, out, into = machine.usable_colours
    return {STREAM_IN: into, STREAM_OUT: out}
