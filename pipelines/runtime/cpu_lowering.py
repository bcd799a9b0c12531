"""From stage `imported` to the llvm dialect, for the CPU."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from ...dialects.host import ir
from ...passes.cpu.processor import Processor
from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.options import print_value
from ...passes.infra.pass_manager import Instrumentation, run_pipeline
from ...passes.infra.timing import Timer
from ..frontend.imported import ImportedModel
from ..frontend.interface import find_main, torch_dtype
from ..named import NamedPipeline, named_pipeline
from .arrays import numpy_dtype
from .cpu_program import ArrayType, CpuFunction, is_dynamic

_FOR_A_PROCESSOR = re.compile(r"\b(wse-vectorize|wse-expand-math|wse-expand-half)(\{)?")


def lower(
    imported: ImportedModel,
    chosen: Processor,
    pipeline: str,
    states_in_place: bool,
    options: Mapping[str, Any],
    timer: Timer,
    instrumentation: Instrumentation | None = None,
) -> CpuFunction:
    """Brings `imported.module` to the llvm dialect, in place, and tells how its function is called.

    Args:
        pipeline: that is run; the named pipeline `cpu` when empty.
        states_in_place: whether it writes states into their arguments.
    """
    if options.get("num_threads") not in (None, 1):
        raise CompilerError(
            f"num_threads={options['num_threads']}: the CPU target runs on one thread",
            hint="leave num_threads out, or set it to 1",
        )
    _check_symbols(imported)
    module = imported.module
    main = find_main(module)
    results = _result_types(main)
    pipeline = pipeline or _pipeline_for(results, options)
    with module.context:
        main.attributes["llvm.emit_c_interface"] = ir.UnitAttr.get()
    function = CpuFunction(
        main.name.value,
        imported.interface.without_data(),
        tuple(results),
        chosen,
        states_in_place,
    )
    with timer.scope("passes"):
        run_pipeline(module, pipeline, instrumentation=instrumentation or Instrumentation(verify_each=False))
    return function


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
