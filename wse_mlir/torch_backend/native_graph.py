"""A graph of ATen operators as a function on tensors that runs native code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch.fx import GraphModule

from ..cache.lookup import cached_program
from ..cache.settings import open_cache
from ..frontend.graphs import import_graph
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.timing import Timer
from ..pipelines.named import named_pipeline
from ..runtime.cpu.jit import NativeModule
from ..runtime.cpu.lowering import with_options
from ..runtime.cpu.program import CpuProgram
from ..runtime.cpu.target import CpuTarget
from .boundary import draw_boundary
from .parameters import PreparedParameters
from .wrapper import BoxedCall, write_call


def compile_graph(graph: GraphModule, options: Mapping[str, Any], timer: Timer) -> BoxedCall:
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
    with timer.scope("import"):
        imported = import_graph(inner)
    program, _ = cached_program(open_cache(), _target(options), imported, options, timer)
    assert isinstance(program, CpuProgram), "the target is the CPU"
    constants = [a.tensor.contiguous() for a in imported.arguments if a.tensor is not None]
    with timer.scope("load"):
        function, provisions = program.function, program.function.provisions
        native = NativeModule(program.code, function.entries, f"'{function.entry}'")
        prepared = None
        if provisions.prepare:
            parameters = [x for x in boundary.inputs if x.is_parameter]
            prepared = PreparedParameters(native, provisions, [x.order for x in parameters], constants)
    return write_call(boundary, native, function.entry, constants, prepared, provisions)


def _target(options: Mapping[str, Any]) -> CpuTarget:
    """The CPU target with results that the caller allocates even if their sizes are open: graphs promise them."""
    return CpuTarget(with_options(named_pipeline("cpu"), options).text)
