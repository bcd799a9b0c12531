"""Operators on lists of tensors, of which optimiser steps are made, one tensor after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

aten = torch.ops.aten

_PLAIN = (
    "abs add ceil cos div erf exp expm1 floor frac lerp log log10 log1p log2 maximum minimum mul neg pow reciprocal "
    "round rsqrt sigmoid sign sin sqrt sub tan tanh trunc"
)
_FUNCTIONS: dict[str, Callable[..., torch.Tensor]] = {
    **{name: getattr(torch, name) for name in _PLAIN.split()},
    "addcdiv": lambda x, a, b, value=1: x + value * a / b,
    "addcmul": lambda x, a, b, value=1: x + value * a * b,
    "clamp_max": lambda x, bound: torch.clamp(x, max=bound),
    "clamp_min": lambda x, bound: torch.clamp(x, min=bound),
    "norm": torch.linalg.vector_norm,
}
_OVERLOADS = ("default", "List", "Scalar", "ScalarList", "ScalarAndTensor")


def foreach_decompositions() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table."""
    table: dict[Any, Callable[..., Any]] = {}
    for name, function in _FUNCTIONS.items():
        packet = getattr(aten, f"_foreach_{name}")
        for overload in set(packet.overloads()) & set(_OVERLOADS):
            operator = getattr(packet, overload)
            table[operator] = _one_by_one(function, operator)
    return table


def _one_by_one(function: Callable[..., torch.Tensor], operator: Any) -> Callable[..., list[torch.Tensor]]:
    is_list = [isinstance(argument.type, torch.ListType) for argument in operator._schema.arguments]

    def decomposed(*args: Any, **kwargs: Any) -> list[torch.Tensor]:
        def nth(index: int) -> torch.Tensor:
            given = (a[index] if many else a for a, many in zip(args, is_list, strict=False))
            return function(*given, **kwargs)

        lists = (a for a, many in zip(args, is_list, strict=False) if many)
        return [nth(index) for index in range(len(next(lists)))]

    return decomposed
