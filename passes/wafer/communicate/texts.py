"""How much program text steps of movements take, about: counted on texts that were emitted for all kinds of layouts."""

from __future__ import annotations

from ....wse_target.footprint import text_bytes
from ....wse_target.instructions import Dtype
from ....wse_target.machine import Machine
from .steps import Step, fragment
from .tiles import Placed, owners_along

Texts = dict[tuple[object, ...], int]  # bytes of reductions on one machine

_COPY, _TURN, _CIRCULATE, _RING = 40, 124, 208, 128
_NEIGHBOUR = 112  # for each PE that is reached
_MULTICAST, _COLOUR = 48, 64  # a gathering, and what it does on each of its colours


def text_of(step: Step, dtype: Dtype, machine: Machine, texts: Texts) -> int:
    """Bytes of the text that PEs have of a step; `texts` are looked up and added to."""
    match step.kind:
        case "copy":
            return _COPY
        case "turn":
            return _TURN
        case "circulate":
            return _CIRCULATE
        case "neighbours":
            return _NEIGHBOUR * step.reach
        case "all_gather":
            assert step.choice is not None
            colours = int(step.choice.options.get("colours", 0))
            used = min(colours, owners_along(step.source, step.axis))
            return _MULTICAST + _COLOUR * used if colours else _RING
    line = step.line()
    key = (step.kind, str(step.choice), line.extent, line.stride, step.every, step.is_first)
    if key not in texts:
        made = fragment(
            step, Placed(step.source, "source", dtype), Placed(step.target, "target", dtype), machine, ""
        )
        texts[key] = max((text_bytes(part.body) for part in made.parts), default=0)
    return texts[key]
