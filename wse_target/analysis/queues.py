"""Queues that colours share: allowed as long as no PE uses two of them at a time."""

from __future__ import annotations

from collections.abc import Iterable

from ..image import Program
from ..instructions import MAIN_THREAD, Choose, Instruction, Join, Loop, Receive, Relay, Send, Transfer
from ..roles import by_role

_Use = tuple[str, int]  # "input" or "output", and the queue's number


def shared_queue(program: Program) -> str:
    """Says which class uses one queue for two colours between a transfer's launch and its join; "" if none does.

    On such a PE words of one colour may lie before those of the other, which the model of streams knows nothing of.
    """
    if not program.queues:
        return ""
    for pe_class in by_role(program.classes) or program.classes:
        found = _walk(program, pe_class.body, {})
        if found:
            return f"class '{pe_class.name}': {found}"
    return ""


def _walk(program: Program, body: Iterable[Instruction], open_: dict[int, list[tuple[_Use, str]]]) -> str:
    """Follows a body; `open_` has what each microthread uses until it is joined or launched again."""
    for op in body:
        if isinstance(op, Loop):
            found = _walk(program, op.body, open_) or _walk(program, op.body, open_)
            if found:
                return found
        elif isinstance(op, Choose):
            ways = [(case, dict(open_)) for case in (*op.cases, ())]
            found = next(filter(None, (_walk(program, case, way) for case, way in ways)), "")
            if found:
                return found
            open_.clear()
            for _, way in ways:  # whatever one of them has left under way may still be
                for thread, uses in way.items():
                    open_[thread] = [*open_.get(thread, ()), *uses]
        elif isinstance(op, Join):
            for thread in op.threads:
                open_.pop(thread, None)
        elif isinstance(op, (Send, Receive, Relay)):
            open_.pop(op.thread, None)
            uses = _uses(program, op)
            for use, colour in uses:
                for other, name in (pair for pairs in open_.values() for pair in pairs):
                    if use == other and colour != name:
                        kind, number = use
                        return f"colours '{name}' and '{colour}' share {kind} queue {number} at a time"
            if op.thread != MAIN_THREAD:
                open_[op.thread] = uses
    return ""


def _uses(program: Program, op: Transfer) -> list[tuple[_Use, str]]:
    """Queues of a transfer, with its colours."""
    found: list[tuple[_Use, str]] = []
    if isinstance(op, (Receive, Relay)):
        colour = op.colour if isinstance(op, Receive) else op.receive
        if colour in program.queues:
            found.append((("input", program.queues[colour][0]), colour))
    if isinstance(op, (Send, Relay)):
        colour = op.colour if isinstance(op, Send) else op.send
        if colour in program.queues:
            found.append((("output", program.queues[colour][1]), colour))
    return found
