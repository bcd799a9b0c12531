"""Writes through views that only `as_strided` can describe, in operators that have a lowering.

AOTAutograd describes two arguments that are views of one tensor, of which one is written, as views of that tensor's
storage, and the write as `as_strided_scatter`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from .layouts import inverse, is_contiguous, memory_order


def as_strided_scatter(
    x: torch.Tensor,
    source: torch.Tensor,
    size: Sequence[int],
    stride: Sequence[int],
    storage_offset: int | None = None,
) -> Any:
    """`aten.as_strided_scatter` for a tensor that fills its storage densely: a scatter into the storage."""
    order = memory_order(x)
    if order is None:
        return NotImplemented
    memory = x.permute(order)
    start: Any = 0 if storage_offset is None else storage_offset - x.storage_offset()
    flat, written = memory.reshape(-1), source.reshape(-1)
    if is_contiguous(size, stride):
        flat = torch.slice_scatter(flat, written, 0, start, start + source.numel())
    else:
        index = torch.full((1,) * len(size), start, dtype=torch.int64)
        for dim, (length, step) in enumerate(zip(size, stride, strict=True)):
            axis = [-1 if d == dim else 1 for d in range(len(size))]
            index = index + torch.arange(length).reshape(axis) * step
        flat = flat.scatter(0, index.reshape(-1), written)
    return flat.reshape(memory.shape).permute(inverse(order))
