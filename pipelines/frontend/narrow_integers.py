"""Arithmetic on 8-bit integers, done in 32 bits: torch-mlir ends the process on several operators of 8-bit type.

Addition, subtraction and multiplication agree modulo 256 with what 8 bits would give; of the others the result of 8-bit
operands fits in 8 bits, but for -128 // -1, which wraps here as it does in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

aten = torch.ops.aten

_NARROW = (torch.int8, torch.uint8)
_WIDENED = (
    aten.mul.Tensor,
    aten.mul.Scalar,
    aten.sub.Tensor,
    aten.sub.Scalar,
    aten.rsub.Scalar,
    aten.rsub.Tensor,
    aten.floor_divide.default,
    aten.floor_divide.Scalar,
    aten.div.Tensor_mode,
    aten.div.Scalar_mode,
    aten.remainder.Tensor,
    aten.remainder.Scalar,
    aten.max.default,
    aten.min.default,
    aten.mm.default,
    aten.bmm.default,
    aten.mv.default,
    aten.addmm.default,
)


def widen_narrow_integers(table: dict[Any, Callable[..., Any]]) -> None:
    """Adds decompositions to `table` that apply to 8-bit operands and leave all others to what was there."""
    for operator in _WIDENED:
        table[operator] = _widening(operator, table.get(operator))


def _widening(operator: Any, otherwise: Callable[..., Any] | None) -> Callable[..., Any]:
    def decomposed(*args: Any, **kwargs: Any) -> Any:
        tensors = [a for a in args if isinstance(a, torch.Tensor)]
        result = tensors[0].dtype
        for tensor in tensors[1:]:
            result = torch.promote_types(result, tensor.dtype)
        scalars_are_integers = all(not isinstance(a, float) for a in args)
        if result not in _NARROW or not scalars_are_integers:
            return otherwise(*args, **kwargs) if otherwise is not None else NotImplemented
        wide = [a.to(torch.int32) if isinstance(a, torch.Tensor) else a for a in args]
        return operator(*wide, **kwargs).to(result)

    return decomposed
