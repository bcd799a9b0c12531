"""Imports a graph of ATen operators whose inputs are placeholders, as AOTAutograd makes them."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import Graph, GraphModule, Node, Proxy
from torch.fx.node import map_arg
from torch.fx.proxy import GraphAppendingTracer
from torch.utils._sympy.interp import sympy_interp
from torch.utils._sympy.reference import PythonReferenceAnalysis

from ..dialects.context import create_context
from ..dialects.host import ir
from ..passes.infra.diagnostics import CompilerError
from .assertions import assert_scalars
from .call_interface import CallInterface
from .empty_values import drop_empty_values
from .fx import LiftingImporter
from .imported_model import ImportedModel
from .interface import annotate_main
from .lowering import finish_import, lower_torch_to_linalg
from .open_reshapes import split_open_reshapes
from .provenance import node_provenance, operator_name
from .python_numbers import use_python_operators
from .selections import index_selections
from .signature import LITERAL_LIMIT, Argument, Result, Signature
from .value_types import check_tensors

# In the meta data of a placeholder: it is a parameter, whose value seldom changes between calls.
PARAMETER = "wse_parameter"


@dataclass(frozen=True)
class NamedParameter:
    """In the meta data of a placeholder: the name and the value of a parameter that is bound when it is imported."""

    name: str
    tensor: torch.Tensor


_SYM_SIZE = torch.ops.aten.sym_size.int


def import_graph(
    graph: GraphModule, *, context: ir.Context | None = None, keep_inputs: bool = False
) -> ImportedModel:
    """Imports a graph to linalg on tensors.

    Args:
        graph: of ATen operators on fake tensors (`node.meta["val"]`). Its placeholders that are read, all tensors,
            are the inputs in order, then those that `PARAMETER` marks; constant tensors are attributes, and the last
            parameters; its outputs, all tensors, are the results.
        context: to create the module in; a fresh one by default.
        keep_inputs: placeholders that are not read are inputs too.

    Raises:
        CompilerError: an operator cannot be imported or lowered; names it and the user's line.
    """
    context = context or create_context()
    graph = copy_graph(graph)
    inputs = [
        node for node in placeholders(graph.graph) if node.users or (keep_inputs and not is_parameter(node))
    ]  # of the caller's graph, not of what is left
    split_open_reshapes(graph.graph)
    drop_empty_values(graph.graph)
    index_selections(graph.graph)
    assert_scalars(graph.graph)
    for node in graph.graph.nodes:
        name = operator_name(node.target) if node.op == "call_function" else "an input"
        check_tensors(node, name, _place)
    use_python_operators(graph.graph)
    signature = _read_signature(graph, inputs)
    module = LiftingImporter(context, {}).import_lifted(graph, signature)
    lower_torch_to_linalg(module)
    finish_import(module, exported=True)
    arguments = tuple(argument for argument, _ in signature.arguments)
    results = tuple(result for result, _ in signature.results)
    annotate_main(module, arguments, results)
    labels = tuple(node.name for argument, node in signature.arguments if argument.kind == "input")
    return ImportedModel(module, CallInterface(arguments, results, input_labels=labels), context)


def copy_graph(module: GraphModule) -> GraphModule:
    """A copy that can be changed: nodes have the same names, and share tensors with the original's."""
    graph = Graph()
    graph.output(graph.graph_copy(module.graph, {}))
    for old, new in zip(module.graph.nodes, graph.nodes, strict=True):
        new.meta = dict(old.meta)
        if old.op == "get_attr":
            new.meta.setdefault("val", _attribute(module, str(old.target)))
    return GraphModule(module, graph)


def placeholders(graph: Graph) -> list[Node]:
    """The inputs of a graph, in order."""
    return [node for node in graph.nodes if node.op == "placeholder"]


def is_parameter(node: Node) -> bool:
    """Whether a placeholder is marked as a parameter."""
    return PARAMETER in node.meta


def outputs(graph: Graph) -> list[Any]:
    """The results of a graph, in order: nodes, None or Python numbers."""
    returned = next(node for node in graph.nodes if node.op == "output").args[0]
    return list(returned) if isinstance(returned, (list, tuple)) else [returned]


def derive_sizes(graph: Graph) -> list[Node]:
    """Replaces placeholders that are sizes by reading them, or what they are computed from, from tensors; in place.

    Returns:
        The placeholders that are read and that no tensor tells.
    """
    inputs = placeholders(graph)
    dimensions = _dimensions(inputs)
    left: list[Node] = []
    for node in inputs:
        value = node.meta["val"]
        if not isinstance(value, (torch.SymInt, torch.SymFloat)) or not node.users:
            continue
        expression = value.node.expr
        if isinstance(value, torch.SymFloat) or not dimensions.keys() >= expression.free_symbols:
            left.append(node)
            continue
        with graph.inserting_before(inputs[-1].next):
            sizes = {s: _read_size(graph, *dimensions[s]) for s in sorted(expression.free_symbols, key=str)}
        node.replace_all_uses_with(_compute(graph, expression, sizes))
    return left


