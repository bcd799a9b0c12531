"""The CPU target: runs the `cpu` pipeline, makes native code of the result, calls it on arrays."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...dialects.host import ir
from ...passes.cpu.processor import Processor, processor
from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.options import print_value
from ...passes.infra.pass_manager import Instrumentation, run_pipeline
from ...passes.infra.timing import Timer
from ..frontend.imported import ImportedModel
from ..frontend.interface import find_main, torch_dtype
from ..named import NamedPipeline, named_pipeline
from ..native.codegen import NativeCode
from .arrays import numpy_dtype, parameters_of
from .cpu_program import ArrayType, CpuExecutable, CpuFunction, CpuProgram, check_runs_here, is_dynamic
from .executable import Executable

__all__ = ["CpuExecutable", "CpuFunction", "CpuProgram", "CpuTarget", "for_processor"]

OPTIONS: Mapping[str, str] = {
    "num_threads": "threads of a call; 1 is the only choice so far",
    "cpu": "LLVM's name of the processor that code is for, such as x86-64-v3; this machine's when not given",
    "features": "LLVM's processor features on top of that, such as '+avx2,-avx512f'",
    "debug": "whether debuggers and profilers find lines of the model in the code",
}
_FOR_A_PROCESSOR = re.compile(r"\b(wse-vectorize|wse-expand-math|wse-expand-half)(\{)?")


class CpuTarget:
    """Native code, for the machine this process runs on unless options say otherwise.

    Args:
        pipeline: from stage `imported` to stage `llvm`; the named pipeline `cpu` unless another is given.
        states_in_place: whether the pipeline writes states into their arguments; if not, they are outputs.
    """

    name = "cpu"
    options: Mapping[str, str] = OPTIONS

    def __init__(self, pipeline: str = "", *, states_in_place: bool = True) -> None:
        self._pipeline = pipeline
        self._states_in_place = states_in_place

    def build(
        self,
        imported: ImportedModel,
        options: Mapping[str, Any],
        timer: Timer,
        instrumentation: Instrumentation | None = None,
    ) -> Executable:
        """Lowers and compiles; see `Target.build`.

        Raises:
            CompilerError: more than one thread is asked for, the processor is not known or this machine cannot run
                its code, or a pass fails.
        """
        check_runs_here(_processor(options))
        program = self.program(imported, options, timer, instrumentation)
        with timer.scope("load"):
            return CpuExecutable(program, parameters_of(imported.interface))

    def program(
        self,
        imported: ImportedModel,
        options: Mapping[str, Any],
        timer: Timer,
        instrumentation: Instrumentation | None = None,
    ) -> CpuProgram:
        """Native code that can be run here or kept; consumes `imported.module`."""
        lowered = self.lower(imported, options, timer, instrumentation)
        with timer.scope("codegen"):
            code = NativeCode(
                imported.module,
                lowered.processor,
                f"'{lowered.entry}'",
                (lowered.entry,),
                debug=bool(options.get("debug")),
            )
            return CpuProgram(code.object(), lowered)

    def lower(
        self,
        imported: ImportedModel,
        options: Mapping[str, Any],
        timer: Timer,
        instrumentation: Instrumentation | None = None,
    ) -> CpuFunction:
        """Brings `imported.module` to the llvm dialect, in place, and tells how its function is called."""
        if options.get("num_threads") not in (None, 1):
            raise CompilerError(
                f"num_threads={options['num_threads']}: the CPU target runs on one thread",
                hint="leave num_threads out, or set it to 1",
            )
        chosen = _processor(options)
        _check_symbols(imported)
        module = imported.module
        main = find_main(module)
        results = _result_types(main)
        pipeline = self._pipeline or _pipeline_for(results, options)
        with module.context:
            main.attributes["llvm.emit_c_interface"] = ir.UnitAttr.get()
        function = CpuFunction(
            main.name.value,
            imported.interface.without_data(),
            tuple(results),
            chosen,
            self._states_in_place,
        )
        with timer.scope("passes"):
            run_pipeline(
                module, pipeline, instrumentation=instrumentation or Instrumentation(verify_each=False)
            )
        return function


def _processor(options: Mapping[str, Any]) -> Processor:
    return processor(options.get("cpu") or "", options.get("features") or "")


def _check_symbols(imported: ImportedModel) -> None:
    """Refuses independent dynamic sizes: torch-mlir confuses them in reshapes, and results are silently wrong."""
    symbols = sorted({s for a in imported.arguments for s in a.symbols if s.isidentifier()})
    if len(symbols) > 1:
        raise CompilerError(
            f"{len(symbols)} sizes are left open independently of each other; only one can be",
            hint="give one Dim in dynamic_shapes (it may be used for several dimensions), fix the others",
        )


def for_processor(pipeline: NamedPipeline, cpu: str, features: str) -> NamedPipeline:
    """A pipeline whose passes make code for a processor; `cpu` and `features` are those of the target's options."""
    given = [
        f"{name}={print_value(value)}" for name, value in (("cpu", cpu), ("features", features)) if value
    ]
    if not given:
        return pipeline

    def with_options(match: re.Match[str]) -> str:
        end = " " if match[2] else "}"
        return f"{match[1]}{{{' '.join(given)}{end}"

    changed = {s.name: _FOR_A_PROCESSOR.sub(with_options, s.passes) for s in pipeline.stages}
    return pipeline.override(**changed)


def _pipeline_for(results: Sequence[ArrayType], options: Mapping[str, Any]) -> str:
    """The pipeline `cpu`, in which outputs are returned when callers cannot know how much to allocate."""
    cpu = for_processor(named_pipeline("cpu"), options.get("cpu") or "", options.get("features") or "")
    if is_dynamic(results):
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
