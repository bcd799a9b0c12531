"""Unsigned integers of 64 bits, which are carried as signed ones of the same bits.

Those of 16 and 32 bits are carried by types that hold all their values, and need nothing but to be brought back to
their range. Of 64 bits there is no wider type: here what depends on the order of values, or on their size, is
computed in other ways, and what is left is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from .values import Unsupported, full_like_constant

_LEAST = torch.iinfo(torch.int64).min
_WIDE = torch.uint64

# The same on bits of either meaning, modulo 2^64.
_BITS = frozenset(
    [
        "Add",
        "Sub",
        "Mul",
        "Sum",
        "Equal",
        "Where",
        "Identity",
        "Reshape",
        "Flatten",
        "Squeeze",
        "Unsqueeze",
        "Transpose",
        "Expand",
        "Tile",
        "Concat",
        "Split",
        "Slice",
        "Gather",
        "GatherElements",
        "GatherND",
        "ScatterND",
        "ScatterElements",
        "Pad",
        "DepthToSpace",
        "SpaceToDepth",
        "Shape",
        "Size",
        "ConstantOfShape",
        "Constant",
        "BitwiseAnd",
        "BitwiseOr",
        "BitwiseXor",
        "BitwiseNot",
        "BitCast",
        "ReduceSum",
        "ReduceProd",
        "ReduceSumSquare",
        "CumSum",
        "CumProd",
        "BitShift",
        "Trilu",
        "OneHot",
        "Compress",
        "ReverseSequence",
        "MatMul",
        "SequenceConstruct",
        "SequenceInsert",
        "If",
        "Loop",
        "Scan",
        "EyeLike",
        "NonZero",
    ]
)
# Depend on the order of values alone: right when the highest bit is turned.
_ORDERED = frozenset(
    [
        "Less",
        "Greater",
        "LessOrEqual",
        "GreaterOrEqual",
        "Max",
        "Min",
        "Clip",
        "ReduceMax",
        "ReduceMin",
        "ArgMax",
        "ArgMin",
        "TopK",
    ]
)


def compute_unsigned(
    name: str,
    function: Callable[..., Any],
    inputs: Sequence[Any],
    types: Sequence[Any],
    made: Sequence[torch.dtype | None],
) -> Any:
    """Computes a node.

    Args:
        function: of the inputs, on signed integers.
        types: of the inputs in the model.
        made: of the results where they are carried by another type.
    """
    if name == "Cast" and list(made) == [_WIDE] and inputs[0].is_floating_point():
        return _from_float(inputs[0])
    if _WIDE not in types or name in _BITS:
        return function(*inputs)
    if name in _ORDERED:
        turned = [_turned(x) if t == _WIDE else x for x, t in zip(inputs, types, strict=True)]
        results = function(*turned)
        if isinstance(results, tuple):
            return tuple(_turned(r) if d == _WIDE else r for r, d in zip(results, made, strict=True))
        return _turned(results) if list(made) == [_WIDE] else results
    if name in ("Div", "Mod"):
        quotient = _divided(inputs[0], inputs[1])
        return quotient if name == "Div" else inputs[0] - quotient * inputs[1]
    if name == "Pow" and None not in (*types, *inputs):
        return _power(function, inputs, types)
    if name in ("Cast", "CastLike"):
        result = function(*inputs)
        return _to_float(inputs[0], result.dtype) if result.is_floating_point() else result
    raise Unsupported("unsigned integers of 64 bits")


def _turned(x: Any) -> Any:
    return x ^ _LEAST if isinstance(x, torch.Tensor) else x


def _half(x: torch.Tensor) -> torch.Tensor:
    return torch.bitwise_right_shift(x, full_like_constant(1, torch.int64)) & (2**63 - 1)


def _divided(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Half of the dividend by the divisor, doubled, and one more where a divisor is left."""
    reaches = _turned(x) >= _turned(y)
    small = torch.where(y > 0, y, torch.ones_like(y))
    near = torch.div(_half(x), small, rounding_mode="trunc") * 2
    rest = x - near * small
    near = near + (_turned(rest) >= _turned(small)).to(torch.int64)
    return torch.where(y < 0, reaches.to(torch.int64), near)


def _power(function: Callable[..., Any], inputs: Sequence[Any], types: Sequence[Any]) -> torch.Tensor:
    """Powers of integers modulo 2^64, of which an exponent has no sign; all others in f64."""
    x, y = inputs
    if types[0] == _WIDE and not y.is_floating_point():
        if types[1] != _WIDE and types[1].is_signed:
            raise Unsupported("unsigned integers of 64 bits and exponents that have a sign")
        return torch.pow(x, _small_exponent(y.to(torch.int64)))
    if not x.is_floating_point() and types[0] != _WIDE:
        return function(x, _small_exponent(y))
    x, y = (_to_float(v, torch.float64) if t == _WIDE else v for v, t in zip(inputs, types, strict=True))
    result = function(x, y)
    return _from_float(result) if types[0] == _WIDE else result


def _small_exponent(y: torch.Tensor) -> torch.Tensor:
    """One below 2^63 with the same powers modulo 2^64.

    Those of odd numbers repeat after 2^62, those of even ones are 0 from the 64th on.
    """
    large = torch.where(y < 0, full_like_constant(2**62, torch.int64), full_like_constant(0, torch.int64))
    return (y & (2**63 - 1)) | large


def _to_float(x: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Half of what is too large, with its last bit kept for rounding, doubled."""
    halved = (_half(x) | (x & 1)).to(dtype) * 2
    return torch.where(x < 0, halved, x.to(dtype))


def _from_float(x: torch.Tensor) -> torch.Tensor:
    large = x >= 2.0**63
    wide = x.to(torch.float64)
    upper = torch.where(large, wide - 2.0**63, torch.zeros_like(wide)).to(torch.int64) + _LEAST
    return torch.where(large, upper, torch.where(large, torch.zeros_like(wide), wide).to(torch.int64))
