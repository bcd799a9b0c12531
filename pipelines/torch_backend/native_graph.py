"""A graph of ATen operators as a function on tensors that runs native code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch.fx import GraphModule

from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.timing import Timer
from ..cache.lookup import cached_program
from ..cache.settings import open_cache
from ..frontend.graphs import import_graph
from ..named import named_pipeline
from ..runtime.cpu import CpuTarget
from ..runtime.cpu_lowering import for_processor
from ..runtime.cpu_program import CpuProgram
from ..runtime.jit import NativeModule
from .boundary import draw_boundary
from .wrapper import Call, write_call

_ATEN = torch.ops.aten
_RESHAPES = {
    _ATEN.view.default,
    _ATEN._unsafe_view.default,
    _ATEN.reshape.default,
    _ATEN._reshape_alias.default,
}


def compile_graph(graph: GraphModule, options: Mapping[str, Any], timer: Timer) -> Call:
    """Native code of a graph, called with a list of its arguments, which it empties.

    Args:
        graph: of ATen operators on fake tensors; at most one size is open. It is not changed.
        options: of the CPU target.

    Raises:
        CompilerError: an operator is not supported; names it and the user's line.
    """
    with timer.scope("boundary"):
        inner, boundary = draw_boundary(graph)
    if len(boundary.open) > 1:
        raise CompilerError("several sizes are open independently of each other")
    if boundary.lacks_sizes:
        raise CompilerError("sizes are computed from a number that is no dimension of an input")
    if not boundary.buffers:
        return write_call(boundary)
    if _reshapes_open_sizes(graph):
        raise CompilerError("a tensor with several open sizes is given another shape")
    with timer.scope("import"):
        imported = import_graph(inner)
    program, _ = cached_program(open_cache(), _target(options), imported, options, timer)
    assert isinstance(program, CpuProgram), "the target is the CPU"
    with timer.scope("load"):
        function = program.function
        native = NativeModule(program.code, (function.entry,), f"'{function.entry}'")
    constants = [a.tensor.contiguous() for a in imported.arguments if a.tensor is not None]
    return write_call(boundary, native, function.entry, constants)


def _reshapes_open_sizes(graph: GraphModule) -> bool:
    """Whether a tensor with two open sizes or more is reshaped, from or to: torch-mlir may mistake one for another."""
    for node in graph.graph.nodes:
        if node.op == "call_function" and node.target in _RESHAPES:
            for tensor in (node.meta["val"], node.args[0].meta["val"]):
                if sum(not isinstance(size, int) for size in tensor.shape) > 1:
                    return True
    return False


def _target(options: Mapping[str, Any]) -> CpuTarget:
    """The CPU target with results that the caller allocates even if their sizes are open: graphs promise them."""
    cpu = for_processor(named_pipeline("cpu"), options.get("cpu") or "", options.get("features") or "")
    return CpuTarget(cpu.text)
