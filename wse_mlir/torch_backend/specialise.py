"""A graph with open sizes, compiled anew for each combination of sizes that it is called with.

Native code is right for one open size: torch-mlir confuses independent ones. So AOTAutograd's graph is copied with the
sizes of a call, and what is compiled from that is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx import Graph, GraphModule, Node
from torch.fx.node import map_arg
from torch.utils._python_dispatch import _disable_current_modes

from ..dialects.fork_lock import ForkLock, LockOrder
from ..frontend.graphs import placeholders
from .layouts import example, is_static, layout
from .wrapper import BoxedCall

_LIMIT = 64  # sizes that are kept; the oldest go first


class Specialising:
    """Calls a graph's code for the sizes of the arguments; compiles it when they are new, and for the example.

    Args:
        graph: of AOTAutograd, on fake tensors with symbolic sizes.
        compile_static: compiles a graph of the same operators in which every size is a number.
        names: receives a description of each combination of sizes that code was made for.

    Raises:
        CompilerError: as `compile_static`.
    """

    def __init__(
        self, graph: GraphModule, compile_static: Callable[[GraphModule], BoxedCall], names: list[str]
    ) -> None:
        self._graph = graph
        self._compile = compile_static
        self._names = names
        self._calls: dict[tuple[Any, ...], BoxedCall] = {}
        self._lock = ForkLock(LockOrder.CALL, "compiling")
        self._values = [node.meta["val"] for node in placeholders(graph.graph)]
        self._numbers = [i for i, v in enumerate(self._values) if isinstance(v, torch.SymInt)]
        tensors = ((i, v) for i, v in enumerate(self._values) if isinstance(v, torch.Tensor))
        self._tensors = [i for i, v in tensors if not is_static(layout(v))]
        self._specialise(self._values)

    def __call__(self, args: list[Any]) -> list[Any]:
        """Runs the graph once; empties the list."""
        call = self._calls.get(self._key(args))
        return (call if call is not None else self._specialise(args))(args)

    def _key(self, args: Sequence[Any]) -> tuple[Any, ...]:
        numbers = [example(args[i]) for i in self._numbers]
        return *numbers, *(tuple(map(example, layout(args[i]))) for i in self._tensors)

    def _specialise(self, args: Sequence[Any]) -> BoxedCall:
        key = self._key(args)
        with self._lock:
            if key in self._calls:
                return self._calls[key]
            call = self._compile(_with_sizes(self._graph, args))
            self._names.append(self._describe(args))
            if len(self._calls) == _LIMIT:
                del self._calls[next(iter(self._calls))]
            self._calls[key] = call
            return call

    def _describe(self, args: Sequence[Any]) -> str:
        """The symbols that are sizes or numbers by themselves, with their values."""
        found: dict[str, Any] = {}
        for i in self._numbers:
            found.setdefault(str(self._values[i].node.expr), example(args[i]))
        for i in self._tensors:
            for size, given in zip(self._values[i].shape, args[i].shape, strict=True):
                if isinstance(size, torch.SymInt) and size.node.expr.is_Symbol:
                    found.setdefault(str(size.node.expr), example(given))
        return ", ".join(f"{name}={value}" for name, value in sorted(found.items()))


def _with_sizes(module: GraphModule, args: Sequence[Any]) -> GraphModule:
    """The graph for the sizes of these arguments: numbers become constants, operators keep the user's lines.

    It is copied node by node and not traced with `make_fx`, which would stop other threads from calling functions
    that TorchDynamo compiled.
    """
    graph = Graph()
    copies: dict[Node, Any] = {}
    values: dict[Node, Any] = {}
    given = iter(args)
    with _disable_current_modes(), torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True):
        for node in module.graph.nodes:
            if node.op == "placeholder":
                argument = next(given)
                values[node] = _fake(argument) if isinstance(argument, torch.Tensor) else example(argument)
            elif node.op == "call_function":
                arguments, options = map_arg((node.args, node.kwargs), values.__getitem__)
                values[node] = node.target(*arguments, **options)
            elif node.op == "get_attr":
                values[node] = getattr(module, node.target)
            copies[node] = copy = graph.node_copy(node, copies.__getitem__)
            copy.meta = _meta(node, values.get(node))
            if isinstance(values.get(node), (int, float, bool)):
                copies[node] = values[node]
    graph.eliminate_dead_code()  # operators on numbers
    return GraphModule(module, graph)


def _meta(node: Node, value: Any) -> dict[str, Any]:
    kept = {name: content for name, content in node.meta.items() if name != "tensor_meta"}
    return kept if node.op == "output" else {**kept, "val": value}


def _fake(tensor: torch.Tensor) -> torch.Tensor:
    """A tensor of the same layout, made in the fake mode that is active."""
    shape, strides = list(map(example, tensor.shape)), list(map(example, tensor.stride()))
    offset = example(tensor.storage_offset())
    extent = sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True)) + 1
    storage = torch.empty(max(extent, 0) + offset, dtype=tensor.dtype)
    return storage.as_strided(shape, strides, offset)
