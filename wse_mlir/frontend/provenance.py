"""Reads the provenance of a node in an exported graph."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import torch
from torch.fx import Node

from ..dialects.provenance import Provenance

_FRAME = re.compile(r'File "([^"]+)", line (\d+)')
_TORCH_FOLDER = os.path.dirname(os.path.abspath(torch.__file__)) + os.sep
_TORCH_PACKAGE = re.compile(r"[\\/](site|dist)-packages[\\/]torch[\\/]")  # a .pt2 from another machine

ONNX_NODE = "onnx_node"  # in the annotations of a node: name and operator of the ONNX node that it comes from

_VARIABLE = re.compile(r"^L\[[^\]]*\]\.?")


def operator_name(target: object) -> str:
    """`aten.linear` for the overload `aten.linear.default`; "" for what is not an operator."""
    if isinstance(target, torch._ops.OpOverload):
        return str(target._overloadpacket)
    return ""


def operators_by_name(graph: torch.fx.Graph) -> dict[str, str]:
    """Operator of each node by the node's name; taken before decomposition, which replaces the nodes."""
    named = ((node.name, operator_name(node.target)) for node in graph.nodes if node.op == "call_function")
    return {name: operator for name, operator in named if operator}


def is_torch_file(path: str) -> bool:
    """Whether a source file belongs to PyTorch (or is made up by it) rather than to the user."""
    return path.startswith(("<", _TORCH_FOLDER)) or _TORCH_PACKAGE.search(path) is not None


def user_frame(stack_trace: str | None) -> tuple[str, int]:
    """File and line of the innermost frame outside PyTorch; ("", 0) when there is none."""
    frames = [(path, int(line)) for path, line in _FRAME.findall(stack_trace or "")]
    return next((frame for frame in reversed(frames) if not is_torch_file(frame[0])), ("", 0))


def node_provenance(node: Node, original_operators: Mapping[str, str]) -> Provenance:
    """Where a node comes from.

    Args:
        original_operators: what `operators_by_name` gave before decomposition; the operator that the user
            called is found through the node's history, else the one that the tracer noted, else the node's own.
    """
    noted = (node.meta.get("custom") or {}).get(ONNX_NODE)
    if noted is not None:
        name, kind = noted
        return Provenance(name, operator=kind)
    file, line = user_frame(node.meta.get("stack_trace"))
    before = _original_operator(node, original_operators) or operator_name(node.meta.get("original_aten"))
    operator = before or operator_name(node.target)
    return Provenance(_module_path(node), file, line, operator)


def _module_path(node: Node) -> str:
    stack = node.meta.get("nn_module_stack") or node.meta.get("fwd_nn_module_stack")
    if not stack:
        return ""
    path = list(stack.values())[-1][0]
    # A module that is called twice is recorded as "encoder.linear1@1" the second time, and TorchDynamo writes the
    # variable first in which the model is.
    return _VARIABLE.sub("", path.split("@")[0])


def _original_operator(node: Node, original_operators: Mapping[str, str]) -> str:
    pending = list(node.meta.get("from_node") or ())
    while pending:
        source = pending.pop(0)
        if source.name in original_operators:
            return original_operators[source.name]
        pending.extend(source.from_node)
    return ""
