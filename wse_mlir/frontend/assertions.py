"""What a model asserts of its data (`torch._assert_async`), and what its operators do, as checks of a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.fx import Graph, Node

from .graph_calls import call_for

aten = torch.ops.aten

_NOT_TOLD = "Expected Tensor with single nonzero value, but got zero"  # what PyTorch says then


def assertion_decompositions() -> dict[Any, Callable[..., Any]]:
    """Entries of the decomposition table."""
    return {aten._assert_async.default: _assert_plainly, aten.one_hot.default: one_hot}


def _assert_plainly(condition: torch.Tensor) -> None:
    """`aten._assert_async` without a text, which PyTorch takes for unused when it decomposes a program."""
    aten._assert_async.msg(condition, _NOT_TOLD)


def one_hot(x: torch.Tensor, num_classes: int = -1) -> Any:
    """`aten.one_hot` for a number of classes that is given; classes are checked to be among them."""
    if num_classes < 0:
        return NotImplemented
    if x.numel():
        aten._assert_async.msg(torch.all(x >= 0), "Class values must be non-negative.")
        aten._assert_async.msg(torch.all(x < num_classes), "Class values must be smaller than num_classes.")
    classes = torch.arange(num_classes, device=x.device)
    return (x.unsqueeze(-1) == classes).to(torch.int64)


def assert_scalars(graph: Graph) -> None:
    """Makes assertions of tensors such of numbers, which are lowered; in place."""
    for node in list(graph.nodes):
        if node.op == "call_function" and node.target in (aten._assert_async.msg, aten._assert_async.default):
            condition: Any = node.args[0]
            text = node.args[1] if len(node.args) > 1 else _NOT_TOLD
            with graph.inserting_before(node):
                number = _as_number(graph, node, condition)
                made = graph.call_function(aten._assert_scalar.default, (number, text))
                made.meta = {**node.meta, "val": None}
            graph.erase_node(node)


def _as_number(graph: Graph, assertion: Node, condition: Node) -> Node:
    """1 where a tensor's only element is not zero, else 0."""
    value = condition.meta["val"]
    if value.dim():
        condition = call_for(assertion, aten.reshape.default, condition, [])
    is_one = call_for(assertion, aten.ne.Scalar, condition, 0)
    whole = call_for(assertion, torch.ops.prims.convert_element_type.default, is_one, torch.int64)
    number = graph.call_function(aten.Int.Tensor, (whole,))
    number.meta = {**assertion.meta, "val": 1}
    return number
