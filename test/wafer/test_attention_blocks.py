"""Attention that holds scores of some keys at a time: PyTorch's numbers, memory that keys do not add to, the choice."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from lowering import error, run, simulated
from rich.console import Console
from torch import nn
from torch.nn import functional as F

import wse_mlir
from wse_mlir.frontend.imported import ImportedModel, import_model
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.runtime.wafer.key_blocks import Scores, TriedKeys, chosen_keys, other_keys
from wse_mlir.tools.plan_table import plan_table
from wse_mlir.wse_target.machine_file import load_machine

Tensors = tuple[torch.Tensor, ...]


class Attention(nn.Module):
    """PyTorch's, whose rows without keys are zero."""

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(
        self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None
    ) -> torch.Tensor:
        return F.scaled_dot_product_attention(q, k, v, mask, **self.options)


class PlainAttention(nn.Module):
    """By hand: rows without keys are NaN."""

    def forward(self, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        return torch.softmax(q @ k.transpose(-1, -2) * 0.5 + mask, -1) @ v


def heads(
    queries: int, keys: int, size: int = 4, number: int = 3, dtype: torch.dtype = torch.float32
) -> Tensors:
    generator = torch.Generator().manual_seed(queries)
    shapes = ((1, number, queries, size), (1, number, keys, size), (1, number, keys, size + 1))
    return tuple(torch.randn(shape, generator=generator).to(dtype) for shape in shapes)


def infinities() -> torch.Tensor:
    """A mask with rows of minus infinity, that begin so, with infinity, with NaN, and of the least finite number."""
    mask = torch.zeros(10, 11)
    mask[3], mask[5, :6], mask[9] = float("-inf"), float("-inf"), torch.finfo(torch.float32).min
    mask[7, 2], mask[8, 3] = float("inf"), float("nan")
    return mask


SHARED = (heads(9, 13, number=6)[0], *heads(9, 13, number=2)[1:])
CASES = {
    "shared heads, causal": (Attention(is_causal=True, enable_gqa=True), SHARED, "3x2", 1e-5),
    "half types, causal": (Attention(is_causal=True), heads(10, 10, dtype=torch.float16), "5x3", 5e-3),
    "mask": (PlainAttention(), (*heads(10, 11), infinities()), "3x2", 1e-5),
    "mask, rows without keys are zero": (Attention(), (*heads(10, 11), infinities()), "5x3", 1e-5),
    "mask of bits": (Attention(), (*heads(10, 11), infinities() == 0), "2x5", 1e-5),
}


@pytest.mark.parametrize("case", CASES)
def test_blocks_of_keys_give_what_pytorch_gives(case: str) -> None:
    model, args, grid, tolerance = CASES[case]
    compiled = wse_mlir.compile(model, args, target="tiny", grid=grid, keys=4)
    assert error(compiled(*args), model(*args)) < tolerance
    assert compiled.report["choices"][0]["attention"]["chosen"]["keys"] == 4


def in_blocks(model: nn.Module, args: Tensors, keys: int, grid: str, until: str) -> ImportedModel:
    """A model up to a row of the pipeline, with so many keys to a block."""
    imported = import_model(model, args)
    pipeline = named_pipeline("wafer").given({"wse-block-attention"}, keys=keys)
    pipeline = pipeline.override(partition=f"wse-partition{{machine=tiny grid={grid}}}")
    names = [stage.name for stage in pipeline.stages]
    run(imported, [stage.text for stage in pipeline.stages[: names.index(until) + 1]])
    return imported


def test_both_engines_agree_on_blocks() -> None:
    model, args = Attention(is_causal=True), heads(7, 7, number=1)
    lowered = in_blocks(model, args, 3, "2x2", "plan-memory")
    flow, wavelet = (simulated(lowered, args, engine=engine) for engine in ("flow", "wavelet"))
    assert (flow.outputs[0] == wavelet.outputs[0]).all()
    assert error(torch.from_numpy(flow.outputs[0]), model(*args)) < 1e-5
    expected = wavelet.report.cycles.makespan
    assert abs(flow.report.cycles.makespan - expected) <= max(0.05 * expected, 20)


def planned(queries: int, keys: int, block: int) -> dict[str, Any]:
    """The report of an attention on one PE."""
    args = heads(queries, keys, number=1)
    return wse_mlir.estimate(Attention(), args, target="tiny", grid="1x1", keys=block, critical_path=False)


def test_more_keys_take_no_more_memory_for_scores_and_no_more_code() -> None:
    shorter, longer = planned(16, 64, 8), planned(16, 128, 8)
    more = 64 * (4 + 5) * 4  # keys and values themselves
    assert longer["sram"]["buffers"] - shorter["sram"]["buffers"] <= 1.1 * more
    assert longer["sram"]["code"] <= shorter["sram"]["code"] + 64  # a loop with more trips
    whole = planned(16, 64, 0)["sram"]["buffers"], planned(16, 128, 0)["sram"]["buffers"]
    assert whole[1] - whole[0] >= more + 16 * 64 * 4


def test_what_was_refused_for_its_scores_fits() -> None:
    """512 tokens on 64 PEs, of which each has 44 KiB."""
    model, args = Attention(is_causal=True), heads(512, 512, 16, 1)
    with pytest.raises(wse_mlir.CompilerError, match="does not fit the SRAM"):
        wse_mlir.compile(model, args, target="tiny", grid="8x8", keys=0)
    compiled = wse_mlir.compile(model, args, target="tiny", grid="8x8")
    assert error(compiled(*args), model(*args)) < 1e-5
    weighed = compiled.report["choices"][0]["attention"]
    assert weighed["of"] == [512] and 0 < weighed["chosen"]["keys"] < 512
    (lost,) = weighed["alternatives"]
    assert lost["keys"] == 0 and "does not fit the SRAM" in lost["refused"]


def test_blocks_are_planned_for_where_scores_take_much() -> None:
    machine = load_machine("tiny")
    available, keys = machine.sram_available, 1024
    small, large = (Scores(keys, int(share * available * 64)) for share in (0.1, 0.3))
    assert list(other_keys([small], machine, "8x8", fits=True)) == []
    assert list(other_keys([], machine, "8x8", fits=False)) == []
    assert list(other_keys([small], machine, "8x8", fits=False)) == [512]  # a sixteenth of the memory
    assert list(other_keys([small, large], machine, "8x8", fits=True)) == [512, 128]
    assert list(other_keys([large], machine, "", fits=True)) == [512, 128]  # all 8 x 8 PEs


def test_the_plan_says_how_many_keys_there_are_at_a_time() -> None:
    scores, refused = [Scores(512, 1 << 20)], TriedKeys(0, refused="the model does not fit")
    dear, chosen = TriedKeys(32, "8x8", 2000.0, 100), TriedKeys(128, "8x8", 1500.0, 200)
    grid = {"chosen": {"name": "8x8", "cycles": 1500.0, "bytes": 200}, "alternatives": [], "given_up": []}
    grid["attention"] = chosen_keys([refused, dear, chosen], scores)
    console = Console(width=200)
    with console.capture() as capture:
        console.print(plan_table("tiny", [grid]))
    assert (
        "attention over 512 keys: blocks of 128 at most; instead of scores of all of them (the model does not fit), "
        "blocks of 32 at most (2,000 cycles; 100 bytes)"
    ) in capture.get()


@pytest.mark.parametrize("given", ["many", -1, True, 2.5])
def test_keys_are_a_number(given: object) -> None:
    with pytest.raises(wse_mlir.CompilerError, match="has to be a number of keys, 0 for all of them"):
        wse_mlir.compile(Attention(), heads(3, 3), target="tiny", keys=given)
