"""Extreme values, in groups that do not hide each other: what a NaN reaches says nothing about infinities."""

from __future__ import annotations

from collections.abc import Sequence

import torch

_STRIDE = (
    3  # elements from one planted value to the next; other tensors of a call are planted out of step with it
)


def _float_groups(dtype: torch.dtype) -> dict[str, list[float]]:
    info = torch.finfo(dtype)
    return {
        "nan": [float("nan")],
        "inf": [float("inf"), float("-inf")],
        "small": [-0.0, info.smallest_normal / 4, 0.0, -info.smallest_normal / 4],
        "large": [info.max, info.min],
        "all": [float("nan"), float("inf"), -0.0, float("-inf"), info.max, info.tiny / 4, info.min, 1.0],
    }


def _integer_groups(dtype: torch.dtype) -> dict[str, list[int]]:
    info = torch.iinfo(dtype)
    return {"ends": [info.min, info.max, info.max - 1, info.min + 1, 0]}


PLANTS: dict[torch.dtype, dict[str, list[float]]] = {
    **{t: _float_groups(t) for t in (torch.float16, torch.bfloat16, torch.float32, torch.float64)},
    **{t: _integer_groups(t) for t in (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)},  # type: ignore[dict-item]
}


def planted_groups(dtype: torch.dtype, *, elementwise: bool) -> dict[str, list[float]]:
    """What to plant into tensors of a type, by name.

    Where elements are added up in f64, no wider type tells what of the largest values overflows on the way: they
    are planted into operators that work element by element alone.
    """
    groups = PLANTS.get(dtype, {})
    if dtype != torch.float64 or elementwise:
        return groups
    largest = torch.finfo(dtype).max
    return {n: [v for v in values if abs(v) != largest] for n, values in groups.items() if n != "large"}


def plant(tensor: torch.Tensor, values: Sequence[float], offset: int) -> torch.Tensor:
    """A copy of `tensor` with `values` in turn at every third element, those from `offset` on."""
    planted = tensor.clone()
    flat = planted.reshape(-1)
    cycle = torch.tensor(values, dtype=tensor.dtype)
    places = torch.arange(flat.numel())[offset % _STRIDE :: _STRIDE]
    flat[places] = cycle[(torch.arange(len(places)) + offset) % len(cycle)]
    return flat.reshape(tensor.shape)
