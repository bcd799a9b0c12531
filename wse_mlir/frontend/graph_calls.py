"""Nodes that take the place of others in a graph of operators."""

from __future__ import annotations

from typing import Any

from torch.fx import Node
from torch.fx.node import map_arg


def call_for(node: Node, operator: Any, *args: Any) -> Node:
    """A call at the insertion point of the graph, from where `node` is in the model; its value is what fakes give.

    Args:
        args: may hold nodes, whose values are known.
    """
    made = node.graph.call_function(operator, args)
    made.meta = {**origin_of(node), "val": operator(*map_arg(args, lambda given: given.meta["val"]))}
    return made


def origin_of(node: Node) -> dict[str, Any]:
    """The meta data of a node that are true of what takes its place: all but what describes its value."""
    return {key: value for key, value in node.meta.items() if key not in ("val", "tensor_meta")}
