"""The operators of a graph for people: what the user called, and in which line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import torch
from torch.fx import Graph, GraphModule, Node

from ..dialects.provenance import Provenance
from ..frontend.provenance import node_provenance, operator_name
from .report import Operator


def list_operators(
    graph: Graph, nodes: Iterable[Node] | None = None, reasons: Mapping[Node, str] | None = None
) -> list[Operator]:
    """Operators in order, those of one name and line counted.

    Args:
        nodes: of the graph that are meant; all by default.
        reasons: per node why it is not compiled.
    """
    counted: Counter[tuple[str, str, str]] = Counter()
    for node in nodes if nodes is not None else graph.nodes:
        if node.op != "call_function" or not isinstance(node.target, torch._ops.OperatorBase):
            continue
        name = operator_name(node.target) or str(node.target)
        place = node_provenance(node, {})
        where = str(Provenance(place.module_path, place.file, place.line)) if place.is_known else ""
        counted[place.operator or name, where, (reasons or {}).get(node, "")] += 1
    return [Operator(name, where, times, reason) for (name, where, reason), times in counted.items()]


def first_line(graph: GraphModule) -> str:
    """The first of the user's lines in a graph, "" where none is known."""
    for node in graph.graph.nodes:
        place = node_provenance(node, {})
        if node.op == "call_function" and place.file:
            return str(Provenance(file=place.file, line=place.line))
    return ""
