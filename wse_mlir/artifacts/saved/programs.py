"""Programs of both targets and in parts as a record and blocks of bytes, and back; the check that they can run here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Union

import numpy as np
from pydantic import ValidationError

from ...frontend.call_interface import CallInterface
from ...passes.cpu.instruction_sets import host
from ...passes.cpu.processor import missing_here
from ...passes.infra.diagnostics import CompilerError
from ...runtime.checks import Check
from ...runtime.cpu.program import CpuExecutable, CpuFunction, CpuProgram
from ...runtime.executable import Executable
from ...wse_target.machine import Machine, machine_from
from ...wse_target.machine_file import available_machines, load_machine
from .container import Container
from .records import (
    ArrayTypeRecord,
    CheckRecord,
    CpuRecord,
    InterfaceRecord,
    PartedRecord,
    PartRecord,
    PreparationRecord,
    ProcessorRecord,
    ProvisionsRecord,
    ReturnedCheckRecord,
    WaferRecord,
)

if TYPE_CHECKING:
    from ...runtime.wafer.parts.program import PartedProgram
    from ...runtime.wafer.program import WaferProgram

SavedProgram = Union[CpuProgram, "WaferProgram", "PartedProgram"]
SavedBlocks = dict[str, bytes | np.ndarray]

_CODE = "code"
_STAGE = "stage"
_PREPARE = "prepare/"


def store_program(program: SavedProgram) -> tuple[CpuRecord | WaferRecord | PartedRecord, SavedBlocks]:
    """A program without its interface as a record, and the blocks that belong to it."""
    if isinstance(program, CpuProgram):
        return _store_code(program)
    from ...runtime.wafer.parts.program import PartedProgram

    return _store_parts(program) if isinstance(program, PartedProgram) else _store_stage(program)


def _store_stage(program: WaferProgram) -> tuple[WaferRecord, SavedBlocks]:
    blocks: SavedBlocks = {_STAGE: program.stage}
    preparation = None
    if program.preparation is not None:
        record, own = _store_code(program.preparation)
        interface = InterfaceRecord.of(program.preparation.function.interface)
        preparation = PreparationRecord(interface=interface, program=record)
        blocks |= {f"{_PREPARE}{name}": block for name, block in own.items()}
    record = WaferRecord(
        machine=program.machine.contents, facts=_plain(program.facts), preparation=preparation
    )
    return record, blocks


def _plain(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Facts with lists for tuples, as they will be read."""
    return json.loads(json.dumps(dict(facts)))


def _store_parts(program: PartedProgram) -> tuple[PartedRecord, SavedBlocks]:
    parts, blocks = [], SavedBlocks()
    for part in program.parts:
        stored = part.program
        record, own = _store_code(stored) if isinstance(stored, CpuProgram) else _store_stage(stored)
        interface = InterfaceRecord.of(part.interface)
        parts.append(
            PartRecord(
                name=part.name,
                interface=interface,
                program=record,
                takes=part.takes,
                makes=part.makes,
                sources=part.sources,
            )
        )
        blocks |= {f"{part.name}/{name}": block for name, block in own.items()}
    checks = tuple(
        ReturnedCheckRecord(check=CheckRecord(**vars(c.check)), size=c.size) for c in program.checks
    )
    record = PartedRecord(
        machine=program.machine.contents,
        parts=tuple(parts),
        returned=program.returned,
        checks=checks,
        operators=tuple(dict(operator) for operator in program.operators),
    )
    return record, blocks


def _store_code(program: CpuProgram) -> tuple[CpuRecord, SavedBlocks]:
    function = program.function
    results = tuple(ArrayTypeRecord(shape=shape, dtype=dtype.name) for shape, dtype in function.results)
    record = CpuRecord(
        entry=function.entry,
        results=results,
        processor=ProcessorRecord.of(function.processor),
        states_in_place=function.states_in_place,
        provisions=ProvisionsRecord.of(function.provisions),
    )
    return record, {_CODE: program.code}


def restore_program(
    record: CpuRecord | WaferRecord | PartedRecord, container: Container, interface: CallInterface
) -> SavedProgram:
    """The program that was stored.

    Raises:
        CompilerError: its blocks are missing or no program.
        ValueError: the record contradicts the interface.
    """
    if isinstance(record, PartedRecord):
        return _restore_parts(record, container, interface)
    return _restore_one(record, container, interface)


