"""The backend that `torch.compile(model, backend="wse_mlir")` finds by its entry point."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch._dynamo.backends.common import aot_autograd
from torch.fx import GraphModule

from ..frontend.decompositions import attention, decomposition_table
from .compiler import GraphCompiler
from .forward_backward import cut_forward_backward
from .options import read_options
from .report import LOG
from .strided_views import as_strided_scatter

_SCATTER = torch.ops.aten.as_strided_scatter.default


def wse_mlir(
    graph: GraphModule,
    example_inputs: Sequence[Any],
    *,
    options: Mapping[str, Any] | None = None,
    mode: str | None = None,
) -> Callable[..., Any]:
    """Compiles a graph that TorchDynamo captured for the CPU, forward and backward.

    Args:
        options: `{"fallback": "eager"}` runs in PyTorch what is not supported; all others are the CPU target's.

    Raises:
        CompilerError: an option is unknown, or an operator is not supported; names it and the user's line.
    """
    compiler = GraphCompiler(read_options(options, mode))
    _take_attention_apart(graph)
    backend = aot_autograd(
        fw_compiler=compiler.forward,
        bw_compiler=compiler.backward,
        inference_compiler=compiler.inference,
        decompositions={**decomposition_table(), _SCATTER: as_strided_scatter},
        partition_fn=cut_forward_backward,
    )
    return backend(graph, example_inputs)


wse_mlir.reset = LOG.clear  # type: ignore[attr-defined]  # `torch._dynamo.reset()` calls it


def _take_attention_apart(graph: GraphModule) -> None:
    """Replaces attention by plain operators before autograd chooses a fused kernel, which has no decomposition."""
    fused = torch.nn.functional.scaled_dot_product_attention
    for module in graph.modules():
        if isinstance(module, GraphModule):
            for node in module.graph.nodes:
                if node.op == "call_function" and node.target is fused:
                    node.target = attention
            module.recompile()
