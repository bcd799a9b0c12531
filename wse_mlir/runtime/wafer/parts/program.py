"""A program in parts as data that can be stored, and what runs it."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ....frontend.call_interface import CallInterface
from ....wse_target.machine import Machine
from ...arrays import as_signed
from ...cpu.program import CpuExecutable, CpuProgram
from ..program import ReturnedCheck, WaferExecutable, WaferProgram, raise_failed
from .report import call_report, parts_report


@dataclass(frozen=True)
class PartProgram:
    """One part.

    Attributes:
        name: of its function, "wafer_0" or "cpu_1".
        takes / makes: values by number, in the order of its arguments and results.
        sources: for each result the place in the model that makes it.
    """

    name: str
    program: CpuProgram | WaferProgram
    takes: tuple[int, ...]
    makes: tuple[int, ...]
    sources: tuple[str, ...]

    @property
    def on_wafer(self) -> bool:
        """Whether the wafer runs it."""
        return isinstance(self.program, WaferProgram)

    @property
    def interface(self) -> CallInterface:
        """How it is called."""
        return (
            self.program.interface
            if isinstance(self.program, WaferProgram)
            else self.program.function.interface
        )


@dataclass(frozen=True)
class PartedProgram:
    """Parts that run one after the other. Values have numbers: arguments come first, then what parts make, in order.

    Attributes:
        interface: of the model, without data.
        machine: that the parts for the wafer are for.
        returned: the value that each result is, those of `checks` behind the model's own.
        checks: what results behind the model's own tell of, in order.
        operators: that the CPU runs: "part", "operator", "where" in the model, and the "reason".
    """

    interface: CallInterface
    machine: Machine
    parts: tuple[PartProgram, ...]
    returned: tuple[int, ...]
    checks: tuple[ReturnedCheck, ...] = ()
    operators: tuple[Mapping[str, str], ...] = ()


class PartedExecutable:
    """A program in parts, ready to run: the wafer is simulated, the CPU runs compiled code.

    States stay on the wafer where one part has them to itself, and travel at each call otherwise.
    """

    calls_take_turns = True

    def __init__(self, program: PartedProgram, parameters: Sequence[np.ndarray]) -> None:
        self.program = program
        arguments = program.interface.arguments
        self._given = [i for i, a in enumerate(arguments) if a.kind != "parameter"]
        self._bound = [i for i, a in enumerate(arguments) if a.kind == "parameter"]
        self._parts = [_load(part, self._of(part, parameters)) for part in program.parts]
        self._inputs = [_call_arguments(part) for part in program.parts]
        self._holders = {name: part for part in self._parts for name in part.held_states}
        self.held_states = frozenset(self._holders)
        self._known = parts_report(program.parts, program.operators)
        self.report: dict[str, Any] = dict(self._known)

    def _of(self, part: PartProgram, parameters: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The parameters that a part takes."""
        values = dict(zip(self._bound, parameters, strict=True))
        kinds = zip(part.takes, part.interface.arguments, strict=True)
        return [values[value] for value, argument in kinds if argument.kind == "parameter"]

    def bind(self, parameters: Sequence[np.ndarray]) -> None:
        """See `Executable.bind`."""
        for part, executable in zip(self.program.parts, self._parts, strict=True):
            executable.bind(self._of(part, parameters))

    def direct_call(self, states: Sequence[np.ndarray]) -> None:
        """See `Executable.direct_call`: there is none."""

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Runs the parts in order; see `Executable.run`."""
        values = dict(zip(self._given, map(as_signed, inputs), strict=True))
        reports: list[Mapping[str, Any]] = []
        for part, executable, taken in zip(self.program.parts, self._parts, self._inputs, strict=True):
            started = time.perf_counter()
            made = executable.run([values[value] for value in taken])
            seconds = time.perf_counter() - started
            values.update(zip(part.makes, made, strict=True))
            reports.append(executable.report if part.on_wafer else {**executable.report, "seconds": seconds})
        call = call_report(self.program.parts, self.program.machine, reports)
        self.report = {**self._known, **call}
        results = [values[value] for value in self.program.returned]
        raise_failed(self.program.checks, results)
        return self._apart(results)

    def _apart(self, results: Sequence[np.ndarray]) -> list[np.ndarray]:
        """The model's own results, none of which is an argument's memory or another one's."""
        seen = set(self._given)
        found: list[np.ndarray] = []
        for result, value, array in zip(
            self.program.interface.results, self.program.returned, results, strict=False
        ):
            held = result.kind == "state" and result.name in self.held_states
            found.append(array.copy() if value in seen and not held else array)
            seen.add(value)
        return found

    def read_state(self, name: str) -> np.ndarray:
        """See `Executable.read_state`."""
        return self._holders[name].read_state(name)

    def write_state(self, name: str, value: np.ndarray) -> None:
        """See `Executable.write_state`."""
        self._holders[name].write_state(name, value)


def _load(part: PartProgram, parameters: Sequence[np.ndarray]) -> CpuExecutable | WaferExecutable:
    if isinstance(part.program, WaferProgram):
        return WaferExecutable(part.program, parameters)
    return CpuExecutable(part.program, parameters)


def _call_arguments(part: PartProgram) -> list[int]:
    """The values that a call of a part takes."""
    kinds = zip(part.takes, part.interface.arguments, strict=True)
    return [value for value, argument in kinds if argument.kind != "parameter"]
