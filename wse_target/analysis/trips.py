"""Programs whose loops have trips that are all alike: two trips of each stand for all of them.

Let all classes run the same loops one after the other, and let nothing in such a loop that can wait, or be waited for,
depend on the trip: lengths, loops inside, cases and the positions that routers are switched to. Let the PEs wait for
each other at the end of every trip. When then everything is at rest behind the first trip and behind the second one,
routers are set alike there, since both have switched them to the same positions; so the third trip begins as the second
one did, comes to its end as that did, and so on. Programs are determinate: if they come to their end with this waiting
added, they do without it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from ..image import Program
from ..instructions import Choose, Instruction, Join, Loop, Receive, Relay, Send, Switch, all_instructions
from ..quasi_affine import Const
from .lines import Barrier

_STANDING = 2  # trips that are executed for all of them
_Loops = tuple[tuple[str, int], ...]  # variables and trips


def shortened(program: Program) -> Program | None:
    """The program with two trips of each loop whose trips are alike, with barriers behind; None without such loops."""
    loops = {_loops(c.body) for c in program.classes if _waits(c.body)}
    found = loops.pop() if len(loops) == 1 else ()
    if not found:
        return None
    idle = tuple(Loop(name, Const(_STANDING), _ended(())) for name, _ in found)
    classes = [replace(c, body=_shorter(c.body) if _waits(c.body) else idle) for c in program.classes]
    return replace(program, classes=tuple(classes))


def _waits(body: Iterable[Instruction]) -> bool:
    return any(isinstance(op, (Send, Receive, Relay, Switch, Join)) for op in all_instructions(body))


def _loops(body: Iterable[Instruction]) -> _Loops:
    return tuple((op.variable, op.trips.value) for op in body if _repeats(op))  # type: ignore[union-attr]


def _shorter(body: Iterable[Instruction]) -> tuple[Instruction, ...]:
    return tuple(
        replace(op, trips=Const(_STANDING), body=_ended(op.body)) if _repeats(op) else op  # type: ignore[type-var, union-attr]
        for op in body
    )


def _ended(body: tuple[Instruction, ...]) -> tuple[Instruction, ...]:
    return (*body, Barrier(rest=True))  # type: ignore[return-value]


def _repeats(op: Instruction) -> bool:
    """Whether this is a loop of more trips than stand for it, all of them alike."""
    if not (isinstance(op, Loop) and isinstance(op.trips, Const) and op.trips.value > _STANDING):
        return False
    return _waits(op.body) and not any(_depends(inner, op.variable) for inner in all_instructions(op.body))


def _depends(op: Instruction, variable: str) -> bool:
    """Whether what can wait, or what decides on it, is another one in another trip."""
    if isinstance(op, (Send, Receive, Relay)):
        return any(variable in bound.variables() for bound in op.bounds)
    if isinstance(op, Loop):
        return variable in op.trips.variables()
    if isinstance(op, Choose):
        return variable in op.selector.variables()
    return isinstance(op, Switch) and variable in op.position.variables()
