"""Floats of two bytes, which PyTorch's kernels compute with in f32."""

from __future__ import annotations

import torch

HALVES = (torch.float16, torch.bfloat16)


def widened(x: torch.Tensor) -> torch.Tensor:
    """A tensor of narrow floats in f32; any other as it is."""
    return x.to(torch.float32) if x.dtype in HALVES else x
