"""From stage `imported` to the llvm dialect, for the CPU."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, cast

from ...dialects.host import ir
from ...frontend.imported import ImportedModel
from ...frontend.interface import find_main, torch_dtype
from ...passes.cpu.memory.wse_name_allocations import ALLOCATIONS, NameAllocations
from ...passes.cpu.processor import Processor
from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.pass_base import PassRun
from ...passes.infra.pass_manager import Instrumentation, run_pipeline
from ...passes.infra.timing import Timer
from ...passes.tensor.checks.wse_collect_checks import CHECKS
from ...pipelines.named import NamedPipeline, named_pipeline
from ..arrays import numpy_dtype
from ..checks import Check
from ..index_option import checks_indices
from .program import CpuFunction, is_dynamic
from .provisions import ArrayType, Provisions
from .thread_count import thread_count

_FOR_A_PROCESSOR = frozenset(
    {
        "wse-fold-zero-points", "wse-winograd-convolutions", "wse-pack-weights", "wse-tile-and-fuse", "wse-vectorize",
        "wse-expand-math", "wse-expand-half",
    }
)  # fmt: skip
_FOR_THREADS = frozenset({"wse-vectorize", "wse-parallelize", "wse-tile-and-fuse"})


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
    _check_symbols(imported)
    thread_count(options)  # nonsense is refused whether or not the pipeline has a use for it
    checks_indices(options)
    module = imported.module
    main = find_main(module)
    results = _result_types(main)
    pipeline = pipeline or _pipeline_for(results, options)
    with module.context:
        main.attributes["llvm.emit_c_interface"] = ir.UnitAttr.get()
    entry = main.name.value
    with timer.scope("passes"):
        run_pipeline(module, pipeline, instrumentation=instrumentation or Instrumentation(verify_each=False))
    return CpuFunction(
        entry,
        imported.interface.without_data(),
        tuple(results),
        chosen,
        states_in_place,
        read_provisions(module, entry),
    )


def name_allocations(module: ir.Module, function: CpuFunction) -> CpuFunction:
    """Lets code that this process will run ask it for memory, so that a run for which there is not enough fails."""
    with module.context:
        NameAllocations().run(module.operation, PassRun(NameAllocations.name))
    attributes = module.operation.attributes
    if ALLOCATIONS not in attributes:
        return function
    places = tuple(ir.StringAttr(place).value for place in ir.ArrayAttr(attributes[ALLOCATIONS]))
    return replace(function, provisions=replace(function.provisions, allocations=places))


def read_provisions(module: ir.Module, entry: str) -> Provisions:
    """What the passes made a function take besides its arguments, from its attributes, at any stage; see
    `wse-split-parameters` and `wse-plan-arena`."""
    functions = {
        ir.StringAttr(op.attributes["sym_name"]).value: op.operation
        for op in module.body.operations
        if "sym_name" in op.attributes
    }
    main = functions[entry].attributes
    checks = _checks(main)
    if "wse.prepare" not in main:
        return Provisions(arena_bytes=_arena_bytes(main), checks=checks)
    prepare = ir.FlatSymbolRefAttr(main["wse.prepare"]).value
    kinds = [ir.TypeAttr(kind).value for kind in ir.ArrayAttr(main["wse.prepared"])]
    prepared = tuple(_array_type(kind, f"prepared tensor {k}") for k, kind in enumerate(kinds))
    arenas = (_arena_bytes(main), _arena_bytes(functions[prepare].attributes))
    return Provisions(prepare, prepared, *arenas, checks)


def _checks(attributes: Any) -> tuple[Check, ...]:
    """What a function checks, see `wse-collect-checks`."""
    if CHECKS not in attributes:
        return ()
    entries = [ir.DictAttr(entry) for entry in ir.ArrayAttr(attributes[CHECKS])]
    return tuple(
        Check(
            cast(Any, ir.StringAttr(entry["kind"]).value),
            ir.StringAttr(entry["where"]).value,
            ir.StringAttr(entry["message"]).value,
            ir.IntegerAttr(entry["dimension"]).value,
        )
        for entry in entries
    )


def _arena_bytes(attributes: Any) -> int | None:
    return ir.IntegerAttr(attributes["wse.arena_bytes"]).value if "wse.arena_bytes" in attributes else None


def _check_symbols(imported: ImportedModel) -> None:
    """Refuses independent dynamic sizes: torch-mlir confuses them in reshapes, and results are silently wrong."""
    symbols = sorted({s for a in imported.arguments for s in a.symbols if s.isidentifier()})
    if len(symbols) > 1:
        raise CompilerError(
            f"{len(symbols)} sizes are left open independently of each other; only one can be",
            hint="give one Dim in dynamic_shapes (it may be used for several dimensions), fix the others",
        )


def with_options(pipeline: NamedPipeline, options: Mapping[str, Any]) -> NamedPipeline:
    """The pipeline `cpu`, or one like it, as the target's options ask for it."""
    pipeline = for_processor(
        pipeline, options.get("cpu") or "", options.get("features") or "", thread_count(options)
    )
    if checks_indices(options):
        return pipeline
    return pipeline.given({"wse-collect-checks"}, indices=False)


def for_processor(pipeline: NamedPipeline, cpu: str, features: str, threads: int = 1) -> NamedPipeline:
    """A pipeline whose passes make code for a processor and so many of its threads.

    Args:
        cpu / features: those of the target's options.
    """
    named = {name: value for name, value in (("cpu", cpu), ("features", features)) if value}
    pipeline = pipeline.given(_FOR_A_PROCESSOR, **named)
    return pipeline.given(_FOR_THREADS, threads=threads) if threads > 1 else pipeline


def _pipeline_for(results: Sequence[ArrayType], options: Mapping[str, Any]) -> str:
    """The pipeline `cpu`, in which outputs are returned when callers cannot know how much to allocate."""
    cpu = with_options(named_pipeline("cpu"), options)
    if is_dynamic(results):
        cpu = cpu.given({"wse-bufferize"}, results="return")
    return cpu.text


def _result_types(main: Any) -> list[ArrayType]:
    """Shape, with -1 for sizes that are known only at run time, and element type of each result."""
    return [_array_type(kind, f"result {position}") for position, kind in enumerate(main.type.results)]


def _array_type(kind: ir.Type, what: str) -> ArrayType:
    tensor = ir.RankedTensorType(kind)
    dtype = torch_dtype(tensor.element_type)
    array_type = numpy_dtype(dtype) if dtype is not None else None
    if array_type is None:
        raise CompilerError(f"{what} has elements of type {tensor.element_type}")
    shape = (-1 if tensor.is_dynamic_dim(d) else tensor.get_dim_size(d) for d in range(tensor.rank))
    return tuple(shape), array_type
