"""The backend that `torch.compile(model, backend="wse_mlir")` finds by its entry point."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from functorch.compile import min_cut_rematerialization_partition
from torch._dynamo.backends.common import aot_autograd
from torch.fx import GraphModule

from ...passes.infra.timing import Timer
from ..frontend.decompositions import attention, decomposition_table
from .native_graph import compile_graph


def wse_mlir(
    graph: GraphModule,
    example_inputs: Sequence[Any],
    *,
    options: Mapping[str, Any] | None = None,
    mode: str | None = None,
) -> Callable[..., Any]:
    """Compiles a graph that TorchDynamo captured, forward and backward.

    Raises:
        CompilerError: an option is unknown, or an operator is not supported; names it and the user's line.
    """
    _take_attention_apart(graph)
    compiler = _Compiler(dict(options or {}))
    backend = aot_autograd(
        fw_compiler=compiler.forward,
        bw_compiler=compiler.backward,
        inference_compiler=compiler.inference,
        decompositions=decomposition_table(),
        partition_fn=min_cut_rematerialization_partition,
    )
    return backend(graph, example_inputs)


class _Compiler:
    """Compiles the graphs that AOTAutograd makes of one captured graph."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options

    def forward(self, graph: GraphModule, example_inputs: Sequence[Any]) -> Callable[..., Any]:
        return self._compile(graph)

    def backward(self, graph: GraphModule, example_inputs: Sequence[Any]) -> Callable[..., Any]:
        return self._compile(graph)

    def inference(self, graph: GraphModule, example_inputs: Sequence[Any]) -> Callable[..., Any]:
        return self._compile(graph)

    def _compile(self, graph: GraphModule) -> Callable[..., Any]:
        call = compile_graph(graph, self._options, Timer())
        call._boxed_call = True  # type: ignore[attr-defined]  # it takes a list and empties it
        return call


def _take_attention_apart(graph: GraphModule) -> None:
    """Replaces attention by plain operators before autograd chooses a fused kernel, which has no decomposition."""
    fused = torch.nn.functional.scaled_dot_product_attention
    for module in graph.modules():
        if isinstance(module, GraphModule):
            for node in module.graph.nodes:
                if node.op == "call_function" and node.target is fused:
                    node.target = attention
            module.recompile()
