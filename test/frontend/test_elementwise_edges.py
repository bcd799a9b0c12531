"""Elementwise operators on NaN, infinities, signed zeros, subnormal numbers and the ends of every integer type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from elementwise_operators import BINARY, DIVISIONS, DTYPES, EXCESS, INEXACT, INTEGERS, UNARY, extremes

import wse_mlir

TOLERANCE = {torch.float64: 1e-5, torch.float32: 1e-5, torch.float16: 4e-3, torch.bfloat16: 2e-2}


class Each(torch.nn.Module):
    """Applies many functions to the same tensors."""

    def __init__(self, functions: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__()
        self.functions = functions

    def forward(self, *args: torch.Tensor) -> dict[str, torch.Tensor]:
        return {name: function(*args) for name, function in self.functions.items()}


def defined(
    functions: Mapping[str, Callable[..., Any]], *args: torch.Tensor
) -> dict[str, Callable[..., Any]]:
    """Those that PyTorch has for these types."""
    found = {}
    for name, function in functions.items():
        try:
            function(*args)
            function(*(a.to("meta") for a in args))
        except (RuntimeError, TypeError, NotImplementedError):
            continue
        found[name] = function
    return found


def difference(actual: torch.Tensor, wanted: torch.Tensor, *, inexact: bool = False) -> str:
    """Where two results differ, and how, or nothing."""
    assert actual.dtype == wanted.dtype
    assert actual.shape == wanted.shape
    if wanted.dtype.is_floating_point:
        a, b = actual.double(), wanted.double()
        tolerance, smallest = TOLERANCE[wanted.dtype], torch.finfo(wanted.dtype).smallest_normal
        limit = tolerance * (b.abs() + inexact) + 2 * smallest
        wrong = ~((a == b) | ((a - b).abs() <= limit) | (b.isnan() & (a.isnan() | inexact)))
    else:
        wrong = actual != wanted
    return ", ".join(f"{i.tolist()}: {actual[tuple(i)]}, not {wanted[tuple(i)]}" for i in wrong.nonzero()[:5])


def differences(
    functions: Mapping[str, Callable[..., Any]], args: tuple[torch.Tensor, ...], **options: Any
) -> dict[str, str]:
    model = Each(defined(functions, *args))
    results = wse_mlir.compile(model, args, cache=False, **options)(*args)
    compared = {
        name: difference(results[name], wanted, inexact=name in INEXACT)
        for name, wanted in model(*args).items()
    }
    return {name: text for name, text in compared.items() if text}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_one_tensor(dtype: torch.dtype) -> None:
    assert differences(UNARY, (extremes(dtype),)) == {}


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_two_tensors(dtype: torch.dtype) -> None:
    x = extremes(dtype)
    functions = {name: f for name, f in BINARY.items() if dtype.itemsize > 2 or name not in EXCESS}
    assert differences(functions, (x[:, None], x[None, :])) == {}


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_division_by_integers(dtype: torch.dtype) -> None:
    """PyTorch raises an error for 0, and traps on the lowest number divided by -1."""
    x = extremes(dtype)
    divisors = x[(x != 0) & (x != -1 if dtype.is_signed else True)]
    assert differences(DIVISIONS, (x[:, None], divisors[None, :])) == {}


@pytest.mark.parametrize("dtype", [torch.int32, torch.int64], ids=str)
def test_division_that_traps(dtype: torch.dtype) -> None:
    x, y = extremes(dtype), torch.tensor([-1], dtype=dtype)
    results = wse_mlir.compile(Each(DIVISIONS), (x, y), cache=False)(x, y)
    for name, result in results.items():
        is_quotient = name in ("floor_divide", "truncated", "floored")
        assert torch.equal(result, -x if is_quotient else torch.zeros_like(x)), name


# What a wafer computes with its own arithmetic; it has no fused multiply-add, and conversions of floats saturate.
WAFER = """
    abs clamp ceil copysign elu eq fmax fmin floor gelu ge gt hardsigmoid hardswish hardtanh heaviside hypot isfinite
    isnan isclose le leaky_relu log1p expm1 logaddexp logical_not lt maximum minimum nan_to_num ne neg reciprocal relu
    relu6 round sigmoid sign signbit silu softplus softshrink sqrt trunc bitwise_not floor_divide remainder fmod pow
    truncated square bitwise_left_shift bitwise_right_shift add sub mul true_divide where threshold
"""


@pytest.mark.parametrize("dtype", [torch.float32, torch.uint8, torch.int32, torch.bool], ids=str)
def test_on_a_wafer(dtype: torch.dtype) -> None:
    x = extremes(dtype)
    unary = {name: UNARY[name] for name in WAFER.split() if name in UNARY}
    unary |= {f"to {d}": UNARY[f"to {d}"] for d in DTYPES if dtype != torch.float32 or d.is_floating_point}
    binary = {name: BINARY[name] for name in WAFER.split() if name in BINARY and name not in DIVISIONS}
    assert differences(unary, (x,), target="tiny") == {}
    assert differences(binary, (x[:, None], x[None, :]), target="tiny") == {}
    if dtype in INTEGERS:
        divisors = x[(x != 0) & (x != -1 if dtype.is_signed else True)]
        assert differences(DIVISIONS, (x[:, None], divisors[None, :]), target="tiny") == {}
