"""Whether a program can get stuck, told without running it: over buffers, queues, colours, routes, epochs and threads.

See docs/wafer-lowering.md, "Freedom from deadlock", for what is proven and what is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from ..errors import TargetError
from ..image import Program
from ..instructions import Source
from ..machine import Machine
from ..scalars import bound, representatives
from ..sim.code import flatten, place
from ..sim.flow.ranges import simplified
from .agents import Impossible, TooMuchWork
from .execution import Execution
from .explain import waiting
from .lines import line_programs
from .queues import shared_queue
from .trips import shortened

DeadlockOutcome = Literal["free", "deadlocks", "undecided"]
WORK = 400_000_000  # operations of single PEs, see `agents.Budget`; half a minute or so
MOST_VALUES = 64  # of scalars, that are executed one by one
_MANY_LINES = 4  # below, a whole grid is no more work than its lines


@dataclass(frozen=True)
class DeadlockVerdict:
    """What is known of a program before it runs.

    Attributes:
        outcome: "free", it comes to its end in any time; "deadlocks", it never does; "undecided".
        reason: why, in a sentence; "" when it is free.
        cycle: who waits for whom, one sentence each; empty unless it deadlocks.
        where: the layer and line of an operation that waits, as far as they are known.
    """

    outcome: DeadlockOutcome
    reason: str = ""
    cycle: tuple[str, ...] = ()
    where: str = ""


def verdict(program: Program, machine: Machine, work: int = WORK) -> DeadlockVerdict:
    """Decides by untimed execution whether a program comes to its end on a machine.

    One execution for all values of its scalars that make no difference to what PEs send, receive, wait for and switch;
    where they make too many, nothing is decided.

    Args:
        program: one that `sim.check.check_program` accepts.
        work: bound on the operations of single PEs that are looked at; beyond it the verdict is "undecided".
    """
    values = representatives(program, MOST_VALUES)
    if values is None:
        return DeadlockVerdict(
            "undecided", f"scalars make PEs send and receive in more than {MOST_VALUES} ways"
        )
    for some in values:
        found = _bound_verdict(bound(program, some), machine, work // len(values))
        if found.outcome != "free":
            return replace(found, reason=_for(some, program, found.reason))
    return DeadlockVerdict("free")


def _for(values: Mapping[str, int], program: Program, reason: str) -> str:
    """A reason, with the values of scalars that it is for."""
    said = ", ".join(f"{s.name} = {values[s.name]}" for s in program.scalars)
    return f"{reason} (for {said})" if said else reason


def _bound_verdict(program: Program, machine: Machine, work: int) -> DeadlockVerdict:
    """The verdict on a program without scalars."""
    width, height = program.grid
    lines = line_programs(program) if min(width, height) >= _MANY_LINES else None
    short = shortened(program) if lines is None else None
    parts = lines or [] if short is None else [short]
    if not parts or any(execute_whole(part, machine, work).outcome != "free" for part in parts):
        found = execute_whole(program, machine, work)
        if found.outcome != "free":
            return found
    shared = shared_queue(program)
    return DeadlockVerdict("undecided", shared) if shared else DeadlockVerdict("free")


def execute_whole(program: Program, machine: Machine, work: int = WORK) -> DeadlockVerdict:
    """The verdict by one execution of all PEs; queues that colours share are not looked at."""
    placement = place(*program.grid, program.classes)
    run = Execution(program, machine, placement, simplified(flatten(program), program.grid), work)
    try:
        run.run()
    except Impossible as error:
        op = run.code.operations[int(run.agents.pc[error.agent])]
        return DeadlockVerdict("deadlocks", str(error), (), (getattr(op, "source", None) or Source()).place)
    except TooMuchWork:
        return DeadlockVerdict("undecided", f"more than {work} operations would have to be looked at")
    if run.races:
        return DeadlockVerdict("undecided", run.races)
    if run.restless:
        return DeadlockVerdict("undecided", "trips of a loop begin before the ones before have ended")
    reason, cycle, where = waiting(run)
    return DeadlockVerdict("deadlocks", reason, cycle, where) if reason else DeadlockVerdict("free")


def require_free(program: Program, machine: Machine) -> DeadlockVerdict:
    """The verdict on a program that does not deadlock.

    Raises:
        TargetError: it does; the message names the cycle.
    """
    found = verdict(program, machine)
    if found.outcome == "deadlocks":
        first, *others = found.cycle or ("",)
        raise TargetError(
            f"deadlock, found before anything ran: {found.reason}{': ' if first else ''}{first}",
            where=found.where,
            notes=tuple(others),
            hint="every receive needs a send of its colour, and a long send needs its receivers at work",
        )
    return found
