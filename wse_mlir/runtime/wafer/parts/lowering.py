"""A model for a wafer in parts: programs that take turns on it, and what has no lowering to it for the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from ....dialects.host import func, ir
from ....dialects.provenance import describe_location
from ....frontend.call_interface import CallInterface
from ....frontend.imported import ImportedModel
from ....passes.infra.pass_manager import Instrumentation, PassObserver, run_pipeline
from ....passes.infra.timing import Timer
from ....passes.wafer.parts.outliner import PART
from ....passes.wafer.shard.main_function import find_main
from ....wse_target.machine_file import load_machine
from ...cpu.target import CpuTarget
from ..options import falls_back, programs
from ..preparation import as_model
from ..program import ReturnedCheck, checks_of
from ..target import PREPARING, compile_program, pipeline_before
from .counts import cut_into
from .program import PartedProgram, PartProgram

SINCE = PREPARING  # the row of the pipeline that parts begin at


@runtime_checkable
class FollowsParts(Protocol):
    """An observer of passes that has another one for each part of a model."""

    def of_part(self, name: str) -> PassObserver:
        """The observer of a part."""
        ...


@dataclass(frozen=True)
class Outlined:
    """A part as a model of its own.

    Attributes:
        on_wafer: whether it is for the wafer; the CPU's pipeline takes it from the start, the wafer's from `SINCE`.
        takes / makes / sources: see `PartProgram`.
    """

    name: str
    model: ImportedModel
    on_wafer: bool
    takes: tuple[int, ...]
    makes: tuple[int, ...]
    sources: tuple[str, ...]

    @property
    def interface(self) -> CallInterface:
        """How it is called."""
        return self.model.interface


@dataclass(frozen=True)
class InParts:
    """A model in parts; see `PartedProgram`."""

    parts: tuple[Outlined, ...]
    returned: tuple[int, ...]
    checks: tuple[ReturnedCheck, ...]
    operators: tuple[Mapping[str, str], ...]


def in_parts(
    imported: ImportedModel, machine: str, options: Mapping[str, Any], watch: Instrumentation | None = None
) -> InParts | None:
    """The parts of a model, none of which is lowered; None where the wafer can run the whole. `imported` is left alone.

    Raises:
        CompilerError: a pass failed.
    """
    module = imported.module.operation.clone()
    falls, count = str(falls_back(options)).lower(), programs(options) or 1
    outline = f"wse-outline-parts{{fallback={falls} programs={count}}}"
    text = pipeline_before(SINCE, machine, options, outline)
    result = run_pipeline(module.operation, text, instrumentation=watch or Instrumentation(verify_each=False))
    operators = [r for r in result.remarks if r.pass_name == "wse-outline-parts"]
    functions = {
        f.name.value: f for f in module.regions[0].blocks[0].operations if isinstance(f, func.FuncOp)
    }
    if not any(PART in function.attributes for function in functions.values()):
        return None
    main = find_main(module.operation)
    *calls, terminator = main.body.blocks[0].operations
    numbers = {value: number for number, value in enumerate(main.body.blocks[0].arguments)}
    parts: list[Outlined] = []
    for call in calls:
        name = ir.FlatSymbolRefAttr(call.attributes["callee"]).value
        takes = tuple(numbers[value] for value in call.operands)
        makes = tuple(range(len(numbers), len(numbers) + len(call.results)))
        numbers.update(zip(call.results, makes, strict=True))
        parts.append(_outlined(functions[name], takes, makes, imported.context))
    return InParts(
        tuple(parts),
        tuple(numbers[value] for value in terminator.operands),
        checks_of(main),
        tuple(dict(remark.data) for remark in operators),
    )


def _outlined(
    function: func.FuncOp, takes: tuple[int, ...], makes: tuple[int, ...], context: ir.Context
) -> Outlined:
    """A function as the `@main` of a module."""
    model = as_model(function, context, without=(PART,))
    terminator = list(function.regions[0].blocks[0].operations)[-1]
    sources = (
        describe_location(v.owner.location) if not isinstance(v.owner, ir.Block) else ""
        for v in terminator.operands
    )
    side = ir.StringAttr(function.attributes[PART]).value
    return Outlined(function.name.value, model, side == "wafer", takes, makes, tuple(sources))


def instrumentation_of_part(whole: Instrumentation | None, name: str) -> Instrumentation | None:
    """What is watched of the passes that run on a part."""
    if whole is None:
        return None
    own = [o.of_part(name) if isinstance(o, FollowsParts) else o for o in whole.observers]
    return replace(whole, observers=own)


def compile_parts(
    imported: ImportedModel,
    machine: str,
    options: Mapping[str, Any],
    timer: Timer,
    instrumentation: Instrumentation | None = None,
) -> PartedProgram | None:
    """Compiles a model in parts; None where the wafer can run the whole. `imported` is left alone.

    Raises:
        CompilerError: a part cannot be compiled for where it runs; says where and what to do.
    """
    with timer.scope("passes"):
        found = in_parts(imported, machine, options, instrumentation)
    if found is None:
        return None
    parts = []
    count = sum(part.on_wafer for part in found.parts)
    for part in found.parts:
        watch = instrumentation_of_part(instrumentation, part.name)
        if part.on_wafer:
            with cut_into(count, options):
                program = compile_program(part.model, machine, options, timer, watch, since=SINCE)
        else:
            program = CpuTarget().program(part.model, {}, timer, watch)
        parts.append(PartProgram(part.name, program, part.takes, part.makes, part.sources))
    return PartedProgram(
        imported.interface.without_data(),
        load_machine(machine),
        tuple(parts),
        found.returned,
        found.checks,
        found.operators,
    )
