"""Forward and backward of every operator that models train with, compiled, beside eager PyTorch.

A group is compiled as one function, since it is compile time that costs; each operator of it has inputs of its own,
so that every output and every gradient is compared by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from beside_eager import assert_close, compiled
from torch import nn
from torch.utils import _pytree as pytree
from training_operators import GROUPS, Case


class Group(nn.Module):
    """Calls every operator of a group on its own arguments."""

    def __init__(self, cases: dict[str, Case]) -> None:
        super().__init__()
        self.functions = {name: found.function for name, found in cases.items()}
        self.modules_of = nn.ModuleList(f for f in self.functions.values() if isinstance(f, nn.Module))

    def forward(self, args: dict[str, tuple[Any, ...]]) -> dict[str, Any]:
        return {name: function(*args[name]) for name, function in self.functions.items()}


def run(cases: dict[str, Case], call: Callable[[Any], Any], group: Group) -> dict[str, Any]:
    """Outputs, gradients and buffers by name."""

    def leaf(value: Any) -> Any:
        return value.clone().requires_grad_() if value.is_floating_point() else value

    args = {name: pytree.tree_map_only(torch.Tensor, leaf, found.args) for name, found in cases.items()}
    outputs = call(args)
    seen: dict[str, Any] = {}
    total: Any = 0
    for name, value in outputs.items():
        for position, tensor in enumerate(pytree.tree_leaves(value)):
            seen[f"{name}: output {position}"] = tensor.detach()
            if tensor.requires_grad:
                weights = torch.linspace(-0.5, 1.5, tensor.numel()).reshape(tensor.shape)
                total = total + (tensor * weights).sum()
    total.backward()
    for name, value in args.items():
        for position, tensor in enumerate(pytree.tree_leaves(value)):
            if isinstance(tensor, torch.Tensor) and tensor.requires_grad:
                seen[f"{name}: gradient {position}"] = tensor.grad
    seen |= {f"gradient of {name}": p.grad for name, p in group.named_parameters()}
    seen |= {name: buffer.clone() for name, buffer in group.named_buffers()}
    group.zero_grad()
    return seen


def in_order(value: Any) -> Any:
    """Strides are not what is compared here."""
    return value.clone(memory_format=torch.contiguous_format) if isinstance(value, torch.Tensor) else value


@pytest.mark.parametrize("group", GROUPS, ids=lambda g: g.__name__)
def test_trains_as_eager(group: Callable[[], dict[str, Case]]) -> None:
    cases = group()
    module = Group(cases)
    state = {name: value.clone() for name, value in module.state_dict().items()}
    expected = run(cases, module, module)
    module.load_state_dict(state)
    with torch._dynamo.config.patch(allow_rnn=True):
        actual = run(cases, compiled(module), module)
    assert actual.keys() == expected.keys()
    for name, value in expected.items():
        assert_close(in_order(actual[name]), in_order(value), f"{group.__name__}, {name}")
