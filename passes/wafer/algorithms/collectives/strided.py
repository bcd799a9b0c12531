"""Collectives along lines whose PEs are not next to each other: those of an outer sub-axis.

Lines of different offsets cross on the same links. Each offset gets colours of its own, so that all lines run at once
and share the links word by word; hops are as many times longer, and links as many times slower, as there are offsets.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .....wse_target.machine import Machine
from ..algorithm import Choice
from ..fragment import CollectiveRequest, Fragment
from ..lines import Line


def build(choice: Choice, request: CollectiveRequest) -> Fragment:
    """What an algorithm makes of a request, on lines with a stride as on others."""
    if request.line.stride == 1:
        return choice.build(request)
    made = [
        choice.build(replace(request, line=line, prefix=f"{request.prefix}{line.offset}_"))
        for line in lines_of(request.line)
    ]
    return together(made)


def together(made: Sequence[Fragment]) -> Fragment:
    """Fragments that run on different PEs as one."""
    return Fragment(
        tuple(p for f in made for p in f.parts),
        tuple(s for f in made for s in f.scratch),
        tuple(c for f in made for c in f.colours),
        tuple(r for f in made for r in f.routes),
        {name: value for f in made for name, value in f.positions.items()},
    )


def lines_of(line: Line) -> list[Line]:
    """The lines of each offset."""
    return [replace(line, offset=offset) for offset in range(line.stride)]


def cycles(choice: Choice, request: CollectiveRequest) -> float:
    """Predicted cycles on lines with a stride as on others."""
    return choice.cycles(replace(request, machine=slower(request.machine, request.line.stride)))


def refuses(choice: Choice, request: CollectiveRequest) -> str:
    """Why an algorithm cannot serve a request, "" when it can."""
    if request.line.stride > 1 and choice.algorithm.name == "star":
        return "routers between the positions of a line do not switch"
    return choice.refuses(request)


def slower(machine: Machine, stride: int) -> Machine:
    """The machine as lines that share their links with others find it."""
    if stride == 1:
        return machine
    fabric = machine.fabric
    return machine.replace(
        fabric__hop_latency=fabric.hop_latency * stride,
        fabric__cycles_per_wavelet=fabric.cycles_per_wavelet * stride,
    )
