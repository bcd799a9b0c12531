"""`x[i]` for a tensor `i` of one number, which PyTorch exports as a selection at a number that is read from it.

torch-mlir makes it a slice at that offset, which nothing checks: one beyond the dimension reads the memory behind the
tensor. As indexing it is checked, counted from the end where it is negative, and has a lowering to the wafer.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch.fx import Graph, Node
from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

from .graph_calls import call_for, origin_of

aten = torch.ops.aten


def index_selections(graph: Graph) -> None:
    """Makes selections at numbers that data tells indexing, by nodes of the same name; in place."""
    for node in list(graph.nodes):
        if node.op == "call_function" and node.target is aten.select.int and _is_told_by_data(node.args[2]):
            _index(graph, node)


def _is_told_by_data(position: Any) -> bool:
    value = position.meta.get("val") if isinstance(position, Node) else None
    return isinstance(value, torch.SymInt) and bool(free_unbacked_symbols(value))


def _index(graph: Graph, node: Node) -> None:
    source, dim, position = cast("tuple[Node, int, Node]", node.args)
    name, shown = node.name, node.meta["val"]
    with graph.inserting_before(node):
        if position.target is aten._local_scalar_dense.default:
            rows = call_for(node, aten.view.default, position.args[0], [1])
            if rows.meta["val"].dtype != torch.int64:
                rows = call_for(node, torch.ops.prims.convert_element_type.default, rows, torch.int64)
        else:
            rows = graph.call_function(aten.full.default, ([1], position))
            rows.meta = {**origin_of(node), "val": shown.new_empty([1], dtype=torch.int64)}
        # `index` takes positions that are counted from the end, `index_select` does not.
        one = call_for(node, aten.index.Tensor, source, [None] * (dim % (shown.dim() + 1)) + [rows])
        selected = call_for(node, aten.squeeze.dim, one, dim)
    node.replace_all_uses_with(selected)
    graph.erase_node(node)
    selected.name = name  # signatures refer to nodes by name
