"""Nodes as the standard and the model define them: attributes, operators' definitions, and bodies of functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import onnx
import torch

from ...passes.infra.diagnostics import CompilerError
from .scope import Model, Scope, describe_node
from .types import to_tensor, type_code
from .values import Sizes, Unsupported, untraced


def find_schema(node: Any, model: Model) -> Any:
    """The standard's definition of a node's operator, None when there is none."""
    domain = "" if node.domain == "ai.onnx" else node.domain
    try:
        return onnx.defs.get_schema(node.op_type, model.opset(domain), domain)
    except onnx.defs.SchemaError:
        return None


def standard_function(node: Any, inputs: list[Any], scope: Scope) -> tuple[Any, dict[str, Any]]:
    """The body that the standard gives for an operator, and attributes of a call.

    Raises:
        CompilerError: there is no such operator, or no body.
    """
    schema = find_schema(node, scope.model)
    if schema is None:
        domain = f" of the domain '{node.domain}'" if node.domain else ""
        raise CompilerError(
            f"the ONNX operator '{node.op_type}'{domain} is unknown in opset {scope.model.opset(node.domain)}",
            where=describe_node(node, scope),
            hint="operators of other domains can be given as functions inside of the model (onnx.FunctionProto)",
        )
    text = b""
    version = scope.model.opset(node.domain)
    if schema.has_context_dependent_function:
        versions = [v for v in schema.context_dependent_function_opset_versions if v <= version]
        kinds = [_type_proto(v, scope.unsigned_type(n)) for v, n in zip(inputs, node.input, strict=False)]
        types = [kind.SerializeToString() for kind in kinds]
        if versions:
            text = schema.get_context_dependent_function_with_opset_version(
                max(versions), node.SerializeToString(), types
            )
    elif schema.has_function:
        text = schema.get_function_with_opset_version(
            max(v for v in schema.function_opset_versions if v <= version)
        )
    if not text:
        raise CompilerError(
            f"the ONNX operator '{node.op_type}' is not supported",
            where=describe_node(node, scope),
            hint="write it with other operators of the standard, or as a function inside of the model",
        )
    defaults = [a.default_value for a in schema.attributes.values() if a.default_value.name]
    return onnx.FunctionProto.FromString(text), _given(node, defaults)


def called_function(body: Any, node: Any) -> tuple[Any, dict[str, Any]]:
    """A function of the model, and attributes of a call."""
    return body, _given(node, body.attribute_proto)


def _given(node: Any, defaults: Iterable[Any]) -> dict[str, Any]:
    return {a.name: a for a in defaults} | {a.name: a for a in node.attribute}


def _type_proto(value: Any, unsigned: torch.dtype | None) -> Any:
    if value is None:
        return onnx.TypeProto()
    if isinstance(value, list):
        kind = _type_proto(value[0] if value else torch.zeros(()), None)
        return onnx.helper.make_sequence_type_proto(kind)
    if isinstance(value, Sizes):
        value = torch.zeros(
            len(value.elements) if isinstance(value.elements, list) else (), dtype=torch.int64
        )
    code = type_code(unsigned or value.dtype)
    shape = [size if isinstance(size, int) else None for size in value.shape]
    return onnx.helper.make_tensor_type_proto(code, shape)


def bound_node(node: Any, given: Mapping[str, Any]) -> Any:
    """A node of a function's body with the attributes that refer to the call's replaced by those."""
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.attribute[:]
    for attribute in node.attribute:
        bound = onnx.AttributeProto()
        if attribute.ref_attr_name:
            if attribute.ref_attr_name not in given:
                continue
            bound.CopyFrom(given[attribute.ref_attr_name])
            bound.name = attribute.name
        else:
            bound.CopyFrom(attribute)
            if bound.HasField("g"):
                nodes = [bound_node(inner, given) for inner in attribute.g.node]
                del bound.g.node[:]
                bound.g.node.extend(nodes)
        copy.attribute.append(bound)
    return copy


def attribute_value(attribute: Any) -> Any:
    """An attribute's value: numbers, text, lists of them, a known tensor, or a graph."""
    kind = attribute.type
    kinds = onnx.AttributeProto
    if kind == kinds.TENSOR:
        with untraced():
            return to_tensor(attribute.t)[0]
    if kind in (kinds.GRAPH, kinds.TYPE_PROTO):
        return attribute.g if kind == kinds.GRAPH else attribute.tp
    if kind not in (kinds.INT, kinds.INTS, kinds.FLOAT, kinds.FLOATS, kinds.STRING, kinds.STRINGS):
        raise Unsupported(
            f"the attribute '{attribute.name}' of kind {kinds.AttributeType.Name(kind).lower()}"
        )
    value = onnx.helper.get_attribute_value(attribute)
    if isinstance(value, bytes):
        return value.decode(errors="replace")
    if isinstance(value, (int, float, str)):
        return value
    return [v.decode(errors="replace") if isinstance(v, bytes) else v for v in value]
