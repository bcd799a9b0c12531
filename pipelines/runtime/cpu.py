"""The CPU target: runs the `cpu` pipeline, compiles the result in this process, calls it on arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...dialects.host import ir
from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.pass_manager import Instrumentation, run_pipeline
from ...passes.infra.timing import Timer
from ..frontend.imported import ImportedModel
from ..frontend.interface import find_main, torch_dtype
from ..named import named_pipeline
from .arrays import as_array, numpy_dtype
from .executable import Executable
from .jit import JitFunction

ArrayType = tuple[tuple[int, ...], np.dtype]


class CpuTarget:
    """Native code for the machine this process runs on.

    Args:
        pipeline: from stage `imported` to stage `llvm`; the named pipeline `cpu` unless another is given.
        states_in_place: whether the pipeline writes states into their arguments; if not, they are outputs.
    """

    name = "cpu"
    options: Mapping[str, str] = {"num_threads": "threads of a call; 1 is the only choice so far"}

    def __init__(self, pipeline: str = "", *, states_in_place: bool = True) -> None:
        self._pipeline = pipeline
        self._states_in_place = states_in_place

    def build(self, imported: ImportedModel, options: Mapping[str, Any], timer: Timer) -> Executable:
        """Lowers and compiles; see `Target.build`.

        Raises:
            CompilerError: more than one thread is asked for, or a pass fails.
        """
        if options.get("num_threads") not in (None, 1):
            raise CompilerError(
                f"num_threads={options['num_threads']}: the CPU target runs on one thread",
                hint="leave num_threads out, or set it to 1",
            )
        _check_symbols(imported)
        module = imported.module
        main = find_main(module)
        name = main.name.value
        results = _result_types(main)
        pipeline = self._pipeline or _pipeline_for(results)
        with module.context:
            main.attributes["llvm.emit_c_interface"] = ir.UnitAttr.get()
        with timer.scope("passes"):
            run_pipeline(module, pipeline, instrumentation=Instrumentation(verify_each=False))
        with timer.scope("jit"):
            return CpuExecutable(imported, results, name, states_in_place=self._states_in_place)


class CpuExecutable:
    """A jitted `@main(arguments..., outputs...)` whose parameters are bound without a copy.

    States that are written in place are arguments, and not among the outputs. When the size of an output is
    known only at run time, all outputs are returned instead: `@main(arguments...) -> (outputs...)`.
    """

    def __init__(
        self, imported: ImportedModel, types: Sequence[ArrayType], name: str, *, states_in_place: bool = True
    ) -> None:
        arguments, results = imported.arguments, imported.results
        states = {a.name: i for i, a in enumerate(arguments) if a.kind == "state"}
        self._types = [
            None if states_in_place and r.kind == "state" and r.name in states else kind
            for r, kind in zip(results, types, strict=True)
        ]
        self._given = [i for i, a in enumerate(arguments) if a.kind != "parameter"]
        self._state_of = [self._given.index(states[r.name]) if r.name in states else -1 for r in results]
        self._parameters = [i for i, a in enumerate(arguments) if a.kind == "parameter"]
        self._first_output = len(arguments)
        outputs = [(len(shape), dtype) for shape, dtype in filter(None, self._types)]
        self._returns = _is_dynamic(types)
        ranks = [len(a.shape) for a in arguments]
        ranks += [] if self._returns else [rank for rank, _ in outputs]
        returned = outputs if self._returns else []
        self._function = JitFunction(imported.module, name, ranks, returned)
        self.report: dict[str, Any] = {}
        self.bind([as_array(a.tensor) for a in arguments if a.kind == "parameter" and a.tensor is not None])

    def bind(self, parameters: Sequence[np.ndarray]) -> None:
        """Reads the parameters from these arrays from now on; they are not copied."""
        for position, array in zip(self._parameters, parameters, strict=True):
            self._function.bind(position, array)

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Runs once; see `Executable.run`."""
        given = list(zip(self._given, inputs, strict=True))
        if self._returns:
            outputs = self._function(given)
        else:
            outputs = [np.empty(*kind) for kind in self._types if kind is not None]
            self._function([*given, *enumerate(outputs, start=self._first_output)])
        remaining = iter(outputs)
        return [
            inputs[state] if kind is None else next(remaining)
            for kind, state in zip(self._types, self._state_of, strict=True)
        ]


def _check_symbols(imported: ImportedModel) -> None:
    """Refuses independent dynamic sizes: torch-mlir confuses them in reshapes, and results are silently wrong."""
    symbols = sorted({s for a in imported.arguments for s in a.symbols if s.isidentifier()})
    if len(symbols) > 1:
        raise CompilerError(
            f"{len(symbols)} sizes are left open independently of each other; only one can be",
            hint="give one Dim in dynamic_shapes (it may be used for several dimensions), fix the others",
        )


def _is_dynamic(types: Sequence[ArrayType]) -> bool:
    return any(-1 in shape for shape, _ in types)


def _pipeline_for(results: Sequence[ArrayType]) -> str:
    """The pipeline `cpu`, in which outputs are returned when callers cannot know how much to allocate."""
    cpu = named_pipeline("cpu")
    if _is_dynamic(results):
        stages = {stage.name: stage.passes for stage in cpu.stages}
        cpu = cpu.override(
            bufferize=stages["bufferize"].replace("wse-bufferize", "wse-bufferize{results=return}", 1)
        )
    return cpu.text


def _result_types(main: Any) -> list[ArrayType]:
    """Shape, with -1 for sizes that are known only at run time, and element type of each result."""
    types: list[ArrayType] = []
    for position, result in enumerate(main.type.results):
        tensor = ir.RankedTensorType(result)
        dtype = torch_dtype(tensor.element_type)
        array_type = numpy_dtype(dtype) if dtype is not None else None
        if array_type is None:
            raise CompilerError(f"result {position} has elements of type {tensor.element_type}")
        shape = (-1 if tensor.is_dynamic_dim(d) else tensor.get_dim_size(d) for d in range(tensor.rank))
        types.append((tuple(shape), array_type))
    return types
