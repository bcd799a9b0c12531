"""Programs with one instruction changed or left out, for the tests of this folder: whoever is needed is missed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.instructions import (
    Access,
    Choose,
    Instruction,
    Loop,
    Receive,
    Relay,
    Send,
    Vector,
    all_instructions,
)

Change = Callable[[Instruction], Instruction | None]
MOST = 6  # places of one kind that are tried in a program


def is_message(op: Instruction) -> bool:
    """Whether it moves words."""
    return isinstance(op, (Send, Receive, Relay))


def combines(op: Instruction) -> bool:
    """Whether it adds what it receives to what a PE has, or otherwise combines the two."""
    received = isinstance(op, (Receive, Relay)) and op.combine != "store"
    return received and not (isinstance(op, Relay) and op.own is None)


def drop(op: Instruction) -> None:
    return None


def overwrite(op: Instruction) -> Instruction:
    """What is received takes the place of what it is combined with."""
    assert isinstance(op, (Receive, Relay))
    return replace(op, combine="store")


def displace(op: Instruction) -> Instruction:
    """Numbers mean the place after the one that they are."""
    assert isinstance(op, Vector)
    one_on = [
        replace(a, indices=tuple(replace(i, origin=i.origin - 1) for i in a.indices))
        if isinstance(a, Access)
        else a
        for a in (op.dst, *op.srcs)
    ]
    return replace(op, dst=one_on[0], srcs=tuple(one_on[1:]))


def knocked(program: Program, wanted: Callable[[Instruction], bool], change: Change) -> Iterator[Program]:
    """The program with one of the wanted instructions changed, for some of them; at least one is there."""
    everything = [op for c in program.classes for op in all_instructions(c.body)]
    places = list(dict.fromkeys(id(op) for op in everything if wanted(op)))
    assert places, "the program has no such instruction"
    for number in range(0, len(places), -(-len(places) // MOST)):
        yield _changed(program, places[number], change)


def _changed(program: Program, place: int, change: Change) -> Program:
    """The program with one instruction, wherever it stands, replaced or left out."""
    classes = (replace(c, body=tuple(_texts(c.body, place, change))) for c in program.classes)
    return replace(program, classes=tuple(classes))


def _texts(body: Sequence[Instruction], place: int, change: Change) -> Iterator[Instruction]:
    for op in body:
        if id(op) == place:
            instead = change(op)
            if instead is not None:
                yield instead
        elif isinstance(op, Loop):
            yield replace(op, body=tuple(_texts(op.body, place, change)))
        elif isinstance(op, Choose):
            yield replace(op, cases=tuple(tuple(_texts(case, place, change)) for case in op.cases))
        else:
            yield op
