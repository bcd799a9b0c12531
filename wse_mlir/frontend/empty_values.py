"""Tensors without elements, as empty batches make them: there is nothing to compute, and torch-mlir divides by zero."""

from __future__ import annotations

import operator

import torch
from torch.fx import Graph, Node

_FULL = torch.ops.aten.full.default


def drop_empty_values(graph: Graph) -> None:
    """Replaces every value that has no elements by an empty tensor made anew, and drops what only led to them.

    Args:
        graph: of ATen operators, each with its fake value; rewritten in place. Names that signatures refer to stay.
    """
    changed = False
    for node in list(graph.nodes):
        if not _is_plain(node) or node.target is _FULL or not _is_empty(node.meta.get("val")):
            continue
        value, name = node.meta["val"], node.name
        with graph.inserting_before(node):
            empty = graph.call_function(_FULL, (list(value.shape), 0), {"dtype": value.dtype})
        empty.meta.update(node.meta)
        node.replace_all_uses_with(empty)
        graph.erase_node(node)
        empty.name = name
        changed = True
    if changed:
        graph.eliminate_dead_code(_has_effect)


def _is_empty(value: object) -> bool:
    return (
        isinstance(value, torch.Tensor)
        and any(isinstance(size, int) and size == 0 for size in value.shape)
        and all(isinstance(size, int) for size in value.shape)
    )


def _is_plain(node: Node) -> bool:
    """Whether a node is an operator's result or one of its results; operators with effects pass empty tokens on."""
    source = node.args[0] if node.target is operator.getitem else node
    return isinstance(source, Node) and isinstance(source.target, torch._ops.OpOverload)


def _has_effect(node: Node) -> bool:
    """ATen operators here are functions of their operands; inputs stay, read or not."""
    return not _is_plain(node) and node.op != "get_attr"
