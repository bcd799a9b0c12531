"""What can be compiled for: the CPU, and machines by name or by their file."""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.timing import Timer
from ..wse_target.machine import load_machine
from ..wse_target.machine_file import available_machines

if TYPE_CHECKING:
    from ..passes.infra.pass_manager import Instrumentation
    from .frontend.imported import ImportedModel
    from .runtime.executable import Executable

CPU = "cpu"


class Target(Protocol):
    """A way to make an imported model run.

    Attributes:
        name: as users write it.
        options: keyword arguments of `compile` that this target takes, each with a sentence that explains it.
    """

    name: str
    options: Mapping[str, str]

    def build(
        self,
        imported: ImportedModel,
        options: Mapping[str, Any],
        timer: Timer,
        instrumentation: Instrumentation | None = None,
    ) -> Executable:
        """Compiles; may consume `imported.module`. Scopes of `timer` become the report's timings.

        Args:
            instrumentation: what to watch while passes run.

        Raises:
            CompilerError: the model cannot run on this target.
        """
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
        from .runtime.wafer import OPTIONS

        self.options: Mapping[str, str] = OPTIONS

    def build(
        self,
        imported: ImportedModel,
        options: Mapping[str, Any],
        timer: Timer,
        instrumentation: Instrumentation | None = None,
    ) -> Executable:
        """Lowers onto the fabric; see `Target.build`."""
        from .runtime.wafer import build

        return build(imported, self.name, options, timer, instrumentation)


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
