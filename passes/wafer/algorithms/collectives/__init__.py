"""Collective communication along lines of PEs; importing this package registers its algorithms."""

from . import (
    all_reduce,
    broadcast,
    halo,
    multicast_gather,
    redistribute,
    reduce,
    ring_collectives,
    shift,
    star,
)

__all__ = [
    "all_reduce",
    "broadcast",
    "halo",
    "multicast_gather",
    "redistribute",
    "reduce",
    "ring_collectives",
    "shift",
    "star",
]
