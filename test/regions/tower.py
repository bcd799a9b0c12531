"""A workload for `wse run`."""

import torch
from torch import nn


def load() -> tuple[nn.Module, tuple[torch.Tensor, ...]]:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 5)).eval(), (torch.randn(3, 6),)
