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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch._ops import OpOverload
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx import Graph, GraphModule, Node
from torch.fx.passes.shape_prop import _extract_tensor_metadata
from torch_mlir.extras.fx_as_strided import rewrite_as_strided

from ..frontend.graphs import (
    copy_graph,
    derive_sizes,
    is_parameter,
    linear_size,
    outputs,
    placeholders,
)
from ..frontend.plain_views import rewrite_plain_views
from ..passes.infra.diagnostics import CompilerError
from .layouts import TorchSize, example, expression, inverse, memory_order, overlaps

_PERMUTE = torch.ops.aten.permute.default
_ITEM = torch.ops.aten._local_scalar_dense.default


@dataclass(frozen=True)
class Input:
    """A tensor that native code reads.

    Attributes:
        position: among the graph's placeholders.
        shape / strides: of the tensor; strides are promised, not checked.
        order: of its dimensions in memory; None where the tensor must be made contiguous first.
        negated: memory holds the negative of its values (the imaginary part of a conjugate).
        number: it is given as a Python number, and native code takes it as a tensor of rank 0 and this type.
        is_parameter: what is computed from it alone is prepared before the call.
    """

    position: int
    shape: tuple[TorchSize, ...]
    strides: tuple[TorchSize, ...]
    order: tuple[int, ...] | None
    negated: bool = False
    number: torch.dtype | None = None
    is_parameter: bool = False


@dataclass(frozen=True)
class WrittenTensor:
    """A tensor that native code writes; `order` is None where it must be copied into its strides afterwards."""

    shape: tuple[TorchSize, ...]
    strides: tuple[TorchSize, ...]
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
    view: tuple[tuple[TorchSize, ...], tuple[TorchSize, ...], TorchSize] | None = None


@dataclass(frozen=True)
class Boundary:
    """Everything that crosses the border of a graph; see the module.

    Attributes:
        arity: how many placeholders the graph has.
        inputs: parameters come last.
        sizes: per symbol that sizes are written in, how a call reads it from its `args`.
        open: symbols that native code reads from its inputs' sizes.
        lacks_sizes: sizes are computed from a number that is no dimension of an input, so that it has to become a
            constant.
    """

    arity: int
    inputs: tuple[Input, ...]
    buffers: tuple[WrittenTensor, ...]
    outputs: tuple[Output, ...]
    sizes: dict[Any, str]
    open: frozenset[Any]
    lacks_sizes: bool


def draw_boundary(module: GraphModule) -> tuple[GraphModule, Boundary]:
    """A copy of a graph in which inputs and outputs are contiguous tensors, and how to get from one to the other."""
    copy = copy_graph(module)
    graph = copy.graph
    try:
        rewrite_plain_views(graph)
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
    numbers, constants = _sort_numbers(graph, derive_sizes(graph))
    _pass_as_tensors(graph, numbers)
    inputs = _take_inputs(graph, numbers)
    copy.recompile()
    arity = len(placeholders(graph))
    return copy, Boundary(arity, inputs, tuple(buffers), tuple(cut), sizes, _symbols(inputs), bool(constants))


def returned_nodes(returned: Sequence[Any]) -> list[Node]:
    """The outputs that are nodes."""
    return [value for value in returned if isinstance(value, Node)]


def _cut(value: Any, returned: set[Node], inputs: list[Node], roots: list[Node]) -> Output:
    """Where an output comes from; a node that has to be computed is added to `roots`."""
    if not isinstance(value, Node) or not isinstance(value.meta["val"], torch.Tensor):
        return Output("value", value.meta["val"] if isinstance(value, Node) else value)
    base = _source(value, returned)
    if base.op == "placeholder":
        source, of = "input", inputs.index(base)
    else:
        if base not in roots:
            roots.append(base)
        source, of = "buffer", roots.index(base)
    return Output(source, of, None if base is value else _view(value.meta["val"], base.meta["val"]))


def _source(value: Node, returned: set[Node]) -> Node:
    """What an output is handed out as a view of; the output itself where that is best.

    An input that it views, or another output. Else what it views is computed and kept in its place if that takes no
    more memory, or if the output's elements overlap, so that it cannot be written.
    """
    chain = list(_bases(value))
    if chain[-1].op == "placeholder" or chain[-1] in returned:
        return chain[-1]
    if example(chain[-1].meta["val"].numel()) <= example(value.meta["val"].numel()):
        return chain[-1]
    return next(node for node in chain if not overlaps(node.meta["val"]))


def _bases(node: Node) -> Iterator[Node]:
    """A node, what it is a view of, what that is a view of and so on."""
    yield node
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
        yield node


