"""What is taken out of a program, or displaced in it, makes its answer wrong: halos, reductions, indirect accesses."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from knocks import Change, combines, displace, drop, is_message, knocked, overwrite
from lowering import Function, error, lower, simulated

from wse_mlir.frontend.imported import ImportedModel
from wse_mlir.runtime.wafer.image_builder import build_image
from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.footprint import indices_of
from wse_mlir.wse_target.instructions import Instruction, Vector


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


def _is_indirect(op: Instruction) -> bool:
    return isinstance(op, Vector) and len(indices_of(op)) > 0


KNOCKS: list[tuple[str, str, Callable[[Instruction], bool], Change]] = [
    ("halo", "messages", is_message, drop),
    ("reduction", "messages", is_message, drop),
    ("reduction", "parts of sums", combines, overwrite),
    *(
        (model, what, _is_indirect, change)
        for model in ("gather", "scatter")
        for what, change in (("accesses", drop), ("numbers", displace))
    ),
]


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
    for number, changed in enumerate(knocked(program, wanted, change)):
        try:
            found = simulated(imported, args, lambda _, changed=changed: changed).outputs[0]
        except TargetError:
            continue
        assert error(torch.from_numpy(found), expected) > 1e-3, (what, number)
