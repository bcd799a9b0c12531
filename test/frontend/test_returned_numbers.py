"""Python numbers that data decides: a model computes with them, and returns them as what they are in PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import wse_mlir


def kinds(i: torch.Tensor, f: torch.Tensor, b: torch.Tensor, x: torch.Tensor) -> tuple[Any, ...]:
    """Numbers of each kind, between tensors and constants, and what is computed of them."""
    whole, real = i.item(), f.item()
    return (
        whole,
        x + whole,
        3,
        real * 2,
        whole > 2,
        b.item(),
        {"difference": real - whole, "size": x.shape[0]},
    )


def conversions(i: torch.Tensor, f: torch.Tensor) -> tuple[Any, ...]:
    """What only reading the code tells: `int` and `float` of a tensor have to return numbers."""
    return int(i) + 1, float(f) / 2, int(i) != 3, float(f) >= int(i), i * float(f)


X = torch.arange(6.0).reshape(2, 3)
GIVEN = (torch.tensor(7), torch.tensor(0.25), torch.tensor(True), X)


def comparisons(a: torch.Tensor, b: torch.Tensor, i: torch.Tensor) -> tuple[bool, ...]:
    x, y, n = a.item(), b.item(), i.item()
    return (
        *(x < y, x <= y, x > y, x >= y, x == y, x != y),
        *(x < n, n <= x, x > n, n >= x, x == n, x != n),
        *(n < 3, n <= 3, n != 3),
    )


def same(actual: Any, expected: Any) -> bool:
    if isinstance(expected, dict):
        return actual.keys() == expected.keys() and all(same(actual[k], expected[k]) for k in expected)
    if isinstance(expected, torch.Tensor):
        return torch.equal(actual, expected)
    return type(actual) is type(expected) and actual == expected


@pytest.mark.parametrize("target", ["cpu", "tiny"])
def test_numbers_are_returned_as_numbers(target: str) -> None:
    compiled = wse_mlir.compile(kinds, GIVEN, target=target, cache=False)
    other = (torch.tensor(-2), torch.tensor(3.5), torch.tensor(False), X - 1)
    for args in (GIVEN, other):
        assert all(map(same, compiled(*args), kinds(*args)))


@pytest.mark.parametrize("target", ["cpu", "tiny"])
def test_conversions_of_tensors_are_read_as_their_items(target: str) -> None:
    compiled = wse_mlir.compile(conversions, GIVEN[:2], target=target, cache=False)
    for args in (
        GIVEN[:2],
        (torch.tensor(3), torch.tensor(3.0)),
        (torch.tensor(-1), torch.tensor(torch.nan)),
    ):
        actual, expected = compiled(*args), conversions(*args)
        for a, e in zip(actual, expected, strict=True):
            torch.testing.assert_close(a, e, rtol=0, atol=0, equal_nan=True)


@pytest.mark.parametrize("target", ["cpu", "tiny"])
def test_comparisons_of_numbers(target: str) -> None:
    calls = [(1.0, 2.5, 1), (2.5, 2.5, 3), (-1.0, torch.nan, -1), (torch.nan, torch.nan, 3), (7.0, -7.0, 4)]
    given = [(torch.tensor(x), torch.tensor(y), torch.tensor(n)) for x, y, n in calls]
    compiled = wse_mlir.compile(comparisons, given[0], target=target, cache=False)
    for args in given:
        assert compiled(*args) == comparisons(*args)


def test_a_model_from_a_file_and_a_call_with_arrays_return_numbers(tmp_path: Path) -> None:
    compiled = wse_mlir.compile(kinds, GIVEN, cache=False)
    compiled.save(tmp_path / "numbers.wse")
    loaded = wse_mlir.load(tmp_path / "numbers.wse")
    assert all(map(same, loaded(*GIVEN), kinds(*GIVEN)))
    called = compiled(*(x.numpy() for x in GIVEN))
    assert (called[0], type(called[0]), type(called[5])) == (7, int, bool)


def test_a_branch_on_data_is_refused_where_it_is() -> None:
    def branch(x: torch.Tensor) -> torch.Tensor:
        return x + 1 if int(x.sum()) > 3 else x

    with pytest.raises(wse_mlir.CompilerError, match=r"test_returned_numbers\.py:\d+.*GuardOnDataDependent"):
        wse_mlir.compile(branch, (X,), cache=False)
