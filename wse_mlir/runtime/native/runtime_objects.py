"""Objects of what compiled code needs while it runs. It is written in LLVM IR, for there need not be a C compiler."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import llvmlite.binding as llvm

from ...passes.cpu.instruction_sets import create_target_machine, run_llvm_passes
from .llvm_text import read_llvm_ir


def object_of(module: llvm.ModuleRef) -> bytes:
    """A position-independent object file of LLVM IR, optimised, for every processor of this architecture."""
    machine = create_target_machine("", "")
    module.triple, module.data_layout = machine.triple, str(machine.target_data)
    run_llvm_passes(module, machine, llvm.create_pipeline_tuning_options(speed_level=2))
    return machine.emit_object(module)


@cache
def allocations_object() -> bytes:
    """The object file of `allocations.ll`; it needs the C library and POSIX threads."""
    text = Path(__file__).with_name("allocations.ll").read_text()
    return object_of(read_llvm_ir(text, "the allocator"))
