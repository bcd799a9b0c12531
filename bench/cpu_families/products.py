"""One product with a constant matrix: of many rows, and of one."""

from __future__ import annotations

import torch
from torch import nn

from .case import Case, Family


def product(rows: int, inner: int, columns: int) -> Case:
    """[rows, inner] x [inner, columns], whose right side is a weight."""
    return Case(nn.Linear(inner, columns, bias=False), (torch.randn(rows, inner),))


MATMUL = Family(
    product,
    {
        "tiny": {"rows": 13, "inner": 19, "columns": 21},
        "small": {"rows": 256, "inner": 256, "columns": 256},
        "large": {"rows": 1024, "inner": 1024, "columns": 1024},
    },
    has_batch=False,
)

MATVEC = Family(
    product,
    {
        "tiny": {"rows": 1, "inner": 33, "columns": 17},
        "small": {"rows": 1, "inner": 1024, "columns": 1024},
        "large": {"rows": 1, "inner": 4096, "columns": 4096},
    },
    has_batch=False,
)
