"""What crosses the border of a compiled graph, and the graph rewritten so that only contiguous tensors do.

A graph of AOTAutograd takes and returns tensors of any strides, numbers and None, and some of its outputs are
inputs or views of them. Native code takes and returns contiguous buffers. Before a graph is imported, therefore,

* an input that is dense but permuted (a transposed weight, channels last) is taken in the order in which it lies
  in memory, and the graph begins by permuting it: nothing is copied;
* an output that is a view is cut from the graph, and applied to the input or result that it is a view of;
* a result is computed in the order in which its strides promise it, so that no copy follows;
* None and numbers are cut from the graph and put back.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch._ops import OpOverload
from torch.fx import Graph, GraphModule, Node
from torch_mlir.extras.fx_as_strided import rewrite_as_strided

from ...passes.infra.diagnostics import CompilerError
from ..frontend.graphs import copy_graph, derive_sizes, outputs, placeholders
from .layouts import Size, expression, inverse, is_static, memory_order

_PERMUTE = torch.ops.aten.permute.default


@dataclass(frozen=True)
class Input:
    """A tensor that native code reads.

    Attributes:
        position: among the graph's placeholders.
        shape / strides: of the tensor; strides are promised, not checked.
        order: of its dimensions in memory; None where the tensor must be made contiguous first.
        negated: memory holds the negative of its values (the imaginary part of a conjugate).
    """

    position: int
    shape: tuple[Size, ...]
    strides: tuple[Size, ...]
    order: tuple[int, ...] | None
    negated: bool = False


@dataclass(frozen=True)
class Buffer:
    """A tensor that native code writes; `order` is None where it must be copied into its strides afterwards."""

    shape: tuple[Size, ...]
    strides: tuple[Size, ...]
    order: tuple[int, ...] | None
    dtype: torch.dtype


@dataclass(frozen=True)
class Output:
    """One output of the graph.

    Attributes:
        source: "value" for a Python value (`of`), possibly a symbolic size; "input" for the tensor at placeholder
            `of`, "buffer" for the result number `of`.
        view: size, strides and offset (in elements, from where the source begins) where it is not the source itself.
    """

    source: Literal["value", "input", "buffer"]
    of: Any
    view: tuple[tuple[Size, ...], tuple[Size, ...], Size] | None = None


@dataclass(frozen=True)
class Boundary:
    """Everything that crosses the border of a graph; see the module.

    Attributes:
        arity: how many placeholders the graph has.
        sizes: per symbol that sizes are written in, how a call reads it from its `args`.
        open: symbols that native code reads from its inputs' sizes.
        underived: placeholders of numbers that the graph computes with and that are no tensor's dimension; native
            code takes tensors only, so that they have to become constants.
    """

    arity: int
    inputs: tuple[Input, ...]
    buffers: tuple[Buffer, ...]
    outputs: tuple[Output, ...]
    sizes: dict[Any, str]
    open: frozenset[Any]
    underived: tuple[int, ...]


def draw_boundary(module: GraphModule) -> tuple[GraphModule, Boundary]:
    """A copy of a graph in which inputs and outputs are contiguous tensors, and how to get from one to the other."""
    copy = copy_graph(module)
    graph = copy.graph
    try:
        rewrite_as_strided(graph)
    except ValueError as error:
        raise CompilerError(f"operator 'aten.as_strided' cannot be imported: {error}") from error
    returned = outputs(graph)
    roots: list[Node] = []
    cut = [_cut(value, set(returned_nodes(returned)), placeholders(graph), roots) for value in returned]
    buffers = [_buffer(root) for root in roots]
    output = next(node for node in graph.nodes if node.op == "output")
    with graph.inserting_before(output):
        output.args = (tuple(_in_memory_order(graph, r, b) for r, b in zip(roots, buffers, strict=True)),)
    graph.eliminate_dead_code()
    sizes = _sizes(placeholders(graph))
    underived = tuple(placeholders(graph).index(node) for node in derive_sizes(graph))
    inputs = _take_inputs(graph)
    copy.recompile()
    arity = len(placeholders(graph))
    return copy, Boundary(arity, inputs, tuple(buffers), tuple(cut), sizes, _symbols(inputs), underived)


def returned_nodes(returned: Sequence[Any]) -> list[Node]:
    """The outputs that are nodes."""
    return [value for value in returned if isinstance(value, Node)]


def _cut(value: Any, returned: set[Node], inputs: list[Node], roots: list[Node]) -> Output:
    """Where an output comes from; a node that has to be computed is added to `roots`."""
    if not isinstance(value, Node) or not isinstance(value.meta["val"], torch.Tensor):
        return Output("value", value.meta["val"] if isinstance(value, Node) else value)
    base = _base(value)
    if base.op != "placeholder" and base not in returned and not _as_small(base, value):
        base = value
    if base.op == "placeholder":
        source, of = "input", inputs.index(base)
    else:
        if base not in roots:
            roots.append(base)
        source, of = "buffer", roots.index(base)
    return Output(source, of, None if base is value else _view(value.meta["val"], base.meta["val"]))


def _base(node: Node) -> Node:
    """What a node is a view of, through any number of views."""
    while node.op == "call_function":
        views = (
            node.args[0] if node.target is operator.getitem else node
        )  # an operator may return several views
        if (
            not isinstance(views, Node)
            or not isinstance(views.target, OpOverload)
            or not views.target.is_view
        ):
            break
        source = views.args[0]
        if not isinstance(source, Node) or source.meta["val"].dtype != node.meta["val"].dtype:
            break
        node = source
    return node


def _as_small(base: Node, view: Node) -> bool:
    """Whether computing the base takes no more memory than computing the view alone."""
    sizes = (base.meta["val"].numel(), view.meta["val"].numel())
    return sizes[0] <= sizes[1] if is_static(sizes) else expression(sizes[0]) == expression(sizes[1])


def _view(value: torch.Tensor, base: torch.Tensor) -> tuple[tuple[Size, ...], tuple[Size, ...], Size]:
    return tuple(value.shape), tuple(value.stride()), value.storage_offset() - base.storage_offset()


def _buffer(root: Node) -> Buffer:
    value = root.meta["val"]
    return Buffer(tuple(value.shape), tuple(value.stride()), memory_order(value), value.dtype)


def _in_memory_order(graph: Graph, root: Node, buffer: Buffer) -> Node:
    if buffer.order is None or list(buffer.order) == sorted(buffer.order):
        return root
    return _permuted(graph, root, buffer.order)


def _permuted(graph: Graph, node: Node, order: Sequence[int]) -> Node:
    permuted = graph.call_function(_PERMUTE, (node, list(order)))
    permuted.meta = _meta(node, node.meta["val"].permute(list(order)))
    return permuted


def _meta(node: Node, value: torch.Tensor) -> dict[str, Any]:
    """What is known about a node, when its value is another; the importer believes `tensor_meta` first."""
    return {**node.meta, "val": value, "tensor_meta": None}


def _take_inputs(graph: Graph) -> tuple[Input, ...]:
    """Lets the graph read its inputs in memory order; placeholders that nothing reads are no inputs."""
    inputs: list[Input] = []
    nodes = placeholders(graph)
    for position, node in enumerate(nodes):
        value = node.meta["val"]
        if not node.users or not isinstance(value, torch.Tensor):
            continue
        order = memory_order(value)
        inputs.append(Input(position, tuple(value.shape), tuple(value.stride()), order, value.is_neg()))
        if order is None or list(order) == sorted(order):
            continue
        node.meta = _meta(node, value.permute(order))
        with graph.inserting_after(nodes[-1]):
            logical = _permuted(graph, node, inverse(order))
        node.replace_all_uses_with(logical, delete_user_cb=lambda user, own=logical: user is not own)
    return tuple(inputs)


def _sizes(nodes: Sequence[Node]) -> dict[Any, str]:
    """How to read each symbol: where the placeholder is it, or else where a tensor has it as size or stride."""
    found: dict[Any, str] = {}
    tensors: list[tuple[Any, str]] = []
    for position, node in enumerate(nodes):
        value, name = node.meta["val"], f"args[{position}]"
        if isinstance(value, torch.SymInt):
            found.setdefault(expression(value), name)
        elif isinstance(value, torch.Tensor):
            tensors += [(size, f"{name}.shape[{d}]") for d, size in enumerate(value.shape)]
            tensors += [(stride, f"{name}.stride({d})") for d, stride in enumerate(value.stride())]
            tensors.append((value.storage_offset(), f"{name}.storage_offset()"))
    for size, text in tensors:
        found.setdefault(expression(size), text)
    return {symbol: text for symbol, text in found.items() if symbol.is_Symbol}


def _symbols(inputs: Sequence[Input]) -> frozenset[Any]:
    return frozenset(symbol for x in inputs for size in x.shape for symbol in expression(size).free_symbols)
