"""How many keys attention takes at a time: all, unless their scores do not fit or a plan with blocks is faster.

Full scores are planned first. Blocks are planned for as well where scores take much of the memory, and the plan that is
predicted to be fastest of those that fit is taken.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...dialects.host import ir
from ...passes.tensor.loops.attention.attention import find_attention, finds_greatest
from ...passes.tensor.loops.wse_block_attention import asked_keys
from ...passes.tensor.traversal import collect
from ...wse_target.machine import Machine

_COPIES = 2  # of scores at a time: what is scored, and its exponentials
_MUCH = (
    2  # the part of the SRAM that scores take at least where blocks of plans that fit may be faster: a half
)
_SUSPECT = 8  # the same where a plan does not fit, maybe for its scores
_PARTS = (4, 16)  # the parts of the SRAM that a block's scores take at most, the first one first


@dataclass(frozen=True)
class Scores:
    """What an attention of a model would hold for all keys at once.

    Attributes:
        keys: number of keys; size: bytes of the scores on all PEs together.
    """

    keys: int
    size: int


@dataclass(frozen=True)
class TriedKeys:
    """A plan with so many keys to a block, 0 for all; what it was refused for, if it was.

    Attributes:
        grid / cycles / size: of the plan: "WxH", predicted cycles and bytes a PE; empty and 0 of one that was refused.
    """

    keys: int
    grid: str = ""
    cycles: float = 0.0
    size: int = 0
    refused: str = ""

    def entry(self) -> dict[str, Any]:
        """For reports."""
        told = {"refused": self.refused} if self.refused else {"cycles": self.cycles, "bytes": self.size}
        return {"keys": self.keys, **told}


def scores_of(module: ir.Operation) -> list[Scores]:
    """The attentions of a module that do not say themselves how many keys they take at a time."""
    with module.context:
        found = [find_attention(peak) for peak in collect(module, finds_greatest)]
        return [
            _scores(attention.powers.op.results[0], attention.size)
            for attention in found
            if attention is not None and asked_keys(attention) is None
        ]


def _scores(powers: ir.Value, keys: int) -> Scores:
    kind = ir.RankedTensorType(powers.type)
    return Scores(keys, math.prod(kind.shape) * (ir.FloatType(kind.element_type).width // 8))


def other_keys(scores: Sequence[Scores], machine: Machine, grid: str, *, fits: bool) -> Iterator[int]:
    """Keys of blocks to plan for beside all keys at once, the most first.

    Args:
        grid: "WxH", of the plan with all scores; all PEs of the machine when empty.
        fits: whether that plan does.
    """
    pes = math.prod(map(int, grid.split("x"))) if grid else math.prod(machine.grid)
    available = machine.sram_available
    held = max((_COPIES * s.size / pes for s in scores), default=0.0)
    if held * (_MUCH if fits else _SUSPECT) < available:
        return
    last = max(s.keys for s in scores)
    for part in _PARTS:
        room = available * pes / part
        most = min((room * s.keys / s.size for s in scores), default=0.0)
        keys = 2 ** int(math.log2(most)) if most >= 1 else 1
        if keys < last:
            yield keys
            last = keys


def chosen_keys(tried: Sequence[TriedKeys], scores: Sequence[Scores]) -> dict[str, Any]:
    """What was chosen, the last of `tried`, and what lost, for reports."""
    *others, chosen = tried
    return {
        "of": sorted({s.keys for s in scores}),
        "chosen": chosen.entry(),
        "alternatives": [other.entry() for other in others],
    }
