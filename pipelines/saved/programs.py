"""Programs of both targets as a record and blocks of bytes, and back, and the check that they can run here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Union

import numpy as np
from pydantic import ValidationError

from ...passes.cpu.instruction_sets import host
from ...passes.cpu.processor import missing_here
from ...passes.infra.diagnostics import CompilerError
from ...wse_target.machine import Machine, load_machine, machine_from
from ...wse_target.machine_file import available_machines
from ..frontend.call_interface import CallInterface
from ..runtime.cpu_program import CpuExecutable, CpuFunction, CpuProgram
from ..runtime.executable import Executable
from .container import Container
from .records import ArrayTypeRecord, CpuRecord, ProcessorRecord, ProvisionsRecord, WaferRecord

if TYPE_CHECKING:
    from ..runtime.wafer_program import WaferProgram

Program = Union[CpuProgram, "WaferProgram"]

_CODE = "code"
_STAGE = "stage"


def store_program(program: Program) -> tuple[CpuRecord | WaferRecord, dict[str, bytes | np.ndarray]]:
    """A program without its interface as a record, and the blocks that belong to it."""
    if not isinstance(program, CpuProgram):
        facts = json.loads(json.dumps(dict(program.facts)))  # tuples become lists, as they will be read
        record = WaferRecord(machine=program.machine.contents, facts=facts)
        return record, {_STAGE: program.stage}
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
    record: CpuRecord | WaferRecord, container: Container, interface: CallInterface
) -> Program:
    """The program that was stored.

    Raises:
        CompilerError: its blocks are missing or no program.
        ValueError: the record contradicts the interface.
    """
    if isinstance(record, WaferRecord):
        from ..runtime.wafer_program import read_program

        machine = _machine(record, container)
        try:
            return read_program(container.bytes(_STAGE), interface, machine, record.facts)
        except CompilerError as error:
            raise container.damaged(error.message) from error
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
    return CpuProgram(container.bytes(_CODE), function)


def load_program(program: Program, parameters: list[np.ndarray]) -> Executable:
    """Makes a program ready to run on these parameters."""
    if isinstance(program, CpuProgram):
        return CpuExecutable(program, parameters)
    from ..runtime.wafer_program import WaferExecutable

    return WaferExecutable(program, parameters)


def check_surroundings(target: str, record: CpuRecord | WaferRecord, container: Container) -> None:
    """Whether a program from elsewhere can run here.

    Raises:
        CompilerError: this machine lacks something, or the wafer of that name is another one here.
    """
    if isinstance(record, WaferRecord):
        _check_machine(target, record.machine, container)
        return
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


def _machine(record: WaferRecord, container: Container) -> Machine:
    try:
        return machine_from(dict(record.machine))
    except ValidationError as error:
        raise container.damaged("the machine in it cannot be read") from error
