"""A graph in parts: what is supported is compiled, what is not runs in PyTorch."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch._ops import OpOverload
from torch.fx import Graph, GraphModule, Node
from torch.fx.node import map_arg
from torch.fx.passes.infra.partitioner import CapabilityBasedPartitioner
from torch.fx.passes.operator_support import OperatorSupportBase

from ..frontend.graphs import copy_graph, import_graph, outputs
from ..frontend.provenance import node_provenance
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.timing import Timer
from .boundary import draw_boundary
from .layouts import is_static, layout
from .operators import list_operators
from .report import Operator
from .wrapper import BoxedCall

_PROBED: dict[Any, str] = {}  # why an operator on tensors of these types is not supported; "" where it is
_PART = "compiled_part_"


def compile_parts(
    graph: GraphModule, compile_part: Callable[[GraphModule], BoxedCall], timer: Timer
) -> tuple[BoxedCall, list[Operator], list[Operator]]:
    """Compiles what can be of a graph whose sizes are numbers.

    Args:
        compile_part: makes a call of a graph; raises `CompilerError` for one that cannot be compiled.

    Returns:
        How to call it; the operators that are compiled; those that run in PyTorch, with the reason.
    """
    with timer.scope("probe"):
        reasons = _unsupported(graph)
    while True:
        split, failures = _compile_supported(graph, reasons, compile_part)
        if not failures:
            break
        named = {node.name: node for node in graph.graph.nodes}
        reasons.update((named[name], reason) for name, reason in failures.items())
    compiled = [node for node in graph.graph.nodes if node not in reasons]
    listed = (list_operators(graph.graph, compiled), list_operators(graph.graph, reasons, reasons))
    return _on_list(split), *listed


def _on_list(module: GraphModule) -> BoxedCall:
    def call(args: list[Any]) -> list[Any]:
        taken = tuple(args)
        args.clear()
        return list(module.forward(*taken))

    return call


class _Supported(OperatorSupportBase):
    def __init__(self, unsupported: set[str]) -> None:
        self._unsupported = unsupported

    def is_node_supported(self, submodules: Mapping[str, Any], node: Node) -> bool:
        return node.op == "call_function" and node.name not in self._unsupported


def _compile_supported(
    graph: GraphModule, reasons: Mapping[Node, str], compile_part: Callable[[GraphModule], BoxedCall]
) -> tuple[GraphModule, dict[str, str]]:
    """A graph that calls native code for its supported parts; and, by node name, what was not supported after all."""
    split = copy_graph(graph)
    support = _Supported({node.name for node in reasons})
    partitioner = CapabilityBasedPartitioner(split, support, allows_single_node_partition=True)
    split = partitioner.fuse_partitions(partitioner.propose_partitions(), prefix=_PART)
    failures: dict[str, str] = {}
    for node in split.graph.find_nodes(op="call_module"):
        if str(node.target).startswith(_PART):
            failures |= _compile_part(split, node, compile_part)
    split.recompile()
    return split, failures


def _compile_part(
    split: GraphModule, node: Node, compile_part: Callable[[GraphModule], BoxedCall]
) -> dict[str, str]:
    """Lets a node call native code; or says by name which nodes of its graph are to blame that it cannot."""
    part = split.get_submodule(str(node.target))
    assert isinstance(part, GraphModule), "the partitioner makes graphs"
    try:
        call = compile_part(part)
    except CompilerError as error:
        operators = [n for n in part.graph.nodes if n.op == "call_function"]
        blamed = [n for n in operators if error.where == str(node_provenance(n, {}))]
        return {n.name: error.message for n in blamed or operators}
    single = not isinstance(part.graph.output_node().args[0], (list, tuple))
    node.op, node.target = "call_function", _with_arguments(call, single)
    return {}


def _with_arguments(call: BoxedCall, single: bool) -> Callable[..., Any]:
    """The call of a part as a function with arguments, which a graph's code can have."""

    def compiled_part(*args: Any) -> Any:
        results = call(list(args))
        return results[0] if single else results

    return compiled_part


def _unsupported(graph: GraphModule) -> dict[Node, str]:
    """The operators that have no lowering, each tried by itself, with the reason."""
    reasons: dict[Node, str] = {}
    for node in graph.graph.nodes:
        if node.op != "call_function":
            continue
        source = node.args[0] if node.target is operator.getitem else node
        reason = reasons.get(source, "") if source is not node else _reason(node)
        if reason:
            reasons[node] = reason
    return reasons


def _reason(node: Node) -> str:
    """Why a single operator cannot be compiled; "" for one that can."""
    if not isinstance(node.target, OpOverload):
        return f"operator '{node.target}' has no lowering"
    if not all(_has_known_size(x) for x in (node, *node.all_input_nodes)):
        return "its size depends on the values of a tensor"
    key = _key(node)
    if key not in _PROBED:
        try:
            inner, _ = draw_boundary(_alone(node))
            if outputs(inner.graph):
                import_graph(inner)
            _PROBED[key] = ""
        except CompilerError as error:
            _PROBED[key] = error.message
    return _PROBED[key]


def _has_known_size(node: Node) -> bool:
    """Whether a node is a tensor, or several, of which each size is a number."""
    value = node.meta.get("val")
    values = value if isinstance(value, (tuple, list)) else (value,)
    return all(isinstance(v, torch.Tensor) and is_static(layout(v)) for v in values)


def _key(node: Node) -> str:
    """The operator with the types of its tensors and its other arguments."""

    def described(argument: Node) -> Any:
        value = argument.meta.get("val")
        if isinstance(value, torch.Tensor):
            return f"{value.dtype}{list(value.shape)}{list(value.stride())}"
        return repr(value)

    return f"{node.target} {map_arg(node.args, described)} {map_arg(node.kwargs, described)}"


def _alone(node: Node) -> GraphModule:
    """A graph of one operator, whose arguments are placeholders."""
    graph = Graph()
    copies: dict[Node, Node] = {}
    for argument in node.all_input_nodes:
        copies[argument] = graph.placeholder(argument.name)
        copies[argument].meta = dict(argument.meta)
    copy = graph.node_copy(node, copies.__getitem__)
    graph.output(tuple(_parts(graph, copy)))
    return GraphModule(torch.nn.Module(), graph)


def _parts(graph: Graph, node: Node) -> list[Node]:
    """A node that is a tensor, or the tensors of one that is several."""
    value = node.meta["val"]
    if isinstance(value, torch.Tensor):
        return [node]
    found: list[Node] = []
    for index, element in enumerate(value if isinstance(value, (tuple, list)) else ()):
        if isinstance(element, torch.Tensor):
            part = graph.call_function(operator.getitem, (node, index))
            part.meta = {**node.meta, "val": element}
            found.append(part)
    return found
