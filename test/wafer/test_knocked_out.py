"""What is taken out of a program, or displaced in it, makes its answer wrong: halos, reductions, indirect accesses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from lowering import Function, error, lower, simulated
from wse_mlir.pipelines.frontend.imported import ImportedModel
from wse_mlir.pipelines.runtime.image_builder import build_image
from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.footprint import indices_of
from wse_mlir.wse_target.image import (
    Access,
    Choose,
    Instruction,
    Loop,
    Program,
    Receive,
    Relay,
    Send,
    Vector,
    all_instructions,
)

Change = Callable[[Instruction], Instruction | None]
MOST = 6  # places of one kind that are tried in a program


def _random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def _put(x: torch.Tensor, rows: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    return x.index_add(0, rows, values)


MODELS: dict[str, tuple[Callable[..., Any], tuple[torch.Tensor, ...]]] = {
    "halo": (
        lambda x, w: torch.conv2d(x, w, padding=1),
        (_random(1, 2, 11, 13), _random(3, 2, 3, 3, seed=1)),
    ),
    "reduction": (lambda x: x - x.sum(1, keepdim=True), (_random(2, 70),)),
    "gather": (lambda table, ids: table[ids] * 2, (_random(11, 6), torch.tensor([7, 0, 10, 7]))),
    "scatter": (_put, (_random(11, 6), torch.tensor([7, 0, 10, 7]), _random(4, 6, seed=1))),
}


@pytest.fixture(scope="module")
def programs() -> dict[str, ImportedModel]:
    return {n: lower(Function(f), args, "3x3", "plan-memory") for n, (f, args) in MODELS.items()}


def _drop(op: Instruction) -> None:
    return None


def _overwrite(op: Instruction) -> Instruction:
    """What is received takes the place of what it is combined with."""
    assert isinstance(op, (Receive, Relay))
    return replace(op, combine="store")


def _displace(op: Instruction) -> Instruction:
    """Numbers mean the place after the one that they are."""
    assert isinstance(op, Vector)
    one_on = [
        replace(a, indices=tuple(replace(i, origin=i.origin - 1) for i in a.indices))
        if isinstance(a, Access)
        else a
        for a in (op.dst, *op.srcs)
    ]
    return replace(op, dst=one_on[0], srcs=tuple(one_on[1:]))


KNOCKS: list[tuple[str, str, Callable[[Instruction], bool], Change]] = [
    ("halo", "messages", lambda op: isinstance(op, (Send, Receive)), _drop),
    ("reduction", "messages", lambda op: isinstance(op, (Send, Receive, Relay)), _drop),
    (
        "reduction", "parts of sums",
        lambda op: isinstance(op, (Receive, Relay)) and op.combine != "store"
        and not (isinstance(op, Relay) and op.own is None),
        _overwrite,
    ),
    *(
        (model, what, lambda op: isinstance(op, Vector) and len(indices_of(op)) > 0, change)
        for model in ("gather", "scatter")
        for what, change in (("accesses", _drop), ("numbers", _displace))
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("model", "what", "wanted", "change"), KNOCKS, ids=[f"{m}-{w}" for m, w, *_ in KNOCKS]
)
def test_nothing_is_there_for_show(
    programs: dict[str, ImportedModel],
    model: str,
    what: str,
    wanted: Callable[[Instruction], bool],
    change: Change,
) -> None:
    function, args = MODELS[model]
    imported, expected = programs[model], function(*args)
    assert error(torch.from_numpy(simulated(imported, args).outputs[0]), expected) <= 1e-3
    program = build_image(imported.module.operation)
    places = list(
        dict.fromkeys(id(op) for c in program.classes for op in all_instructions(c.body) if wanted(op))
    )
    assert places, f"the program has no {what}"
    for number in range(0, len(places), -(-len(places) // MOST)):
        changed = _changed(program, places[number], change)
        try:
            found = simulated(imported, args, lambda _, changed=changed: changed).outputs[0]
        except TargetError:
            continue
        assert error(torch.from_numpy(found), expected) > 1e-3, (what, number)


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
