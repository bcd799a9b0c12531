"""Maximum pooling where PyTorch's definition is easily missed: integers, windows of nothing but -inf, padding."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

import wse_mlir

GENERATOR = torch.Generator().manual_seed(0)


class OfIntegers(torch.nn.Module):
    """Of three dimensions, on which the import of torch-mlir ended the process."""

    def forward(self, x: torch.Tensor, narrow: torch.Tensor) -> Any:
        return (
            functional.max_pool3d(x, 2),
            functional.max_pool3d(x, (3, 2, 2), 2, (1, 0, 1), (1, 2, 1), True, True),
            functional.max_pool3d(x[0], 3, 2, 1, ceil_mode=True),
            functional.max_pool3d(narrow, 2, 3, 1, return_indices=True),
        )


class OfImages(torch.nn.Module):
    """Integers of two dimensions and of one, which torch-mlir compares as floats or as signed."""

    def forward(self, x: torch.Tensor, unsigned: torch.Tensor) -> Any:
        return (
            functional.max_pool2d(x, 3, 2, 1, 1, True, True),
            functional.max_pool2d(unsigned[0], 2, 1, 1),
            functional.max_pool2d(unsigned, 3, 2, 1, return_indices=True),
            functional.max_pool1d(unsigned[0], 2, 1, 1, return_indices=True),
        )


class OfFloats(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        return (
            functional.max_pool2d(x, 2, 2, 1, return_indices=True),
            functional.max_pool2d(x, 3, 2, 1, 1, True, True),
            functional.max_pool3d(x[None], 3, 2, 1, return_indices=True),
            functional.max_pool1d(x[0], 3, 2, 1, return_indices=True),
        )


def same(model: torch.nn.Module, *inputs: tuple[torch.Tensor, ...]) -> None:
    compiled = wse_mlir.compile(model, inputs[0])
    leaves = torch.utils._pytree.tree_leaves
    for args in inputs:
        for k, (a, b) in enumerate(zip(leaves(compiled(*args)), leaves(model(*args)), strict=True)):
            assert torch.equal(a.nan_to_num(7), b.nan_to_num(7)), f"output {k}: {a} instead of {b}"


def test_integers_in_three_dimensions() -> None:
    x = torch.randint(-(2**62), 2**62, (2, 3, 5, 4, 6), generator=GENERATOR)
    x[0] = torch.iinfo(torch.int64).min
    same(OfIntegers(), (x, x.to(torch.int8)))


def test_integers_in_two_dimensions() -> None:
    x = torch.randint(-(2**62), 2**62, (2, 3, 5, 6), generator=GENERATOR)
    same(OfImages(), (x, x.to(torch.uint8)))


def test_windows_of_minus_infinity_have_a_place_in_the_image() -> None:
    nothing = torch.full((2, 5, 4), -torch.inf)
    mixed = torch.randn(2, 5, 4, generator=GENERATOR)
    mixed[0, :3], mixed[1, 1:3, 1:3] = -torch.inf, torch.nan
    same(OfFloats(), (mixed,), (nothing,))