def _view(
    value: torch.Tensor, base: torch.Tensor
) -> tuple[tuple[TorchSize, ...], tuple[TorchSize, ...], TorchSize]:
    return tuple(value.shape), tuple(value.stride()), value.storage_offset() - base.storage_offset()


def _buffer(root: Node) -> WrittenTensor:
    value = root.meta["val"]
    return WrittenTensor(tuple(value.shape), tuple(value.stride()), memory_order(value), value.dtype)


def _in_memory_order(graph: Graph, root: Node, buffer: WrittenTensor) -> Node:
    if buffer.order is None or list(buffer.order) == sorted(buffer.order):
        return root
    return _permuted(graph, root, buffer.order)


def _permuted(graph: Graph, node: Node, order: Sequence[int]) -> Node:
    permuted = graph.call_function(_PERMUTE, (node, list(order)))
    permuted.meta = _meta(node, node.meta["val"].permute(list(order)))
    return permuted


def _meta(node: Node, value: torch.Tensor) -> dict[str, Any]:
    """What is known about a node, when its value is another; the importer reads either of the two."""
    return {**node.meta, "val": value, "tensor_meta": _extract_tensor_metadata(value)}


def _sort_numbers(graph: Graph, numbers: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """Numbers that the graph computes values with, and those that sizes of tensors depend on."""
    shaping: set[Any] = set()
    for node in graph.nodes:
        value = node.meta.get("val")
        for tensor in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(tensor, torch.Tensor):
                shaping.update(symbol for size in tensor.shape for symbol in expression(size).free_symbols)
    sized = [node for node in numbers if node.meta["val"].node.expr.free_symbols & shaping]
    return [node for node in numbers if node not in sized], sized


def _pass_as_tensors(graph: Graph, numbers: Sequence[Node]) -> None:
    """Makes placeholders of numbers tensors of rank 0, and reads the numbers from them."""
    last = placeholders(graph)[-1] if numbers else None
    for node in numbers:
        number = node.meta["val"]
        with graph.inserting_after(last):
            read = graph.call_function(_ITEM, (node,))
        read.meta = dict(node.meta)
        node.replace_all_uses_with(read, delete_user_cb=lambda user, own=read: user is not own)
        dtype = torch.int64 if isinstance(number, torch.SymInt) else torch.float64
        with FakeTensorMode():
            node.meta = _meta(node, torch.empty((), dtype=dtype))


def _take_inputs(graph: Graph, numbers: Sequence[Node]) -> tuple[Input, ...]:
    """Lets the graph read its inputs in memory order; placeholders that nothing reads are no inputs.

    They come in the order of `import_graph`.
    """
    inputs: list[Input] = []
    nodes = placeholders(graph)
    for position, node in enumerate(nodes):
        value = node.meta["val"]
        if not node.users or not isinstance(value, torch.Tensor):
            continue
        order = memory_order(value)
        shape, strides = tuple(value.shape), tuple(value.stride())
        number = value.dtype if node in numbers else None
        inputs.append(Input(position, shape, strides, order, value.is_neg(), number, is_parameter(node)))
        if order is None or list(order) == sorted(order):
            continue
        node.meta = _meta(node, value.permute(order))
        with graph.inserting_after(nodes[-1]):
            logical = _permuted(graph, node, inverse(order))
        node.replace_all_uses_with(logical, delete_user_cb=lambda user, own=logical: user is not own)
    return tuple(sorted(inputs, key=lambda given: given.is_parameter))


def _sizes(nodes: Sequence[Node]) -> dict[Any, str]:
    """How to read each symbol: where the placeholder is it, or else where a tensor has it as size or stride."""
    found: dict[Any, str] = {}
    tensors: list[tuple[Any, str]] = []
    for position, node in enumerate(nodes):
        value, name = node.meta["val"], f"args[{position}]"
        if isinstance(value, (torch.SymInt, torch.SymFloat)):
            found.setdefault(value.node.expr, name)
        elif isinstance(value, torch.Tensor):
            tensors += [(size, f"{name}.shape[{d}]") for d, size in enumerate(value.shape)]
            tensors += [(stride, f"{name}.stride({d})") for d, stride in enumerate(value.stride())]
            tensors.append((value.storage_offset(), f"{name}.storage_offset()"))
    for size, text in tensors:
        found.setdefault(expression(size), text)
    for size, text in list(found.items()):
        symbol, factor, rest = linear_size(size)
        if symbol is not None:
            found.setdefault(symbol, f"({text} - {rest}) // {factor}")
    return {symbol: text for symbol, text in found.items() if symbol.is_Symbol}


def _symbols(inputs: Sequence[Input]) -> frozenset[Any]:
    return frozenset(symbol for x in inputs for size in x.shape for symbol in expression(size).free_symbols)
