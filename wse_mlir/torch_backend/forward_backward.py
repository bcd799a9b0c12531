"""Cuts the joint graph of AOTAutograd into forward and backward."""

from __future__ import annotations

from typing import Any

import torch
from functorch.compile import min_cut_rematerialization_partition
from torch._ops import OpOverload
from torch.fx import GraphModule, Node
from torch.utils.checkpoint import CheckpointPolicy

_EXACT = {torch.ops.aten.eq.Tensor, torch.ops.aten.ne.Tensor}


def cut_forward_backward(
    joint: GraphModule, joint_inputs: Any, **options: Any
) -> tuple[GraphModule, GraphModule]:
    """The cut with the least memory between forward and backward, where that is safe.

    The minimal cut computes cheap values a second time in the backward graph. Their last bits may then be others,
    since sums are added up in another order in other loops. That is fatal where the backward graph asks whether two
    values are equal, as the gradients of amax and median do: a maximum would be found nowhere. What is compared is
    therefore kept from the forward graph.
    """
    for node in joint.graph.nodes:
        if node.op == "call_function" and node.target in _EXACT:
            for operand in node.args:
                source = _without_views(operand)
                if source.op == "call_function":
                    source.meta["recompute"] = CheckpointPolicy.MUST_SAVE
    return min_cut_rematerialization_partition(joint, joint_inputs, **options)


def _without_views(node: Any) -> Node:
    while node.op == "call_function" and isinstance(node.target, OpOverload) and node.target.is_view:
        node = node.args[0]
    return node
