"""The rows that all operations of a group have in common: parallel loops, found through the buffers between them."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ....dialects.structured import PARALLEL
from .facts import Facts
from .loop_classes import LoopClass, LoopClasses


def shared_points(members: Sequence[Facts]) -> int:
    """How many points the loops have that all members share; 1 where they share none.

    A buffer that is seen in several shapes, apart from dimensions of size 1, shares no loop.
    """
    written = {w.root for facts in members for w in facts.writes}
    shapes: dict[object, list[int]] = {}
    classes = LoopClasses()
    for m, facts in enumerate(members):
        for access in (*facts.reads, *facts.writes):
            if access.root in written:
                if shapes.setdefault(access.root, access.long_shape) != access.long_shape:
                    return 1
                classes.access(m, access.root, access.long_places)
    return prod(members[0].sizes[x.iterators[0]] for x in classes.found() if _is_shared(members, x))


def _is_shared(members: Sequence[Facts], loop: LoopClass) -> bool:
    return (
        loop.plain
        and loop.single
        and len(loop.iterators) == len(members)
        and all(members[m].view.iterators[i] == PARALLEL for m, i in loop.iterators.items())
    )
