"""What a model that does not fit is told: what is short, by how much, and the three levers that help most."""

from __future__ import annotations

import pytest
import torch
from torch import nn

import wse_mlir
from wse_mlir.passes.wafer.levers import Demand


def message(model: nn.Module, *args: torch.Tensor, grid: str) -> str:
    with pytest.raises(wse_mlir.CompilerError) as caught:
        wse_mlir.compile(model, args, target="tiny", grid=grid)
    return str(caught.value)


def test_the_three_that_help_most_come_with_figures_and_the_best_one_first() -> None:
    demand = Demand(
        parameters=90_000, others=20_000, wide=110_000, pes=4, most_pes=64, available=40_000, largest=9_000
    )
    assert demand.levers().split("; ") == [
        "programs that take turns: 9000 B at least",
        "more PEs (another grid or machine): 3 times as many at least",
        "f16 in place of f32: about 55000 B",
    ]


def test_what_would_change_nothing_is_no_lever() -> None:
    narrow = Demand(
        parameters=50_000, others=0, wide=0, pes=64, most_pes=64, available=40_000, largest=50_000
    )
    assert narrow.levers() == "a machine with more PEs: 2 times as many at least"


def test_text_that_is_too_long_is_not_helped_by_more_pes() -> None:
    wordy = Demand(
        parameters=0, others=8_000, wide=0, pes=4, most_pes=64, available=40_000, largest=3_000, text=45_000
    )
    assert wordy.levers().split("; ") == [
        "programs that take turns: 3000 B at least",
        "half the batch, or length of a sequence: about 49000 B",
    ]


def test_levers_do_what_they_promise() -> None:
    """A layer that is too large for nine PEs: so many times the PEs hold it, and f16 takes half."""
    layer, x = nn.Linear(512, 600).eval(), torch.zeros(1, 512)
    text = message(layer, x, grid="3x3")
    assert " B a PE > " in text and "more PEs (another grid or machine): 4 times as many at least" in text
    wse_mlir.estimate(layer, (x,), target="tiny", grid="6x6")
    promised = int(text.split("f16 in place of f32: about ")[1].split(" B")[0])
    half = message(layer.half(), x.half(), grid="3x3")
    taken = int(half.split(" (activations and temporaries) = ")[1].split(" B a PE")[0])
    assert taken == pytest.approx(promised, rel=0.02)
