"""The options of `torch.compile(..., backend="wse_mlir", options={...})`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..compiler.targets import MachineTarget, check_options, find_target
from ..compiler.versions import check_versions
from ..passes.infra.diagnostics import CompilerError, shown
from ..runtime.cpu.target import CpuTarget

FALLBACK = "fallback"
TARGET = "target"


@dataclass(frozen=True)
class BackendOptions:
    """What the user asked for.

    Attributes:
        falls_back: operators that are not supported run in PyTorch, instead of being an error.
        target: options of the target.
        wafer: to compile for; None for the CPU.
    """

    falls_back: bool
    target: Mapping[str, Any]
    wafer: MachineTarget | None = None


def read_options(options: Mapping[str, Any] | None, mode: str | None) -> BackendOptions:
    """Checks what `torch.compile` passes on.

    Raises:
        CompilerError: an option or a value is unknown; lists what there is.
    """
    if mode is not None:
        raise CompilerError(
            f"torch.compile(mode={shown(mode)}): this backend has no modes",
            hint=f"options= takes {_listed()}",
        )
    given = dict(options or {})
    fallback = given.pop(FALLBACK, None)
    check_versions()
    target = find_target(given.pop(TARGET, "cpu"))
    is_wafer = isinstance(target, MachineTarget)
    if fallback not in (None, "eager", *(("cpu",) if is_wafer else ())):
        more = ', "cpu" as compiled code what a wafer has no lowering for' if is_wafer else ""
        raise CompilerError(
            f"option '{FALLBACK}' is {shown(fallback)}, which is none of its values",
            hint=f'"eager" runs in PyTorch what is not supported{more}; without the option that is an error',
        )
    if isinstance(target, MachineTarget):
        if fallback == "cpu":
            given[FALLBACK] = fallback
        check_options(target, given)
        return BackendOptions(fallback == "eager", given, target)
    for name in given:
        if name not in CpuTarget.options:
            raise CompilerError(
                f"the torch.compile backend 'wse_mlir' has no option '{name}'", hint=f"there are {_listed()}"
            )
    CpuTarget().identity(given)  # refuses a processor that is not known, or whose code cannot run here
    return BackendOptions(fallback == "eager", given)


def _listed() -> str:
    return ", ".join([FALLBACK, TARGET, *CpuTarget.options])
