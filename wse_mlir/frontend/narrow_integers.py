"""Arithmetic on 8-bit integers, done in 32 bits.

torch-mlir ends the process on several operators of 8-bit type, and takes uint8 for int8 where it compares with a
number or divides. Addition, subtraction and multiplication agree modulo 256 with what 8 bits would give; of the
others the result of 8-bit operands fits in 8 bits, but for -128 // -1, which wraps here as it does in PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

aten = torch.ops.aten

_NARROW = (torch.int8, torch.uint8)
_WIDENED = (
    aten.max.default,
    aten.sum.default,
    aten.sum.dim_IntList,
    aten.cumsum.default,
    aten.prod.default,
    aten.prod.dim_int,
    aten.sort.default,
    aten.sort.stable,
    aten.topk.default,
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
        if result not in _NARROW and any(tensor.dtype == torch.uint8 for tensor in tensors):
            return operator(*[a.to(result) if isinstance(a, torch.Tensor) else a for a in args], **kwargs)
        if result not in _NARROW:
            return otherwise(*args, **kwargs) if otherwise is not None else NotImplemented
        wide = [a.to(torch.int32) if isinstance(a, torch.Tensor) else a for a in args]
        value = operator(*wide, **kwargs)
        if isinstance(value, torch.Tensor):
            return _narrowed(value, result)
        return tuple(_narrowed(v, result) for v in value)

    return decomposed


def _narrowed(value: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Back to 8 bits; what a comparison, a true division, a float's presence or an index makes was never narrow."""
    return value.to(dtype) if value.dtype == torch.int32 else value
