"""Loops that PEs along an axis share, which each of them would run by itself."""

from __future__ import annotations

import functools

import torch
from lowering import Function, wafer_errors

from wse_mlir.passes.wafer.shard.cost import CostModel
from wse_mlir.passes.wafer.shard.finer_loops import finer_loops
from wse_mlir.passes.wafer.shard.layout_rules import grid_mesh
from wse_mlir.wse_target.layout.tensor_layout import TensorLayout
from wse_mlir.wse_target.machine_file import load_machine

COST = CostModel(load_machine("wse3"))


def test_blocks_are_split_within_themselves_where_it_is_long_to_work_them_out() -> None:
    """100 elements in blocks of 25 over 4 rows, which 7 columns share: blocks of 4, the last of them of 1."""
    mesh = grid_mesh(7, 4)
    rows = TensorLayout.blocks((100, 3), ("y", ""), mesh)
    (finer,) = finer_loops(rows, 1000.0, mesh, COST)
    assert [(d.pitch, d.axes) for d in finer.dims[0].digits] == [(25, ("y",)), (4, ("x",))]
    assert finer.tile_shape == (4, 3) and finer.dims[1] == rows.dims[1]
    assert finer_loops(rows, 3.0, mesh, COST) == []
    everywhere = TensorLayout.blocks((100, 3), ("y", "x"), mesh)
    assert finer_loops(everywhere, 1000.0, mesh, COST) == []


def test_what_is_shared_is_computed_once() -> None:
    """Between two products a row of gates, which all PEs of a row would work out."""
    first, second = torch.nn.Linear(24, 61), torch.nn.Linear(61, 24)
    errors = wafer_errors(
        Function(lambda x: second(torch.nn.functional.silu(first(x)))),
        (torch.randn(1, 24),),
        "wse3",
        grid="9x5",
    )
    assert max(errors) <= 1e-3


def test_heads_that_share_keys_and_values() -> None:
    """Six heads in two groups, as a decoder has them; the groups' keys are not repeated."""
    attend = functools.partial(torch.nn.functional.scaled_dot_product_attention, enable_gqa=True)
    args = torch.randn(1, 6, 3, 8), torch.randn(1, 2, 11, 8), torch.randn(1, 2, 11, 8)
    for grid in ("1x1", "4x3", "7x2"):
        assert max(wafer_errors(Function(attend), args, grid=grid)) <= 1e-3
