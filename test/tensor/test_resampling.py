"""Interpolation and nearest neighbours give PyTorch's numbers; what they become is checked by lit."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import wse_mlir
from wse_mlir.passes.tensor.algebra.resampling.sampling_line import find_line, find_positions


class Resize(nn.Module):
    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.interpolate(x, **self.options)


class Between(nn.Module):
    """A resampling between convolutions, and with an addition behind it."""

    def __init__(self, resize: nn.Module) -> None:
        super().__init__()
        self.first, self.resize, self.second = nn.Conv2d(5, 19, 3, padding=1), resize, nn.Conv2d(19, 7, 3)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return self.second(F.relu(self.resize(self.first(x)) + y))


def check(model: nn.Module, *args: torch.Tensor, **options: str) -> None:
    with torch.no_grad():
        want = model.eval()(*args)
    got = wse_mlir.compile(model, args, cache=False, **options)(*args)
    assert got.shape == want.shape and got.dtype == want.dtype
    assert float((got - want).abs().max()) <= 1e-4 * max(float(want.abs().max()), 1e-6)


CASES = [
    ((2, 3, 5, 7), {"scale_factor": 2, "mode": "nearest"}),
    ((1, 3, 17, 1), {"size": (31, 9), "mode": "nearest"}),
    ((1, 2, 40, 33), {"size": (11, 20), "mode": "nearest-exact"}),
    ((1, 3, 9, 20), {"scale_factor": 2, "mode": "bilinear"}),
    ((1, 3, 9, 20), {"scale_factor": 2, "mode": "bilinear", "align_corners": True}),
    ((2, 1, 17, 17), {"size": (31, 50), "mode": "bilinear"}),
    ((1, 2, 30, 50), {"size": (7, 21), "mode": "bilinear"}),
    ((1, 3, 8, 8), {"scale_factor": 8, "mode": "bilinear"}),
    ((1, 3, 6, 5), {"size": (6, 13), "mode": "bilinear", "align_corners": True}),
    ((1, 3, 6, 5), {"size": (1, 1), "mode": "bilinear"}),
    ((1, 2, 9, 11), {"scale_factor": 2, "mode": "bicubic"}),
    ((1, 3, 23), {"size": 50, "mode": "linear"}),
]


@pytest.mark.parametrize(("shape", "options"), CASES, ids=str)
def test_resampling_alone(shape: tuple[int, ...], options: dict[str, Any]) -> None:
    check(Resize(**options), torch.randn(shape))


@pytest.mark.parametrize("features", ["", "-avx512f", "-avx"])
@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_resampling_between_convolutions(mode: str, features: str) -> None:
    model = Between(Resize(size=(19, 31), mode=mode))
    check(model, torch.randn(1, 5, 9, 14), torch.randn(1, 19, 19, 31), features=features)


@pytest.mark.parametrize("features", ["-avx512f", "-avx"])
def test_rows_shorter_and_longer_than_vectors(features: str) -> None:
    for width in (3, 6, 21):
        check(
            Resize(size=(7, 2 * width + 1), mode="bilinear"), torch.randn(1, 2, 4, width), features=features
        )


def test_elements_of_other_types_are_copied() -> None:
    check(Resize(scale_factor=3, mode="nearest"), torch.randn(1, 2, 5, 6, dtype=torch.float64))
    check(Resize(size=(9, 13), mode="bilinear"), torch.randn(1, 2, 5, 6, dtype=torch.float64))


def test_infinite_elements_are_copied_to_their_places_only() -> None:
    x = torch.zeros(1, 1, 3, 20)
    x[0, 0, 1, 4], x[0, 0, 1, 9] = float("inf"), float("nan")
    got = wse_mlir.compile(Resize(scale_factor=2, mode="nearest"), (x,), cache=False)(x)
    assert torch.equal(got.isnan(), F.interpolate(x, scale_factor=2).isnan())
    assert int(got.isinf().sum()) == 4


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 90), st.booleans())
def test_lines_keep_to_their_bounds(size: int, points: int, clamp: bool) -> None:
    """Positions of nearest neighbours, and of the first of two neighbours, lie on a line."""
    exact = np.floor((np.arange(points) + 0.5) * size / points - 0.5 * clamp).astype(int)
    if not clamp:
        line = find_line(exact, exact)
        assert line is not None and (line.positions() == exact).all()
    elif size > 1:
        line = find_positions(exact, exact, size - 2)
        assert line is not None and (line.positions() == exact.clip(0, size - 2)).all()


def test_no_line() -> None:
    assert find_line(np.array([0, 3, 0]), np.array([0, 3, 0])) is None
    assert find_line(np.array([], dtype=int), np.array([], dtype=int)) is None


def test_a_nan_reaches_only_the_points_that_read_it() -> None:
    """Points at an edge read one neighbour; the other one of the line weighs nothing there, and may be a NaN."""
    x = torch.randn(1, 4, 5, 6)
    x[0, 0, 1, 1] = x[0, 1, -2, -2] = x[0, 2, 0, -2] = x[0, 3, -1, -1] = torch.nan
    functions = {
        f"{mode} {aligned}": lambda x, m=mode, a=aligned: torch.nn.functional.interpolate(
            x, scale_factor=2, mode=m, align_corners=a
        )
        for mode in ("bilinear", "bicubic")
        for aligned in (False, True)
    }

    class Resampled(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
            return {name: function(x) for name, function in functions.items()}

    compiled = wse_mlir.compile(Resampled(), (x,))(x)
    for name, expected in Resampled()(x).items():
        torch.testing.assert_close(compiled[name], expected, equal_nan=True, rtol=1e-4, atol=1e-4, msg=name)


def test_an_element_that_is_also_read_with_the_weight_zero() -> None:
    """At the last point, along a dimension that keeps its size, and where points fall on elements."""
    shapes: dict[str, list[tuple[list[int], list[int]]]] = {
        "linear": [([1, 2, 5], [4]), ([1, 2, 4], [2]), ([1, 2, 4], [7])],
        "bilinear": [([1, 2, 4, 5], [3, 4]), ([1, 2, 4, 5], [7, 5]), ([1, 2, 6, 9], [2, 3])],
        "trilinear": [([1, 2, 4, 3, 5], [3, 2, 4]), ([1, 2, 4, 3, 5], [3, 3, 9])],
    }
    cases = [(m, i, o, a) for m, pairs in shapes.items() for i, o in pairs for a in (True, False)]

    class Resampled(torch.nn.Module):
        def forward(self, images: list[torch.Tensor]) -> list[torch.Tensor]:
            return [
                F.interpolate(x, size=size, mode=mode, align_corners=aligned)
                for x, (mode, _, size, aligned) in zip(images, cases, strict=True)
            ]

    def images(planted: float, first: int) -> list[torch.Tensor]:
        found = [torch.randn(shape, dtype=torch.float64) for _, shape, _, _ in cases]
        for x in found:
            x.view(-1)[first::7] = planted
        return found

    compiled = wse_mlir.compile(Resampled(), (images(0.0, 0),), cache=False)
    for planted in (torch.inf, -torch.inf, torch.nan):
        for first in range(3):
            given = images(planted, first)
            for case, a, b in zip(cases, compiled(given), Resampled()(given), strict=True):
                torch.testing.assert_close(a, b, equal_nan=True, msg=str(case))
