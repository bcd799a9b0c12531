"""Programs with a mistake: a transfer lost, doubled, moved or on the wrong thread, a switch forgotten, no queues."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from random_programs import RandomProgram

from wse_mlir.wse_target.image import PEClass
from wse_mlir.wse_target.instructions import (
    Choose,
    Instruction,
    Join,
    Loop,
    Receive,
    Relay,
    Send,
    Switch,
    inner_bodies,
)

Body = tuple[Instruction, ...]
_TRANSFERS = (Send, Receive, Relay)


def mutate(case: RandomProgram, random: np.random.Generator) -> RandomProgram:
    """The program with one mistake, or with shallower queues."""
    change = _CHANGES[int(random.integers(len(_CHANGES)))]
    if change is None:
        depths = {"queues__input": [1], "queues__output": [1], "fabric__router_words": 1}
        program = replace(case.program, queues={})
        return RandomProgram(program, case.machine.replace(**depths), case.inputs)
    classes = list(case.program.classes)
    for index in random.permutation(len(classes)).tolist():
        found = change(classes[index].body, random)
        if found is not None:
            classes[index] = PEClass(classes[index].name, classes[index].where, found)
            break
    return RandomProgram(replace(case.program, classes=tuple(classes)), case.machine, case.inputs)


def _places(body: Body, kinds: tuple[type, ...]) -> list[int]:
    return [at for at, op in enumerate(body) if isinstance(op, kinds)]


def _pick(random: np.random.Generator, places: list[int]) -> int:
    return places[int(random.integers(len(places)))]


def _inside(change: Callable[[Body, np.random.Generator], Body | None]) -> Callable[..., Body | None]:
    """Makes the change in a body or, now and then, in one of its loops, or in a case of its choices."""

    def somewhere(body: Body, random: np.random.Generator) -> Body | None:
        nested = _places(body, (Loop, Choose))
        if nested and random.random() < 0.5:
            return inside(body, nested, random) or change(body, random)
        return change(body, random) or inside(body, nested, random)

    def inside(body: Body, nested: list[int], random: np.random.Generator) -> Body | None:
        for at in random.permutation(nested).tolist():
            op = body[at]
            texts = inner_bodies(op)
            for number in random.permutation(len(texts)).tolist():
                changed = somewhere(texts[number], random)
                if changed is not None:
                    return (*body[:at], _with_text(op, number, changed), *body[at + 1 :])
        return None

    return somewhere


def _with_text(op: Instruction, number: int, text: Body) -> Instruction:
    """A loop or a choice with one of its texts replaced."""
    if isinstance(op, Loop):
        return replace(op, body=text)
    assert isinstance(op, Choose)
    return replace(op, cases=(*op.cases[:number], text, *op.cases[number + 1 :]))


def _drop(body: Body, random: np.random.Generator) -> Body | None:
    at = _places(body, _TRANSFERS)
    if not at:
        return None
    place = _pick(random, at)
    return (*body[:place], *body[place + 1 :])


def _double(body: Body, random: np.random.Generator) -> Body | None:
    at = _places(body, _TRANSFERS)
    if not at:
        return None
    place = _pick(random, at)
    return (*body[: place + 1], *body[place:])


def _swap(body: Body, random: np.random.Generator) -> Body | None:
    """Two transfers that follow each other change places: a receive before a send, and the other way round."""
    at = _places(body, (*_TRANSFERS, Join))
    if len(at) < 2:
        return None
    first = int(random.integers(len(at) - 1))
    one, other = at[first], at[first + 1]
    swapped = list(body)
    swapped[one], swapped[other] = body[other], body[one]
    return tuple(swapped)


def _retread(body: Body, random: np.random.Generator) -> Body | None:
    """A transfer runs on the main thread in place of a microthread, or beside it and is not waited for."""
    at = _places(body, _TRANSFERS)
    if not at:
        return None
    place = _pick(random, at)
    op = body[place]
    assert isinstance(op, _TRANSFERS)
    moved = replace(op, thread=0 if op.thread else int(random.integers(1, 4)))
    return (*body[:place], moved, *body[place + 1 :])


def _unswitch(body: Body, random: np.random.Generator) -> Body | None:
    at = _places(body, (Switch,))
    if not at:
        return None
    place = _pick(random, at)
    return (*body[:place], *body[place + 1 :])


def _trip(body: Body, random: np.random.Generator) -> Body | None:
    """A loop with transfers runs once more."""
    at = [p for p in _places(body, (Loop,)) if _places(body[p].body, _TRANSFERS)]  # type: ignore[union-attr]
    if not at:
        return None
    place = _pick(random, at)
    loop = body[place]
    assert isinstance(loop, Loop)
    return (*body[:place], replace(loop, trips=loop.trips + 1), *body[place + 1 :])


_CHANGES: list[Callable[[Body, np.random.Generator], Body | None] | None] = [
    None, None, _inside(_drop), _inside(_double), _inside(_swap), _inside(_swap), _inside(_swap),
    _inside(_retread), _inside(_retread), _inside(_retread), _inside(_unswitch), _trip,
]  # fmt: skip
