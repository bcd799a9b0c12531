"""Runs an ONNX graph on PyTorch tensors: real ones, or traced ones of a compiler."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.fx import traceback as fx_traceback

from ...passes.infra.diagnostics import CompilerError
from ..provenance import ONNX_NODE
from . import operators  # noqa: F401  # registers them
from .functions import attribute_value, bound_node, called_function, find_schema, standard_function
from .registry import OnnxOperator, call_operator, find_operator
from .scope import InputsNeeded, Model, Scope, describe_node, first_output
from .sizes import fold_sizes, materialised
from .types import CARRIERS, element_type, to_tensor, wrapped
from .unsigned import compute_unsigned
from .values import Unsupported, ValueNeeded, is_known, tensors_in, untraced

FOLDED = 4096  # elements that a result computed when the model is imported may have

# Results of an element type that an attribute names.
_TYPE_ATTRIBUTES = {
    "Cast": "to",
    "BitCast": "to",
    "EyeLike": "dtype",
    "QuantizeLinear": "output_dtype",
}
# What takes sizes as they are, symbolic or not.
_TAKES_SIZES = frozenset({"Reshape", "Expand", "ConstantOfShape", "Slice", "Tile", "Range", "Split", "Pad"})


@dataclass
class _Subgraphs(Scope):
    """The scope that control flow runs its graphs in: it knows which sources decide what they are given."""

    node: Any = None

    def run(self, graph: Any, inputs: Sequence[Any]) -> list[Any]:
        """Runs a graph that is an attribute, with values for its inputs."""
        scope = Scope(self.model, self)
        sources = self.sources_of(self.node.input)
        for given, value in zip(graph.input, inputs, strict=True):
            scope.define(given.name, value, sources, _declared_unsigned(given.type))
        return run_graph(graph, scope)


def run_graph(graph: Any, scope: Scope) -> list[Any]:
    """Computes a graph whose inputs are defined; returns its outputs.

    Raises:
        CompilerError: an operator or attribute is not supported; names the node.
        InputsNeeded: a shape depends on the elements of inputs.
    """
    for tensor in graph.initializer:
        if tensor.name not in scope.values:
            with untraced():
                value, dtype = to_tensor(tensor)
            scope.define(tensor.name, value, frozenset(), dtype if dtype in CARRIERS else None)
    for node in graph.node:
        run_node(node, scope)
    return [scope.value(output.name) for output in graph.output]


def run_node(node: Any, scope: Scope) -> None:
    """Computes one node and defines its outputs."""
    try:
        with fx_traceback.annotate({ONNX_NODE: (node.name or first_output(node), node.op_type)}):
            results, unsigned = _compute(node, scope)
    except (CompilerError, InputsNeeded):
        raise
    except ValueNeeded as needed:
        raise _inputs_needed(node, scope, needed.args[0]) from needed
    except Unsupported as error:
        raise CompilerError(
            f"the ONNX operator '{node.op_type}' is not supported with {error}",
            where=describe_node(node, scope),
        ) from error
    except Exception as error:  # whatever PyTorch raises about shapes and types
        reason = str(error).strip().split("\n")[0] or type(error).__name__
        raise CompilerError(
            f"the ONNX operator '{node.op_type}' cannot be imported: {reason}",
            where=describe_node(node, scope),
            hint="onnx.checker.check_model(path, full_check=True) tells whether the model is valid",
        ) from error
    sources = scope.sources_of(node.input) | _sources_inside(node, scope)
    if node.op_type in ("Shape", "Size"):  # the elements are not read
        sources = frozenset()
    for name, value, dtype in zip(node.output, results, unsigned, strict=False):
        if name:
            scope.define(name, value, sources, dtype)


def _inputs_needed(node: Any, scope: Scope, value: Any) -> InputsNeeded:
    names = [n for n in node.input if n and any(t is value for t in tensors_in([scope.value(n)]))]
    decides = names[0] if names else next((n for n in node.input if n), "")
    message = CompilerError(
        f"the elements of '{decides}' decide a shape in the ONNX operator '{node.op_type}'",
        where=describe_node(node, scope),
        hint="make it a constant (an initializer) of the model",
    )
    return InputsNeeded(scope.sources_of(names or list(node.input)), message)


def _sources_inside(node: Any, scope: Scope) -> frozenset[str]:
    """Sources of the values that a node's graphs read from around it."""
    read: set[str] = set()
    for attribute in node.attribute:
        if attribute.HasField("g"):
            pending = [attribute.g]
            while pending:
                graph = pending.pop()
                for inner in graph.node:
                    read.update(inner.input)
                    pending += [a.g for a in inner.attribute if a.HasField("g")]
    return scope.sources_of([name for name in read if name])


