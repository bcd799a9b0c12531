"""What can be compiled for: the CPU, machines by name or file, and targets that plugins bring."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from importlib.metadata import entry_points
from typing import Any, Protocol

from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.timing import Timer
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

    def build(self, imported: ImportedModel, options: Mapping[str, Any], timer: Timer) -> Executable:
        """Compiles; may consume `imported.module`. Scopes of `timer` become the report's timings.

        Raises:
            CompilerError: the model cannot run on this target.
        """
        ...


def find_target(name: str) -> Target:
    """The target of that name: "cpu", a plugin's, a machine that is shipped, or the path of a machine file.

    Raises:
        CompilerError: there is none; the message lists the names. Or the machine file is broken.
    """
    if name == CPU:
        from .runtime.cpu import CpuTarget

        return CpuTarget()
    for point in entry_points(group="wse_mlir.targets", name=name):
        return point.load()
    from .runtime.wafer import WaferTarget, machine_names

    if name in machine_names() or name.endswith(".toml"):
        return WaferTarget(name)
    known = target_names()
    near = difflib.get_close_matches(name, known, n=1)
    raise CompilerError(
        f"no target is named '{name}'",
        hint=(f"did you mean '{near[0]}'? " if near else "")
        + f"there are {', '.join(known)}, or the path of a machine's .toml file",
    )


def target_names() -> list[str]:
    """The names that `find_target` knows, the CPU first."""
    from .runtime.wafer import machine_names

    plugins = sorted(point.name for point in entry_points(group="wse_mlir.targets"))
    return list(dict.fromkeys([CPU, *machine_names(), *plugins]))


def check_options(target: Target, options: Mapping[str, Any]) -> None:
    """Raises `CompilerError` for an option that the target does not have."""
    for name in options:
        if name not in target.options:
            listed = ", ".join(sorted(target.options)) or "none"
            raise CompilerError(
                f"target '{target.name}' has no option '{name}'", hint=f"its options are: {listed}"
            )
