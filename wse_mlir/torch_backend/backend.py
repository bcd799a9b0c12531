"""The backend that `torch.compile(model, backend="wse_mlir")` finds by its entry point."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch._dynamo.backends.common import aot_autograd
from torch.fx import GraphModule
from torch.nn.attention import SDPBackend, sdpa_kernel

from ..frontend.decompositions import decomposition_table
from ..frontend.margin_losses import own_margin_losses
from .compiler import GraphCompiler
from .forward_backward import cut_forward_backward
from .fused_layers import multi_head_attention, transformer_encoder_layer
from .options import read_options
from .report import LOG
from .strided_views import as_strided_scatter

_DECOMPOSITIONS = {
    torch.ops.aten.as_strided_scatter.default: as_strided_scatter,
    torch.ops.aten._native_multi_head_attention.default: multi_head_attention,
    torch.ops.aten._transformer_encoder_layer_fwd.default: transformer_encoder_layer,
    torch.ops.prims.fma.default: lambda a, b, c: a * b + c,  # what Dynamo makes of `addcdiv_` and the like
}


def wse_mlir(
    graph: GraphModule,
    example_inputs: Sequence[Any],
    *,
    options: Mapping[str, Any] | None = None,
    mode: str | None = None,
) -> Callable[..., Any]:
    """Compiles a graph that TorchDynamo captured for the CPU, forward and backward.

    Args:
        options: `{"fallback": "eager"}` runs in PyTorch what is not supported; all others are the target's.

    Raises:
        CompilerError: an option is unknown, or an operator is not supported; names it and the user's line.
    """
    compiler = GraphCompiler(read_options(options, mode))
    backend = aot_autograd(
        fw_compiler=compiler.forward,
        bw_compiler=compiler.backward,
        inference_compiler=compiler.inference,
        decompositions={**decomposition_table(), **_DECOMPOSITIONS},
        partition_fn=cut_forward_backward,
    )
    with (
        own_margin_losses(),
        sdpa_kernel(SDPBackend.MATH),
    ):  # plain operators: the fused kernels have no decomposition
        return backend(graph, example_inputs)


wse_mlir.reset = LOG.clear  # type: ignore[attr-defined]  # `torch._dynamo.reset()` calls it
