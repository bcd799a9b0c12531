"""Python numbers that a graph computes: sizes that are left open, and elements of tensors (`x.item()`)."""

from __future__ import annotations

import operator

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx import Graph, Node

from .graph_calls import origin_of

aten = torch.ops.aten

# What PyTorch makes of a Python number when it is asked for a tensor of it, but in the number's own width.
_DTYPES: dict[type, torch.dtype] = {
    torch.SymInt: torch.int64,
    torch.SymFloat: torch.float64,
    torch.SymBool: torch.bool,
}


def number_as_tensor(number: Node) -> Node:
    """A tensor of no dimensions that holds a number; at the end of the graph, where it is returned."""
    graph = number.graph
    dtype = _DTYPES[type(number.meta["val"])]
    with graph.inserting_before(graph.output_node()):
        made = graph.call_function(aten.scalar_tensor.default, (number,), {"dtype": dtype})
    with _fakes_of(graph):
        made.meta = {**origin_of(number), "val": torch.empty((), dtype=dtype)}
    return made


def _fakes_of(graph: Graph) -> FakeTensorMode:
    """The mode that the tensors of a graph belong to."""
    values = (node.meta.get("val") for node in graph.nodes)
    return next(value.fake_mode for value in values if isinstance(value, FakeTensor))


def use_python_operators(graph: Graph) -> None:
    """Replaces functions on sizes that the importer does not know by operators that it does."""
    for node in graph.find_nodes(op="call_function", target=torch.sym_float):
        node.target, node.args = operator.mul, (*node.args, 1.0)
    for node in graph.find_nodes(op="call_function", target=aten._local_scalar_dense.default):
        if isinstance(node.meta["val"], torch.SymBool):  # torch-mlir makes an integer of any other item
            node.target = aten.Bool.Tensor
    for node in graph.find_nodes(op="call_function", target=torch.sym_ite):
        if node.args[1:] == (1, 0):  # what the item of a tensor of booleans is bounded by
            node.target, node.args = aten.Int.bool, node.args[:1]
    for node in graph.find_nodes(op="call_function", target=torch.sym_sum):
        total, *terms = node.args[0]
        with graph.inserting_before(node):
            for term in terms:
                values = [x.meta["val"] if isinstance(x, Node) else x for x in (total, term)]
                total = graph.call_function(operator.add, (total, term))
                total.meta = {**node.meta, "val": operator.add(*values)}
        node.replace_all_uses_with(total)
        graph.erase_node(node)
