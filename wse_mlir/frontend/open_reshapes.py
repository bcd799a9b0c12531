"""Reshapes of tensors with several open sizes, in two steps that torch-mlir gets right.

torch-mlir pairs the sizes of a reshape's two sides from the left and takes open ones for equal, so that
`[n, n, 4] -> [n * n, 4]` becomes wrong code. From any shape to a flat one, and from a flat one to any shape, nothing is
left to be mistaken.
"""

from __future__ import annotations

import torch
from torch.fx import Graph, Node

_ATEN = torch.ops.aten
_RESHAPES = (
    _ATEN.view.default,
    _ATEN._unsafe_view.default,
    _ATEN.reshape.default,
    _ATEN._reshape_alias.default,
)


def split_open_reshapes(graph: Graph) -> None:
    """Puts a flat tensor between the two shapes of each reshape that has several open sizes on one side.

    Args:
        graph: of ATen operators, each with its fake value; rewritten in place.
    """
    for node in list(graph.nodes):
        if node.op == "call_function" and node.target in _RESHAPES and _is_ambiguous(node):
            source = node.args[0]
            with graph.inserting_before(node):
                flat = graph.call_function(_ATEN.view.default, (source, [-1]))
            kept = {name: value for name, value in node.meta.items() if name != "tensor_meta"}
            flat.meta = {**kept, "val": source.meta["val"].reshape(-1)}
            node.replace_input_with(source, flat)


def _is_ambiguous(node: Node) -> bool:
    source = node.args[0]
    assert isinstance(source, Node), "a reshape's first argument is a tensor"
    sides = [source.meta["val"].shape, node.meta["val"].shape]
    return all(len(side) > 1 for side in sides) and any(
        sum(not isinstance(size, int) for size in side) > 1 for side in sides
    )
