"""Collective communication along lines of PEs; importing this package registers its algorithms."""

from . import all_reduce, broadcast, reduce, ring_collectives

__all__ = ["all_reduce", "broadcast", "reduce", "ring_collectives"]
