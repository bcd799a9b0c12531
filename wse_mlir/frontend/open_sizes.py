"""What operators require of sizes that are left open: an element that is selected, a line whose greatest is sought.

PyTorch's exporter takes an open size for two at least, whatever range it is given, and so leaves these checks out.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Graph, Node
from torch.utils._sympy.value_ranges import bound_sympy

aten = torch.ops.aten

TOO_SMALL = "an open size is too small"  # what the texts of these assertions begin with

_ALONG = (
    aten.amax.default,
    aten.amin.default,
    aten.max.dim,
    aten.min.dim,
    aten.argmax.default,
    aten.argmin.default,
)
_WHOLE = (aten.max.default, aten.min.default)
# Decompositions of other operators, such as softmax, give an empty line's extreme a meaning.
_OF_EXTREMES = {str(op) for op in (*_ALONG, *_WHOLE, aten.aminmax.default, aten.linalg_vector_norm.default)}


def assert_open_sizes(program: ExportedProgram) -> None:
    """Adds assertions to a decomposed program, in place: of sizes whose range does not exclude that they fail."""
    told: set[tuple[Any, int]] = set()
    for node in list(program.graph.nodes):
        for dim, needed, text in _requirements(node):
            source = node.args[0]
            size = source.meta["val"].shape[dim]
            if isinstance(size, int) or (size.node.expr, needed) in told:
                continue
            if bound_sympy(size.node.expr, program.range_constraints).lower >= needed:
                continue
            told.add((size.node.expr, needed))
            with program.graph.inserting_before(node):
                _assert(program.graph, node, dim, needed, f"{TOO_SMALL}: {text}")


def _requirements(node: Node) -> Iterator[tuple[int, int, str]]:
    """Dimensions of the first operand, how many elements they must have, and what is wrong otherwise."""
    if node.op != "call_function" or not node.args or not isinstance(node.args[0], Node):
        return
    value = node.args[0].meta.get("val")
    if not isinstance(value, torch.Tensor) or not value.dim():
        return
    rank = value.dim()
    given: dict[str, Any] = dict(zip((a.name for a in _schema(node)), node.args, strict=False)) | dict(
        node.kwargs
    )
    if node.target == aten.select.int:
        dim, index = given["dim"] % rank, given["index"]
        if isinstance(index, int):
            needed = index + 1 if index >= 0 else -index
            yield dim, needed, f"index {index} is out of range for dimension {dim}"
    elif node.target == aten.topk.default:
        dim = given.get("dim", -1) % rank
        if isinstance(given["k"], int):
            yield dim, given["k"], f"there are no {given['k']} elements along dimension {dim}"
    elif node.target in (*_ALONG, *_WHOLE) and str(node.meta.get("original_aten")) in _OF_EXTREMES:
        dims = given.get("dim")
        dims = [dims] if isinstance(dims, int) else dims or range(rank)
        for dim in dims:
            yield dim % rank, 1, f"dimension {dim % rank} is empty, and has no greatest or least element"


def _schema(node: Node) -> Any:
    schema = getattr(node.target, "_schema", None)
    return () if schema is None else schema.arguments


def _assert(graph: Graph, node: Node, dim: int, needed: int, text: str) -> None:
    source: Any = node.args[0]
    size = source.meta["val"].shape[dim]

    def call(target: Any, args: tuple[Any, ...], value: Any) -> Node:
        made = graph.call_function(target, args)
        made.meta = {key: kept for key, kept in node.meta.items() if key != "tensor_meta"} | {"val": value}
        return made

    counted = call(aten.sym_size.int, (source, dim), size)
    call(aten._assert_scalar.default, (call(operator.ge, (counted, needed), size >= needed), text), None)
