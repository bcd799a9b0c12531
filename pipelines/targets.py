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
from ..wse_target.machine import load_machine
from ..wse_target.machine_file import available_machines

if TYPE_CHECKING:
    from ..passes.infra.pass_manager import Instrumentation
    from .frontend.imported import ImportedModel
    from .runtime.executable import Executable
    from .runtime.wafer_program import WaferExecutable, WaferProgram
    from .saved.programs import Program

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
    ) -> Program:
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
        from .runtime.wafer_options import OPTIONS

        self.options: Mapping[str, str] = OPTIONS

    def identity(self, options: Mapping[str, Any]) -> str:
        """See `Target.identity`; the machine counts with all that its file says."""
        return f"{self.name} {json.dumps(self.machine.contents)} {sorted(options.items())}"

    def program(
        self,
        imported: ImportedModel,
        options: Mapping[str, Any],
        timer: Timer,
        instrumentation: Instrumentation | None = None,
    ) -> WaferProgram:
        """Lowers onto the fabric; see `Target.program`."""
        from .runtime.wafer import compile_program

        return compile_program(imported, self.name, options, timer, instrumentation)

    def load(self, program: WaferProgram, parameters: Sequence[np.ndarray]) -> WaferExecutable:
        """See `Target.load`."""
        from .runtime.wafer_program import WaferExecutable

        return WaferExecutable(program, parameters)


def find_target(name: str | os.PathLike[str]) -> Target:
    """The target of that name: "cpu", a machine that is shipped or that a plugin brings, or a machine file's path.

    Raises:
        CompilerError: there is none; the message lists the names. Or the machine file is broken.
    """
    if not isinstance(name, (str, os.PathLike)):
        raise CompilerError(
            f"a target is a name or a path, not a {type(name).__name__}",
            hint=f"names: {', '.join(target_names())}",
        )
    name = os.fspath(name)
    if name == CPU:
        from .runtime.cpu import CpuTarget

        return CpuTarget()
    if name in available_machines() or name.endswith(".toml"):
        return MachineTarget(name)
    known = target_names()
    near = difflib.get_close_matches(name, known, n=1)
    raise CompilerError(
        f"no target is named '{name}'",
        hint=(f"did you mean '{near[0]}'? " if near else "")
        + f"there are {', '.join(known)}, or the path of a machine's .toml file",
    )


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