def linear_size(size: Any) -> tuple[Any, int, int]:
    """Symbol, factor and rest of an expression `factor * symbol + rest`; the symbol is None for any other."""
    if len(size.free_symbols) == 1:
        (symbol,) = size.free_symbols
        factor = size.coeff(symbol)
        rest = size - factor * symbol
        if factor.is_Integer and rest.is_Integer and factor > 0:
            return symbol, int(factor), int(rest)
    return None, 0, 0


def _dimensions(inputs: Sequence[Node]) -> dict[Any, tuple[Node, int]]:
    """For each symbol that a dimension of an input tells: a tensor, and which of its dimensions; simple ones first."""
    found: dict[Any, tuple[Node, int]] = {}
    told = [
        (node, dim, linear_size(size.node.expr))
        for node in inputs
        if isinstance(node.meta["val"], torch.Tensor)
        for dim, size in enumerate(node.meta["val"].shape)
        if isinstance(size, torch.SymInt)
    ]
    for node, dim, (symbol, *_) in sorted(told, key=lambda entry: entry[2][1:]):
        if symbol is not None:
            found.setdefault(symbol, (node, dim))
    return found


def _read_size(graph: Graph, tensor: Node, dim: int) -> Node:
    """Operators that find the symbol in a dimension of a tensor, at the insertion point."""
    size = graph.call_function(_SYM_SIZE, (tensor, dim))
    size.meta["val"] = tensor.meta["val"].shape[dim]
    _, factor, rest = linear_size(size.meta["val"].node.expr)
    for function, number, neutral in ((operator.sub, rest, 0), (operator.floordiv, factor, 1)):
        if number != neutral:
            size, before = graph.call_function(function, (size, number)), size
            size.meta["val"] = function(before.meta["val"], number)
    return size


def _compute(graph: Graph, expression: Any, sizes: Mapping[Any, Node]) -> Node:
    """Operators on sizes that compute an expression."""
    before = set(graph.nodes)
    last = max(sizes.values(), key=list(graph.nodes).index)
    with graph.inserting_before(last.next):
        tracer = GraphAppendingTracer(graph)
        proxies = {symbol: Proxy(node, tracer) for symbol, node in sizes.items()}
        result = sympy_interp(PythonReferenceAnalysis, proxies, expression).node
    for node in graph.nodes:
        if node not in before:
            values = map_arg(node.args, lambda argument: argument.meta["val"])
            node.meta["val"] = node.target(*values)
    return result


def _read_signature(graph: GraphModule, inputs: Sequence[Node]) -> Signature:
    signature = Signature()
    for node in sorted(inputs, key=is_parameter):
        name = str(len(signature.arguments))
        if not is_parameter(node):
            signature.arguments.append((_argument("input", name, node, None), node))
        elif isinstance(bound := node.meta[PARAMETER], NamedParameter):
            signature.arguments.append((_argument("parameter", bound.name, node, bound.tensor), node))
        else:
            signature.arguments.append((_argument("parameter", name, node, None), node))
    for target, (node, value) in _lift_attributes(graph).items():
        if value.numel() < LITERAL_LIMIT:
            signature.literals.append((node, value))
        else:
            signature.arguments.append((_argument("parameter", target, node, value), node))
    for position, node in enumerate(outputs(graph.graph)):
        signature.results.append((Result("output", str(position), node.meta["val"].dtype), node))
    return signature


def _lift_attributes(graph: GraphModule) -> dict[str, tuple[Node, torch.Tensor]]:
    """Makes each tensor that is an attribute one placeholder: the importer reads an attribute once only."""
    lifted: dict[str, tuple[Node, torch.Tensor]] = {}
    for node in list(graph.graph.find_nodes(op="get_attr")):
        target = str(node.target)
        value = _attribute(graph, target)
        if not isinstance(value, torch.Tensor):
            raise CompilerError(
                f"the graph uses '{target}', which is no tensor",
                where=_place(node),
                hint="control flow as an operator (torch.cond and the like) is not supported",
            )
        if target not in lifted:
            with graph.graph.inserting_before(node):
                placeholder = graph.graph.placeholder(node.name)
            placeholder.meta = dict(node.meta)
            lifted[target] = (placeholder, value)
        node.replace_all_uses_with(lifted[target][0])
        graph.graph.erase_node(node)
    return lifted


def _attribute(graph: GraphModule, target: str) -> Any:
    value: Any = graph
    for name in target.split("."):
        value = getattr(value, name)
    return value


def _argument(kind: Any, name: str, node: Node, tensor: torch.Tensor | None) -> Argument:
    value = node.meta["val"]
    shape = tuple(size if isinstance(size, int) else -1 for size in value.shape)
    symbols = tuple("" if isinstance(size, int) else str(size) for size in value.shape)
    data = tensor.detach() if tensor is not None else None
    return Argument(kind, name, shape, value.dtype, data, symbols=symbols)


def _place(node: Node) -> str:
    """The line of an operator, or of the first one that reads an input."""
    user = node if node.op == "call_function" else next(iter(node.users), node)
    provenance = node_provenance(user, {})
    return str(provenance) if provenance.is_known else ""
