"""What can be compiled for: the CPU, and machines by name or by their file."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.timing import Timer
from ..runtime.wafer.options import OPTIONS, is_in_parts
from ..wse_target.machine import Machine, machine_in_memory, target_text, with_settings
from ..wse_target.machine_file import available_machines, load_machine
from ..wse_target.machine_settings import read_setting, split_target

if TYPE_CHECKING:
    from ..artifacts.saved.programs import SavedProgram
    from ..frontend.imported import ImportedModel
    from ..passes.infra.pass_manager import Instrumentation
    from ..runtime.executable import Executable
    from ..runtime.wafer.parts.program import PartedExecutable, PartedProgram
    from ..runtime.wafer.program import WaferExecutable, WaferProgram

CPU = "cpu"


class Target(Protocol):
    """A way to make an imported model run.

    Attributes:
        name: as users write it.
        options: keyword arguments of `compile` that this target takes, each with a sentence that explains it.
    """

    name: str
    options: Mapping[str, str]

    def identity(self, options: Mapping[str, Any]) -> str:
        """Everything about the target and its options that decides which program a model becomes, as text.

        Raises:
            CompilerError: the target cannot run in this process, whatever the model.
        """
        ...

    def program(
        self,
        imported: ImportedModel,
        options: Mapping[str, Any],
        timer: Timer,
        instrumentation: Instrumentation | None = None,
    ) -> SavedProgram:
        """Compiles; may consume `imported.module`. Scopes of `timer` become the report's timings.

        Args:
            instrumentation: what to watch while passes run.

        Raises:
            CompilerError: the model cannot run on this target.
        """
        ...

    def load(self, program: Any, parameters: Sequence[np.ndarray]) -> Executable:
        """Makes a program that `program` returned ready to run."""
        ...


class MachineTarget:
    """A wafer-scale machine, simulated.

    Attributes:
        machine: what its file says.
        options: those of the wafer's lowering.
    """

    def __init__(self, name: str) -> None:
        """Reads the machine called `name`, or the machine file at that path; raises `TargetError`."""
        self.name = name
        self.machine = load_machine(name)
        self.options: Mapping[str, str] = OPTIONS

    def identity(self, options: Mapping[str, Any]) -> str:
        """See `Target.identity`; the machine counts with all that its file says, and the CPU that prepares tensors."""
        from ..runtime.cpu.target import CpuTarget

        known = f"{self.name} {json.dumps(self.machine.contents)} {sorted(options.items())}"
        return f"{known} {CpuTarget().identity({})}"

    def program(
        self,
        imported: ImportedModel,
        options: Mapping[str, Any],
        timer: Timer,
        instrumentation: Instrumentation | None = None,
    ) -> WaferProgram | PartedProgram:
        """Lowers onto the fabric, with `fallback` as far as that can be; see `Target.program`."""
        from ..runtime.wafer.parts.counts import with_enough_programs

        return with_enough_programs(
            options, lambda asked: self._program(imported, asked, timer, instrumentation)
        )

    def _program(
        self,
        imported: ImportedModel,
        options: Mapping[str, Any],
        timer: Timer,
        instrumentation: Instrumentation | None,
    ) -> WaferProgram | PartedProgram:
        """`program` with a number of programs that is known."""
        from ..runtime.wafer.target import compile_program

        if is_in_parts(options):
            from ..runtime.wafer.parts.lowering import compile_parts

            parts = compile_parts(imported, self.name, options, timer, instrumentation)
            if parts is not None:
                return parts
        return compile_program(imported, self.name, options, timer, instrumentation)

    def load(
        self, program: WaferProgram | PartedProgram, parameters: Sequence[np.ndarray]
    ) -> WaferExecutable | PartedExecutable:
        """See `Target.load`."""
        from ..runtime.wafer.parts.program import PartedExecutable, PartedProgram
        from ..runtime.wafer.program import WaferExecutable

        if isinstance(program, PartedProgram):
            return PartedExecutable(program, parameters)
        return WaferExecutable(program, parameters)


def find_target(name: str | os.PathLike[str] | Machine) -> Target:
    """The target of that name: "cpu", a machine that is shipped or that a plugin brings, or a machine file's path.

    A machine may have other numbers than its file, as `wse3{fabric.hop_latency=4}` or as an object.

    Raises:
        CompilerError: there is none; the message lists the names. Or the machine file is broken.
    """
    if isinstance(name, Machine):
        return MachineTarget(target_text(name))
    if not isinstance(name, (str, os.PathLike)):
        raise CompilerError(
            f"a target is a name, a path or a Machine, not an object of type {type(name).__name__}",
            hint=f"names: {', '.join(target_names())}",
        )
    name = os.fspath(name)
    if name == CPU:
        from ..runtime.cpu.target import CpuTarget

        return CpuTarget()
    base, _ = split_target(name)
    if base == CPU:
        raise CompilerError("the CPU is no machine of a file, so none of its numbers can be set")
    if base in available_machines() or base.endswith(".toml") or machine_in_memory(name):
        return MachineTarget(name)
    known = target_names()
    near = difflib.get_close_matches(base, known, n=1)
    raise CompilerError(
        f"no target is named '{base}'",
        hint=(f"did you mean '{near[0]}'? " if near else "")
        + f"there are {', '.join(known)}, or the path of a machine's .toml file",
    )


def find_wafer(name: str | os.PathLike[str] | Machine) -> MachineTarget:
    """The wafer with that name.

    Raises:
        CompilerError: as `find_target`, or the target is no wafer.
    """
    found = find_target(name)
    if not isinstance(found, MachineTarget):
        raise CompilerError(
            f"'{found.name}' is not a wafer", hint="give tiny, wse2, wse3 or a machine's .toml file"
        )
    return found


def target_with(target: str, settings: Sequence[str]) -> str:
    """The text of a target with numbers of its machine replaced.

    Args:
        settings: as on the command line: `fabric.hop_latency=4`.

    Raises:
        CompilerError: the target is no machine, a key is unknown, or a value is none that it can have.
    """
    if not settings:
        return target
    found = find_target(target)
    if not isinstance(found, MachineTarget):
        raise CompilerError(
            f"--set changes a number of a wafer's machine file, and '{target}' is no wafer",
            hint="give --target tiny, wse2, wse3 or a machine's .toml file",
        )
    return target_text(with_settings(found.machine, dict(map(read_setting, settings))))


def target_names() -> list[str]:
    """The names that `find_target` knows, the CPU first."""
    return [CPU, *sorted(available_machines())]


def check_options(target: Target, options: Mapping[str, Any]) -> None:
    """Raises `CompilerError` for an option that the target does not have."""
    for name in options:
        if name not in target.options:
            listed = ", ".join(sorted(target.options)) or "none"
            raise CompilerError(
                f"target '{target.name}' has no option '{name}'", hint=f"its options are: {listed}"
            )
