"""A graph of ATen operators as a function on tensors that runs on a simulated wafer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.fx import GraphModule

from ..cache.lookup import cached_program
from ..cache.settings import open_cache
from ..compiler.targets import MachineTarget
from ..dialects.fork_lock import ForkLock, LockOrder
from ..frontend.graphs import import_graph
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.timing import Timer
from ..runtime.arrays import as_array, as_tensor
from ..runtime.wafer.parts.program import PartedExecutable, PartedProgram
from ..runtime.wafer.program import WaferExecutable, WaferProgram
from .boundary import Boundary, Input, Output, WrittenTensor, draw_boundary
from .wrapper import BoxedCall, write_call


def compile_graph(
    graph: GraphModule,
    target: MachineTarget,
    options: Mapping[str, Any],
    timer: Timer,
    report: dict[str, Any],
) -> BoxedCall:
    """A graph's program on a wafer, called with a list of its arguments, which it empties.

    Args:
        graph: of ATen operators on fake tensors whose sizes are numbers. It is not changed.
        options: of the target.
        report: receives what the simulator says of each call, in the place of what it said of the one before.

    Raises:
        CompilerError: a size is open, or an operator is not supported; names it and the user's line.
    """
    with timer.scope("boundary"):
        inner, boundary = draw_boundary(graph)
    if boundary.open or boundary.lacks_sizes:
        raise CompilerError("a wafer's program has fixed sizes")
    if not boundary.buffers:
        return write_call(boundary)
    with timer.scope("import"):
        imported = import_graph(inner)
    constants = [as_array(a.tensor) for a in imported.arguments if a.tensor is not None]
    program, _ = cached_program(open_cache(), target, imported, options, timer)
    assert isinstance(program, (WaferProgram, PartedProgram)), "the target is a wafer"
    return _WaferCall(boundary, target, program, constants, report)


class _WaferCall:
    """Calls a program. Parameters stay on the device; they are loaded again when their values have changed."""

    def __init__(
        self,
        boundary: Boundary,
        target: MachineTarget,
        program: WaferProgram | PartedProgram,
        constants: Sequence[np.ndarray],
        report: dict[str, Any],
    ) -> None:
        self._boundary = boundary
        self._target = target
        self._program = program
        self._constants = constants
        self._report = report
        self._executable: WaferExecutable | PartedExecutable | None = None
        self._loaded: list[np.ndarray] = []
        self._turn = ForkLock(LockOrder.CALL, "a call on a simulated wafer")

    def __call__(self, args: list[Any]) -> list[Any]:
        """Runs the graph once; empties the list."""
        boundary = self._boundary
        given = [*(_given(x, args[x.position]) for x in boundary.inputs), *self._constants]
        kinds = [a.kind for a in self._program.interface.arguments]
        parameters = [array for array, kind in zip(given, kinds, strict=True) if kind == "parameter"]
        inputs = [array for array, kind in zip(given, kinds, strict=True) if kind != "parameter"]
        with self._turn:
            executable = self._with(parameters)
            arrays = executable.run(inputs)
            self._report.clear()
            self._report.update(executable.report)
        buffers = [_buffer(b, array) for b, array in zip(boundary.buffers, arrays, strict=True)]
        results = [_output(output, args, buffers) for output in boundary.outputs]
        args.clear()
        return results

    def _with(self, parameters: list[np.ndarray]) -> WaferExecutable | PartedExecutable:
        """The program with these parameters on the device."""
        known = self._loaded
        same = len(known) == len(parameters) and all(map(_are_same, known, parameters))
        if self._executable is None:
            self._executable = self._target.load(self._program, parameters)
        elif not same:
            self._executable.bind(parameters)
        if not same:
            self._loaded = [array.copy() for array in parameters]  # the caller may write its own
        return self._executable


def _are_same(known: np.ndarray, given: np.ndarray) -> bool:
    """Whether arrays are the same bit by bit: NaN is itself, and the zeros differ."""
    before, now = (array.reshape(-1).view(np.uint8) for array in (known, given))
    return np.array_equal(before, now)


def _given(of: Input, value: Any) -> np.ndarray:
    """An argument of the graph in the order in which the program takes it."""
    if of.number is not None:
        return as_array(torch.tensor(value, dtype=of.number))
    return as_array(value if of.order is None else value.permute(of.order))


def _buffer(of: WrittenTensor, array: np.ndarray) -> torch.Tensor:
    """A result of the program with the strides that the graph promises."""
    tensor = as_tensor(array)
    if tensor.dtype != of.dtype:  # unsigned integers, which programs do not tell apart from signed ones
        tensor = tensor.view(of.dtype)
    if of.order is None:
        return torch.empty_strided(of.shape, of.strides, dtype=of.dtype).copy_(tensor)
    return tensor.as_strided(of.shape, of.strides)


def _output(of: Output, args: Sequence[Any], buffers: Sequence[torch.Tensor]) -> Any:
    """An output of the graph."""
    if of.source == "value":
        return of.of
    source = args[of.of] if of.source == "input" else buffers[of.of]
    if of.view is None:
        return source
    shape, strides, offset = of.view
    start = source.storage_offset() + offset if of.source == "input" else offset
    return source.as_strided(shape, strides, start)
