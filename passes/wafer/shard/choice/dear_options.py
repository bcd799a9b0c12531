"""Which of an operation's options a search of many need not try: those that are much dearer, and spare no memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .....wse_target.layout.mesh import Mesh
from ..cost import CostModel
from ..nodes import Option

_DEARER = 2  # times the cycles of another one


def without_dear_ones(
    options: Sequence[Option], size: Callable[[Option], int], mesh: Mesh, cost: CostModel
) -> list[Option]:
    """Options that take at most twice the cycles, and those of a word across the grid and back, of any as small.

    What takes longer could bring its operands to where another option needs them and its results back, mostly.

    Args:
        size: bytes of a PE's SRAM that an option takes.
    """
    across = 2 * (mesh.rect.w + mesh.rect.h) * cost.machine.fabric.hop_latency
    least, kept = float("inf"), set[int]()
    for option in sorted(options, key=lambda o: (size(o), o.cycles)):
        least = min(least, option.cycles)
        if option.cycles <= _DEARER * least + across:
            kept.add(id(option))
    return [option for option in options if id(option) in kept]
