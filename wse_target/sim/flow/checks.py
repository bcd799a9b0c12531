"""What is wrong with a transfer's routes, said when it is issued."""

from __future__ import annotations

import numpy as np

from ...errors import TargetError
from ...instructions import Source
from ..code import Placement
from .lane import Lane
from .state import Selection, listed


def need_way_out(lane: Lane, placement: Placement, source: Source, at: Selection) -> None:
    """Raises `TargetError` when PEs send what no route takes from them, or what gets lost on the way."""
    channel = lane.tree.outgoing[at]
    _need_route(lane, placement, channel, source, at, "sends on")
    for number in np.intersect1d(list(lane.tree.lost), channel).tolist() if lane.tree.lost else ():
        raise TargetError(
            f"wavelets of colour '{lane.name}' from {placement.name(int(lane.tree.root[number]))} "
            f"{lane.tree.lost[number]}",
            where=source.place,
            hint="the last router of a route must give to its ramp only",
        )


def need_way_in(lane: Lane, placement: Placement, source: Source, at: Selection) -> None:
    """Raises `TargetError` when PEs receive what no route brings them."""
    _need_route(lane, placement, lane.tree.incoming[at], source, at, "receives")


def _need_route(
    lane: Lane, placement: Placement, channel: np.ndarray, source: Source, at: Selection, verb: str
) -> None:
    missing = np.flatnonzero(channel < 0)
    if missing.size:
        raise TargetError(
            f"{placement.name(int(listed(at)[missing[0]]))} {verb} colour '{lane.name}', "
            "for which no route leads there from a sender's ramp",
            where=source.place,
            hint="add the missing `Route`, or restrict the transfer to PEs that have one",
        )