def _restore_parts(record: PartedRecord, container: Container, interface: CallInterface) -> PartedProgram:
    from ...runtime.wafer.parts.program import PartedProgram, PartProgram
    from ...runtime.wafer.program import ReturnedCheck

    known, parts = len(interface.arguments), []
    for part in record.parts:
        own = part.interface.interface()
        fits = len(part.takes) == len(own.arguments) and len(part.makes) == len(own.results)
        in_order = all(0 <= value < known for value in part.takes)
        if not fits or not in_order or part.makes != tuple(range(known, known + len(part.makes))):
            raise ValueError("parts take or make other values than there are")
        known += len(part.makes)
        program = _restore_one(part.program, container, own, f"{part.name}/")
        parts.append(PartProgram(part.name, program, part.takes, part.makes, part.sources))
    if len(record.returned) < len(interface.results) or any(not 0 <= v < known for v in record.returned):
        raise ValueError("the number of results is not that of the interface")
    checks = (ReturnedCheck(Check(**c.check.model_dump()), c.size) for c in record.checks)
    machine = _machine(record, container)
    return PartedProgram(
        interface.without_data(), machine, tuple(parts), record.returned, tuple(checks), record.operators
    )


def _restore_one(
    record: CpuRecord | WaferRecord, container: Container, interface: CallInterface, prefix: str = ""
) -> CpuProgram | WaferProgram:
    """A program that is for one target, from blocks whose names begin with `prefix`.

    Raises:
        CompilerError: its blocks are missing or no program.
        ValueError: the record contradicts the interface.
    """
    if isinstance(record, WaferRecord):
        from ...runtime.wafer.program import read_program

        machine = _machine(record, container)
        preparation = _restore_preparation(record, container, prefix)
        try:
            return read_program(
                container.bytes(prefix + _STAGE), interface, machine, record.facts, preparation
            )
        except CompilerError as error:
            raise container.damaged(error.message) from error
    return _restore_code(record, container, interface, prefix)


def _restore_preparation(record: WaferRecord, container: Container, prefix: str) -> CpuProgram | None:
    if record.preparation is None:
        return None
    interface = record.preparation.interface.interface()
    return _restore_code(record.preparation.program, container, interface, prefix + _PREPARE)


def _restore_code(
    record: CpuRecord, container: Container, interface: CallInterface, prefix: str
) -> CpuProgram:
    if len(record.results) != len(interface.results):
        raise ValueError("the number of results is not that of the interface")
    results = tuple(result.array_type() for result in record.results)
    processor = record.processor.processor()
    function = CpuFunction(
        record.entry,
        interface.without_data(),
        results,
        processor,
        record.states_in_place,
        record.provisions.provisions(),
    )
    return CpuProgram(container.bytes(prefix + _CODE), function)


def load_program(program: SavedProgram, parameters: list[np.ndarray]) -> Executable:
    """Makes a program ready to run on these parameters."""
    if isinstance(program, CpuProgram):
        return CpuExecutable(program, parameters)
    from ...runtime.wafer.parts.program import PartedExecutable, PartedProgram
    from ...runtime.wafer.program import WaferExecutable

    if isinstance(program, PartedProgram):
        return PartedExecutable(program, parameters)
    return WaferExecutable(program, parameters)


def check_surroundings(
    target: str, record: CpuRecord | WaferRecord | PartedRecord, container: Container
) -> None:
    """Whether a program from elsewhere can run here.

    Raises:
        CompilerError: this machine lacks something, or the wafer of that name is another one here.
    """
    if isinstance(record, PartedRecord):
        for part in record.parts:
            check_surroundings(target, part.program, container)
        return
    if isinstance(record, WaferRecord):
        _check_machine(target, record.machine, container)
        if record.preparation is not None:
            _check_processor(record.preparation.program, container)
        return
    _check_processor(record, container)


def _check_processor(record: CpuRecord, container: Container) -> None:
    processor = record.processor
    # Asking LLVM what a processor implies takes a while.
    is_this = (processor.cpu, processor.features) == host()
    reason = "" if is_this else missing_here(processor.requires)
    if reason:
        raise CompilerError(
            f"this machine cannot run the code: {reason}",
            where=str(container.path),
            hint="compile the model on this machine, or for both: compile(..., cpu='x86-64-v3')",
        )


def _check_machine(target: str, machine: dict[str, Any], container: Container) -> None:
    if target in available_machines() and load_machine(target).contents != machine:
        raise CompilerError(
            f"this was compiled for the machine '{target}' as its file was then, and it is another one here",
            where=str(container.path),
            hint="compile the model again; a machine of your own is better given by its file's path",
        )


def _machine(record: WaferRecord | PartedRecord, container: Container) -> Machine:
    try:
        return machine_from(dict(record.machine))
    except ValidationError as error:
        raise container.damaged("the machine in it cannot be read") from error
