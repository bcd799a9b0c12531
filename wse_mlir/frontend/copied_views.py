"""Operators that copy what others show: `aten.permute_copy` is a copy of `aten.permute`."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch.utils import _pytree as pytree

aten = torch.ops.aten
_VIEWS = (
    "alias", "as_strided", "detach", "diagonal", "expand", "narrow", "permute", "select", "slice", "split",
    "split_with_sizes", "squeeze", "t", "transpose", "unbind", "unfold", "unsqueeze", "view",
)  # fmt: skip


def copied_views() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table."""
    table: dict[Any, Callable[..., Any]] = {}
    for name in _VIEWS:
        shown, copied = getattr(aten, name), getattr(aten, f"{name}_copy")
        for overload in copied.overloads():
            if not overload.endswith("out"):
                table[getattr(copied, overload)] = functools.partial(_copy_of, getattr(shown, overload))
    return table


def _copy_of(view: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    return pytree.tree_map(torch.clone, view(*args, **kwargs))
