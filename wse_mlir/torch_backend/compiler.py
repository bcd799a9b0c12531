"""Decides for each graph how it runs: as native code, as native code for one size after the other, or in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch._dynamo import convert_frame
from torch._guards import CompileContext
from torch.fx import GraphModule, Node
from torch.utils._python_dispatch import _disable_current_modes

from ..dialects.context import COMPILING
from ..dialects.fork_lock import ForkLock, LockOrder
from ..frontend.provenance import node_provenance
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.timing import Timer
from . import native_graph, wafer_graph
from .layouts import is_open
from .operators import first_line, list_operators
from .options import FALLBACK, BackendOptions
from .parameters import mark_parameters
from .partition import compile_parts
from .report import LOG, GraphKind, GraphReport, add_seconds
from .specialise import Specialising
from .wrapper import BoxedCall

_HINT = f'torch.compile(..., options={{"{FALLBACK}": "eager"}}) runs in PyTorch what is not supported'


CAPTURING = ForkLock(LockOrder.CAPTURE, "in TorchDynamo", convert_frame.compile_lock)
"""TorchDynamo's own lock, which it holds while it captures and this compiles: a fork has to know of it."""


class GraphCompiler:
    """Compiles the graphs that AOTAutograd makes of one captured graph; each gets a report."""

    def __init__(self, options: BackendOptions) -> None:
        self._options = options

    def forward(self, graph: GraphModule, example_inputs: Sequence[Any]) -> Callable[..., Any]:
        """Compiles what computes outputs and what the backward graph needs."""
        return self._compile(graph, "forward")

    def backward(self, graph: GraphModule, example_inputs: Sequence[Any]) -> Callable[..., Any]:
        """Compiles what computes gradients."""
        return self._compile(graph, "backward")

    def inference(self, graph: GraphModule, example_inputs: Sequence[Any]) -> Callable[..., Any]:
        """Compiles a graph that needs no gradients, so that its parameters seldom change."""
        mark_parameters(graph)
        return self._compile(graph, "inference")

    def _compile(self, graph: GraphModule, kind: GraphKind) -> Callable[..., Any]:
        identity = CompileContext.current_compile_id()
        frame, recompilation = (
            str(getattr(identity, "frame_id", "?")),
            getattr(identity, "frame_compile_id", 0),
        )
        report = GraphReport(kind, frame, recompilation or 0, first_line(graph))
        check_devices(graph)
        # AOTAutograd's fake mode is on, which real constants must not meet.
        with _disable_current_modes(), COMPILING:
            call = self._whole_or_specialised(graph, report)
        LOG.add(report)
        call._boxed_call = True  # type: ignore[attr-defined]  # AOTAutograd passes a list, which is emptied
        return call

    def _whole_or_specialised(self, graph: GraphModule, report: GraphReport) -> BoxedCall:
        if not is_open(graph):
            return self._static(graph, report)
        timer = Timer()
        try:
            call = self._one(graph, report, timer)
        except CompilerError as error:
            report.specialised_because = error.message
            return Specialising(graph, lambda static: self._alone(static, report), report.specialisations)
        finally:
            add_seconds(report, timer)
        report.compiled = list_operators(graph.graph)
        return call

    def _alone(self, graph: GraphModule, report: GraphReport) -> BoxedCall:
        """As `_static`, when a call asks for it and other threads may compile."""
        with COMPILING:
            return self._static(graph, report)

    def _static(self, graph: GraphModule, report: GraphReport) -> BoxedCall:
        """Compiles a graph whose sizes are numbers, in parts where that is needed and asked for."""
        timer = Timer()
        try:
            call = self._one(graph, report, timer)
            report.compiled, report.eager = list_operators(graph.graph), []
        except CompilerError as error:
            if not self._options.falls_back:
                error.hint = f"{error.hint}; {_HINT}" if error.hint else _HINT
                raise
            parts = compile_parts(graph, lambda part: self._one(part, report, timer), timer)
            call, report.compiled, report.eager = parts
        finally:
            add_seconds(report, timer)
        return call

    def _one(self, graph: GraphModule, report: GraphReport, timer: Timer) -> BoxedCall:
        """A graph that is compiled as a whole, for the target."""
        options = self._options
        if options.wafer is None:
            return native_graph.compile_graph(graph, options.target, timer)
        return wafer_graph.compile_graph(graph, options.wafer, options.target, timer, report.device)


def check_devices(graph: GraphModule) -> None:
    """Raises `CompilerError` for a graph that reads or makes tensors outside of the CPU's memory."""
    for node in graph.graph.nodes:
        value = node.meta.get("val")
        if isinstance(value, torch.Tensor) and value.device.type != "cpu":
            raise CompilerError(
                f"a tensor is on device '{value.device}', but the backend 'wse_mlir' compiles for the CPU",
                where=_place(node),
                hint='move model and inputs there with .to("cpu")',
            )


def _place(node: Node) -> str:
    """The node's line; a placeholder has that of its first reader."""
    if node.op == "placeholder":
        node = next(iter(node.users), node)
    provenance = node_provenance(node, {})
    return str(provenance) if provenance.is_known else ""
