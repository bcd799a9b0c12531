"""What parts of a collective cost, from the machine's numbers; the model is that of docs/simulator.md."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from .....wse_target.instructions import Combine
from .....wse_target.machine import Machine
from .....wse_target.quasi_affine import Expr
from .....wse_target.sim.cost import TimingModel, words
from ..fragment import CollectiveRequest, TileWalk
from ..lines import coordinates


@lru_cache(maxsize=1 << 12)
def largest(bounds: tuple[Expr, ...], grid: tuple[int, int], others: tuple[str, ...] = ()) -> int:
    """Most elements that a walk with these bounds covers on any PE of a grid, where other variables are 0."""
    known = dict.fromkeys(others, 0)
    groups: dict[frozenset[str], list[Expr]] = {}
    for bound in bounds:
        groups.setdefault(bound.variables().difference(known), []).append(bound)
    if any(len(used) > 1 for used in groups):  # else each coordinate can be looked at by itself
        groups = {frozenset("xy"): list(bounds)}
    found, values = 1, {**known, **coordinates(grid)}
    for several in groups.values():
        total = np.ones((), np.int64)
        for bound in several:
            total = total * np.maximum(bound.evaluate(values), 0)
        found *= int(total.max(initial=0))
    return found


def tile_words(tile: TileWalk, grid: tuple[int, int]) -> int:
    """Words of the largest tile on a grid."""
    return int(words(largest(tile.bounds, grid), tile.dtype))


@dataclass(frozen=True)
class Costs:
    """Times of one machine for one element type, in cycles.

    Attributes:
        setup: to start a transfer.
        relay: from a relay's taking a word to its passing it on.
        pace: of a word that is moved or stored.
        combine: of a word that is combined with the PE's own.
        queues / routers: words that the queues at both ends hold of a stalled stream, and the routers for each hop.
        launch / microthread_word / join: of a transfer on a microthread, to the main thread.
        ramps / hop: of the ways up and down a ramp together; from a router to the next.
    """

    setup: float
    relay: float
    pace: float
    combine: float
    ramps: float
    hop: float
    queues: int
    routers: int
    launch: float
    microthread_word: float
    join: float

    @staticmethod
    def of(machine: Machine, dtype: str, combine: Combine = "store") -> Costs:
        model, fabric = TimingModel(machine), machine.fabric
        move = model.word_cycles("copy", dtype)
        mixed = move if combine == "store" else model.word_cycles(combine, dtype)
        ramps = fabric.ramp_out + fabric.ramp_in
        control = machine.control
        return Costs(
            fabric.transfer_setup, fabric.relay_latency, move, mixed, ramps, fabric.hop_latency,
            max(machine.queues.input) + max(machine.queues.output), fabric.router_words,
            control.launch, control.microthread_word, control.join,
        )  # fmt: skip

    @staticmethod
    def of_request(request: CollectiveRequest) -> Costs:
        """For a request's tile and way of combining."""
        return Costs.of(request.machine, request.tile.dtype, request.combine)

    def way(self, hops: int) -> float:
        """From a core over so many hops in a straight line to another core."""
        return self.ramps + hops * self.hop
