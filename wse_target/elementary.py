"""Elementary operations on arrays of one type, where NumPy has no function that means the same."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def maximum(a: Array, b: Array) -> Array:
    return np.where((a > b) | (a != a), a, b)


def minimum(a: Array, b: Array) -> Array:
    return np.where((a < b) | (a != a), a, b)


def divide(a: Array, b: Array) -> Array:
    if a.dtype.kind not in "iu":
        return a / b
    quotient = np.floor_divide(a, np.where(b == 0, 1, b).astype(a.dtype))
    inexact = quotient * b != a
    return np.where(b == 0, 0, quotient + (inexact & ((a < 0) != (b < 0)))).astype(a.dtype)


def remainder(a: Array, b: Array) -> Array:
    if a.dtype.kind not in "iu":
        return np.fmod(a, b)
    return np.where((b == 0) | (b == -1), 0, np.fmod(a, np.where(b == 0, 1, b).astype(a.dtype))).astype(
        a.dtype
    )


def power(a: Array, b: Array) -> Array:
    """Integer powers by squaring, wrapping around; those with a negative exponent are +-1 or 0."""
    if a.dtype.kind not in "iu":
        return np.power(np.ascontiguousarray(a), np.ascontiguousarray(b)).reshape(
            np.broadcast_shapes(a.shape, b.shape)
        )
    power, square, rest = np.ones_like(a), a.copy(), b.copy()
    while (rest > 0).any():
        power = np.where((rest > 0) & (rest & 1 == 1), power * square, power)
        square, rest = square * square, rest >> 1
    sign = np.where(b & 1 == 1, a, np.ones_like(a))
    return np.where(b < 0, np.where(np.abs(a) == 1, sign, 0), power).astype(a.dtype)


def erf(x: Array) -> Array:
    return np.asarray(_MATH_ERF(x.astype(np.float64)), np.float64).astype(x.dtype)


_MATH_ERF = np.frompyfunc(math.erf, 1, 1)


def dense(function: Callable[[Array], Array]) -> Callable[[Array], Array]:
    """A function whose results do not depend on how its argument lies: NumPy has other code for elements in a row."""
    return lambda x: function(np.ascontiguousarray(x)).reshape(x.shape)


def sigmoid(x: Array) -> Array:
    one = x.dtype.type(1)
    return one / (one + np.exp(np.ascontiguousarray(-x)).reshape(x.shape))


def rsqrt(x: Array) -> Array:
    return x.dtype.type(1) / np.sqrt(x)


def same(x: Array) -> Array:
    return x
