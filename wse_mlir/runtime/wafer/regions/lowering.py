"""A model as one program of several regions: each part is lowered on its strip of the wafer, then all are linked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ....dialects.host import func, ir
from ....dialects.wse import read
from ....passes.infra.pass_manager import Instrumentation, run_pipeline
from ....passes.wafer.algorithms.streams import STREAM_IN, STREAM_OUT, stream_numbers
from ....passes.wafer.emit.streams import STREAM_ROWS
from ....passes.wafer.emit.write.program import write_program
from ....passes.wafer.emit.wse_emit_programs import spec_of
from ....passes.wafer.executable import program_of, source_of
from ....passes.wafer.parts.interfaces import STREAM
from ....passes.wafer.parts.outliner import PART
from ....passes.wafer.parts.wse_outline_regions import WORK
from ....passes.wafer.prepare.wse_return_checks import CHECKS
from ....passes.wafer.shard.interface_attributes import argument_attributes, result_attributes
from ....passes.wafer.shard.main_function import find_main
from ....wse_target.image import Program, TensorSpec
from ....wse_target.instructions import Phase, Source, all_instructions
from ....wse_target.linking import Region, link
from ....wse_target.machine import Machine
from ....wse_target.machine_file import load_machine
from ..image_builder import build_image
from ..preparation import as_model
from .equal_regions import EqualRegions, LoweredRegion, LowersRegion
from .report import STREAM_PHASE
from .strips import Strips

CONSTANTS = "wse.constants"
_BUSY = 0.9  # of the most work, from which on a region tells as well which grid is best


@dataclass(frozen=True)
class LinkedModule:
    """A program of several regions at stage `executable`.

    Attributes:
        choices: what the partitioner chose among, in each "region".
        regions: of each the "columns" (the first one and how many), "rows", and "work" in scalar operations.
    """

    module: ir.Operation
    choices: list[dict[str, Any]]
    regions: list[dict[str, Any]]


@dataclass(frozen=True)
class OutlinedRegion:
    """A part of a model that gets a region of its own.

    Attributes:
        module: its function as `@main`.
        takes / makes: which argument, and which results, of the model each of its own is; None and () for streams.
        streams: how many values it takes from its neighbour.
        work: scalar operations, about.
    """

    module: ir.Module
    takes: tuple[int | None, ...]
    makes: tuple[tuple[int, ...], ...]
    streams: int
    work: int


def lower_regions(
    module: ir.Module, machine: str, options: Mapping[str, Any], outline: str, lower_region: LowersRegion
) -> LinkedModule:
    """One program for a module, whose regions lie side by side from west to east; `module` is left alone.

    Args:
        options: `grid` is that of all regions together; when it is not given, the region with the most work gets the
            one that is best for it within its share of the machine's columns, and the others as many of these as their
            work is in proportion.
        outline: a pipeline that makes functions of the parts.

    Raises:
        CompilerError: a part cannot be lowered, or there are fewer columns than regions.
    """
    whole = module.operation.clone()
    run_pipeline(whole, outline, instrumentation=Instrumentation(verify_each=False))
    main = find_main(whole)
    regions = outlined(main)
    lowering = EqualRegions(lower_region)
    strips = _strips(main, regions, options.get("grid", ""), load_machine(machine).grid, lowering)
    linker = _Linker(main, machine)
    rows: Sequence[int] = ()
    for number, (region, width) in enumerate(zip(regions, strips.widths, strict=True)):
        lowered = lowering.lower(_with_streams(region, rows), grid=f"{width}x{strips.height}")
        linker.add(region, lowered, (strips.columns[number], 0))
        attributes = program_of(lowered.module).attributes
        rows = read.integers(attributes[STREAM_ROWS]) if STREAM_ROWS in attributes else ()
    return linker.linked(strips.grid)


def _strips(
    main: Any,
    regions: Sequence[OutlinedRegion],
    grid: str,
    available: tuple[int, int],
    lowering: EqualRegions,
) -> Strips:
    work = [region.work for region in regions]
    if grid:
        return Strips.of_grid(grid, work, available, main)
    busiest = next(region for region in regions if region.work >= _BUSY * max(work))
    widest = Strips.of_grid("{}x{}".format(*available), work, available, main).widths[regions.index(busiest)]
    trial = lowering.lower(
        _with_streams(busiest, [-1] * busiest.streams), within=f"{widest}x{available[1]}"
    ).module
    width, height = read.integers(program_of(trial).attributes["grid"])
    return Strips.around((width, height), work, available, main)


def outlined(main: Any) -> list[OutlinedRegion]:
    """The regions that `@main` calls, from west to east."""
    *calls, terminator = main.body.blocks[0].operations
    functions = {
        f.name.value: f
        for f in main.operation.parent.regions[0].blocks[0].operations
        if isinstance(f, func.FuncOp)
    }
    arguments = {value: number for number, value in enumerate(main.body.blocks[0].arguments)}
    returned = list(terminator.operands)
    found = []
    for call in calls:
        function = functions[ir.FlatSymbolRefAttr(call.attributes["callee"]).value]
        region = as_model(function, main.context, without=(PART, WORK))
        own = find_main(region.module.operation)
        kinds, results = argument_attributes(own, "kind", "input"), result_attributes(own, "kind", "output")
        takes = tuple(
            None if kind == STREAM else arguments[value]
            for value, kind in zip(call.operands, kinds, strict=True)
        )
        makes = tuple(
            () if kind == STREAM else tuple(n for n, other in enumerate(returned) if other == value)
            for value, kind in zip(call.results, results, strict=True)
        )
        work = ir.IntegerAttr(function.attributes[WORK]).value
        found.append(OutlinedRegion(region.module, takes, makes, kinds.count(STREAM), work))
    return found


def _with_streams(region: OutlinedRegion, rows: Sequence[int]) -> ir.Operation:
    """A copy of a region's module in which streams are operations.

    Args:
        rows: for each value that comes in the dimension that rows have blocks of, or -1.
    """
    copy = region.module.operation.clone()
    given = f"{{rows={','.join(map(str, rows))}}}" if rows else ""
    text = f"builtin.module(wse-stream-interface{given})"
    run_pipeline(copy, text, instrumentation=Instrumentation(verify_each=False))
    return copy


class _Linker:
    """Collects the programs of regions, and makes one of them."""

    def __init__(self, main: Any, machine: str) -> None:
        self.main = main
        self.machine = machine
        self.regions: list[Region] = []
        self.work: list[int] = []
        self.constants: list[ir.Attribute] = []
        self.constant_specs: list[TensorSpec] = []
        self.choices: list[dict[str, Any]] = []
        self.locations: dict[Source, ir.Location] = {}

    def add(self, outlined: OutlinedRegion, lowered: LoweredRegion, origin: tuple[int, int]) -> None:
        """The next region to the east."""
        number, program = len(self.regions), build_image(lowered.module)
        written = program_of(lowered.module).attributes
        first = len(self.main.type.inputs) + len(self.constants)
        own = list(ir.ArrayAttr(written[CONSTANTS])) if CONSTANTS in written else []
        self.constants += own
        self.constant_specs += program.arguments[len(outlined.takes) :]
        arguments = (*outlined.takes, *range(first, first + len(own)))
        program = _numbered(program, number, load_machine(self.machine))
        links = {STREAM_IN: f"stream_{number - 1}", STREAM_OUT: f"stream_{number}"}
        phases = _phases(program, number, lowered.phases)
        self.regions.append(
            Region(program, origin, arguments, outlined.makes, links, phases, lowered.sources)
        )
        self.work.append(outlined.work)
        self.choices += ({**choice, "region": number} for choice in lowered.choices)
        self._note_locations(lowered.module)
        self.locations |= lowered.locations

    def linked(self, grid: tuple[int, int]) -> LinkedModule:
        """The program of all regions as a module."""
        specs = ([*self.main.type.inputs], [*self.main.type.results])
        arguments, results = (
            [spec_of(f"{what}{n}", kind) for n, kind in enumerate(kinds)]
            for what, kinds in zip(("argument_", "result_"), specs, strict=True)
        )
        program = link("program", grid, self.regions, [*arguments, *self.constant_specs], results)
        with self.main.context, self.main.location:
            module = ir.Module.create()
            with ir.InsertionPoint(module.body):
                written = write_program(program, self.machine, locations=self.locations)
            if self.constants:
                written.attributes[CONSTANTS] = ir.ArrayAttr.get(self.constants)
            if CHECKS in self.main.attributes:
                written.attributes[CHECKS] = self.main.attributes[CHECKS]
        places = [
            {"columns": [region.rect.x0, region.rect.w], "rows": region.rect.h, "work": work}
            for region, work in zip(self.regions, self.work, strict=True)
        ]
        return LinkedModule(module.operation, self.choices, places)

    def _note_locations(self, lowered: ir.Operation) -> None:
        def note(op: ir.Operation) -> ir.WalkResult:
            self.locations.setdefault(source_of(op), op.location)
            return ir.WalkResult.ADVANCE

        lowered.walk(note)


def _phases(program: Program, number: int, known: Mapping[str, str]) -> dict[str, str]:
    """What the phases of a region are called in the whole: as its layers are, and streams by its number.

    Args:
        known: names of the region that it is the same as -> its own.
    """
    found = {}
    everything = (op for c in program.classes for op in all_instructions(c.body))
    for name in dict.fromkeys(op.name for op in everything if isinstance(op, Phase)):
        begin, mark, again = name.partition(" #")
        own = known.get(begin, begin) + mark + again
        is_stream = begin in (STREAM_IN, STREAM_OUT)
        found[name] = STREAM_PHASE.format(number) + own if is_stream else own
    return found


def _numbered(program: Program, number: int, machine: Machine) -> Program:
    """A region's program with the numbers of its streams' colours changed about in every other region.

    So a stream has one number at both of its ends, and the two of a region have different ones.
    """
    numbers = stream_numbers(machine)
    if number % 2:
        numbers = {STREAM_IN: numbers[STREAM_OUT], STREAM_OUT: numbers[STREAM_IN]}
    changed = {name: numbers.get(name, known) for name, known in program.colours.items()}
    return replace(program, colours=changed)