def _compute(node: Any, scope: Scope) -> tuple[list[Any], list[torch.dtype | None]]:
    inputs = [scope.value(name) for name in node.input]
    while inputs and inputs[-1] is None and not node.input[len(inputs) - 1]:
        inputs.pop()
    body = scope.model.functions.get((node.domain, node.op_type))
    if body is not None:
        return _call_function(called_function(body, node), node, inputs, scope)
    entry = find_operator(node.domain, node.op_type)
    if entry is None:
        return _call_function(standard_function(node, inputs, scope), node, inputs, scope)
    attributes = {a.name: attribute_value(a) for a in node.attribute}
    folded = fold_sizes(node.op_type, inputs, attributes)
    if folded is not None:
        return [folded], [None]
    if node.op_type not in _TAKES_SIZES:
        inputs = [materialised(value) for value in inputs]
    given = [scope.unsigned_type(name) for name in node.input]
    types = [g or getattr(v, "dtype", None) for g, v in zip(given, inputs, strict=False)]
    made = _unsigned_results(node, given, scope)
    results = _fold_or_trace(node, entry, inputs, attributes, scope, types, made)
    return results, made


def _fold_or_trace(
    node: Any,
    entry: OnnxOperator,
    inputs: list[Any],
    attributes: dict[str, Any],
    scope: Scope,
    types: list[Any],
    made: list[torch.dtype | None],
) -> list[Any]:
    offered = {
        "opset": scope.model.opset(node.domain),
        "outputs": sum(1 for name in node.output if name) if len(node.output) < 2 else len(node.output),
        "types": types,
        "scope": _Subgraphs(scope.model, scope, node=node),
    }

    def compute() -> list[Any]:
        results = compute_unsigned(
            node.op_type, lambda *i: call_operator(entry, i, attributes, offered), inputs, types, made
        )
        listed = list(results) if isinstance(results, tuple) else [results]
        return [wrapped(r, d) if d is not None else r for r, d in zip(listed, made, strict=False)]

    if entry.folds and all(is_known(value) for value in inputs):
        with untraced():
            results = compute()
        if sum(t.numel() for t in tensors_in(results)) <= FOLDED:
            return results
    return compute()


def _unsigned_results(node: Any, given: list[torch.dtype | None], scope: Scope) -> list[torch.dtype | None]:
    """For each output its element type where that is carried by another, from the operator's definition."""
    named = [a for a in node.attribute if a.name == _TYPE_ATTRIBUTES.get(node.op_type)]
    if named and (named[0].i or named[0].s):
        dtype = element_type(named[0].i or named[0].s.decode())
        return [dtype if dtype in CARRIERS else None]
    if node.op_type == "CastLike":
        return [given[1]]
    held = [a.t for a in node.attribute if a.HasField("t")]
    if node.op_type in ("Constant", "ConstantOfShape") and held:
        dtype = element_type(held[0].data_type)
        return [dtype if dtype in CARRIERS else None]
    if not any(given):
        return [None] * len(node.output)
    schema = find_schema(node, scope.model)
    if schema is None:
        return [None] * len(node.output)
    by_name: dict[str, torch.dtype | None] = {}
    for position, dtype in enumerate(given):
        formal = schema.inputs[min(position, len(schema.inputs) - 1)]
        by_name.setdefault(formal.type_str, dtype)
    formals = [schema.outputs[min(k, len(schema.outputs) - 1)] for k in range(len(node.output))]
    return [by_name.get(formal.type_str) for formal in formals]


def _call_function(
    function: tuple[Any, Mapping[str, Any]], node: Any, inputs: list[Any], scope: Scope
) -> tuple[list[Any], list[torch.dtype | None]]:
    """Runs a function's body in a scope of its own, with attributes of the call put in."""
    body, given = function
    outer = scope.model
    opsets = {o.domain: o.version for o in body.opset_import}
    inner = Scope(Model(outer.path, outer.functions, {**outer.opsets, **opsets}))
    for position, name in enumerate(body.input):
        outside = node.input[position] if position < len(inputs) else ""
        value = inputs[position] if position < len(inputs) else None
        inner.define(name, value, scope.sources_of([outside]), scope.unsigned_type(outside))
    for original in body.node:
        run_node(bound_node(original, given), inner)
    wanted = [name if outside else "" for name, outside in zip(body.output, node.output, strict=False)]
    return [inner.value(n) for n in wanted], [inner.unsigned_type(n) for n in wanted]


def _declared_unsigned(kind: Any) -> torch.dtype | None:
    if not kind.HasField("tensor_type") or not kind.tensor_type.elem_type:
        return None
    dtype = element_type(kind.tensor_type.elem_type)
    return dtype if dtype in CARRIERS else None
