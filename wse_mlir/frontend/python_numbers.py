"""Python numbers that a graph computes: sizes that are left open, and elements of tensors (`x.item()`)."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.fx import Graph, Node

from .graph_calls import call_for, origin_of

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
    """Replaces what the importer does not know of numbers by operators that it does; in place."""
    for target, rewrite in _REWRITES.items():
        for node in graph.find_nodes(op="call_function", target=target):
            rewrite(node)


def _as_product(node: Node) -> None:
    node.target, node.args = operator.mul, (*node.args, 1.0)


def _as_sums(node: Node) -> None:
    graph = node.graph
    summed: Any = node.args[0]
    total, *terms = summed
    with graph.inserting_before(node):
        for term in terms:
            total = call_for(node, operator.add, total, term)
    node.replace_all_uses_with(total)
    graph.erase_node(node)


def _typed_item(node: Node) -> None:
    if isinstance(node.meta["val"], torch.SymBool):  # torch-mlir makes an integer of any other item
        node.target = aten.Bool.Tensor


def _as_integer(node: Node) -> None:
    if node.args[1:] == (1, 0):  # what the item of a tensor of booleans is bounded by
        node.target, node.args = aten.Int.bool, node.args[:1]


def _compared_otherwise(node: Node) -> None:
    """Floats are compared by `>`, `>=` and `==`: torch-mlir lowers no other comparison of them."""
    compared: Any = node.args
    left, right = compared
    values = (x.meta["val"] if isinstance(x, Node) else x for x in compared)
    if not any(isinstance(value, (float, torch.SymFloat)) for value in values):
        return
    if node.target is not operator.ne:
        node.target = operator.gt if node.target is operator.lt else operator.ge
        node.args = (right, left)
        return
    with node.graph.inserting_before(node):
        equal = node.graph.call_function(operator.eq, (left, right))
        whole = node.graph.call_function(aten.Int.bool, (equal,))
    equal.meta = {**node.meta, "val": torch.sym_not(node.meta["val"])}
    whole.meta = {**node.meta, "val": torch.sym_ite(equal.meta["val"], 1, 0)}
    node.target, node.args = operator.eq, (whole, 0)


_REWRITES: dict[Any, Callable[[Node], None]] = {
    torch.sym_float: _as_product,
    torch.sym_sum: _as_sums,
    aten._local_scalar_dense.default: _typed_item,
    torch.sym_ite: _as_integer,
    operator.lt: _compared_otherwise,
    operator.le: _compared_otherwise,
    operator.ne: _compared_otherwise,
}
