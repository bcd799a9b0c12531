"""A program for the wafer: the executable stage as bytes that can be stored, and what runs it on the simulator."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np

from ...dialects.context import COMPILING, create_context
from ...dialects.host import ir
from ...dialects.parsing import parsed
from ...frontend.call_interface import CallInterface
from ...passes.infra.diagnostics import CompilerError
from ...passes.wafer.executable import program_of
from ...passes.wafer.prepare.wse_return_checks import CHECKS
from ...wse_target.footprint import phase_sram_bytes
from ...wse_target.image import Program
from ...wse_target.machine import Machine
from ...wse_target.sim.report import SimulationReport
from ...wse_target.sim.simulation import Simulation
from ..arrays import as_signed
from ..checks import Check, CheckFailed
from ..cpu.program import CpuProgram
from .image_builder import build_image
from .pe_kernels import NativeKernels
from .preparation import prepare
from .regions.report import stream_report


@dataclass(frozen=True)
class WaferProgram:
    """A program and how to call it: everything but the parameters, so that it can be stored.

    Attributes:
        stage: the executable stage as MLIR bytecode; the other attributes but the last are read from it.
        interface: of the model, without data.
        machine: that the program is for.
        image: what the simulator runs.
        constants: dense constants of the model, which are arguments of the program after the model's own.
        checks: what results behind the model's own tell of, in order.
        preparation: computes tensors from the parameters when these are bound, arguments behind the model's own;
            constants come after them.
        facts: what compiling found out, for the report: "choices" that the partitioner weighed, and the proof about
            "deadlock", and "ir_bytes" of the executable stage as text.
    """

    stage: bytes
    interface: CallInterface
    machine: Machine
    image: Program
    constants: tuple[np.ndarray, ...]
    facts: Mapping[str, Any] = field(default_factory=dict)
    checks: tuple[ReturnedCheck, ...] = ()
    preparation: CpuProgram | None = None

    @property
    def prepared(self) -> int:
        """How many tensors are prepared."""
        return 0 if self.preparation is None else len(self.preparation.function.results)


def read_program(
    stage: bytes,
    interface: CallInterface,
    machine: Machine,
    facts: Mapping[str, Any],
    preparation: CpuProgram | None = None,
) -> WaferProgram:
    """The program that these bytes are.

    Raises:
        CompilerError: they are no module of the executable stage.
    """
    with COMPILING:
        module = parsed(lambda: ir.Module.parse(stage, create_context()), "the executable stage")
        image, constants = build_image(module.operation), read_constants(module.operation)
        checks = read_checks(module.operation)
    return WaferProgram(
        stage, interface.without_data(), machine, image, tuple(constants), facts, checks, preparation
    )


def stage_bytes(module: ir.Operation) -> bytes:
    """A module as MLIR bytecode."""
    buffer = BytesIO()
    module.write_bytecode(buffer)
    return buffer.getvalue()


def printed_bytes(module: ir.Operation) -> int:
    """The size of a module as text, contents of large constants left out."""
    return len(str(module.get_asm(large_elements_limit=64)))


def read_constants(module: ir.Operation) -> list[np.ndarray]:
    """Dense constants of the model, which are arguments of the program after the model's own."""
    program = program_of(module)
    if "wse.constants" not in program.attributes:
        return []
    with module.context:
        return [_array(value) for value in ir.ArrayAttr(program.attributes["wse.constants"])]


@dataclass(frozen=True)
class ReturnedCheck:
    """A check that a program makes of its data, and the size that its indices have to be below.

    See `wse-return-checks`.
    """

    check: Check
    size: int

    def take(self, results: Iterator[np.ndarray]) -> CheckFailed | None:
        """The exception for the results that it is read from, the next ones; None when all is well."""
        if self.check.kind == "division":
            return self.check.failure(0, 0) if next(results).item() else None
        low, high = next(results).item(), next(results).item()
        index = low if low < 0 else high
        return None if 0 <= index < self.size else self.check.failure(index, self.size)


def raise_failed(checks: Sequence[ReturnedCheck], outputs: Sequence[np.ndarray]) -> None:
    """Raises what the first check found wrong with the data of a call, read from the last results."""
    returned = sum(1 if c.check.kind == "division" else 2 for c in checks)
    results = iter(outputs[len(outputs) - returned :])
    failures = [check.take(results) for check in checks]
    for failure in failures:
        if failure is not None:
            raise failure


def read_checks(module: ir.Operation) -> tuple[ReturnedCheck, ...]:
    """The checks that a module of the executable stage makes."""
    return checks_of(program_of(module))


def checks_of(function: Any) -> tuple[ReturnedCheck, ...]:
    """The checks whose results a function or program returns behind its own."""
    if CHECKS not in function.attributes:
        return ()
    with function.context:
        return tuple(_check(ir.DictAttr(entry)) for entry in ir.ArrayAttr(function.attributes[CHECKS]))


def _check(entry: ir.DictAttr) -> ReturnedCheck:
    kind, where, message = (ir.StringAttr(entry[name]).value for name in ("kind", "where", "message"))
    size, dimension = (ir.IntegerAttr(entry[name]).value for name in ("size", "dimension"))
    known: Any = kind
    return ReturnedCheck(Check(known, where, message, dimension), size)


def _array(value: ir.Attribute) -> np.ndarray:
    elements = ir.DenseElementsAttr(value)
    shape = tuple(ir.RankedTensorType(elements.type).shape)
    array = np.array(elements)
    if array.dtype == np.bool_ and array.size != int(np.prod(shape)):
        raise CompilerError("a packed boolean constant cannot be read", hint="make it an input of the model")
    return array.reshape(shape)


class WaferExecutable:
    """A program on the simulator. Parameters and constants are loaded once and stay on the device, and so do states.

    Attributes:
        program: what runs; simulation: the machine that it is loaded on.
        report: of the last call: `cycles`, `phases`, `sram` and so on, see `SimulationReport`.
    """

    calls_take_turns = True

    def __init__(self, program: WaferProgram, parameters: Sequence[np.ndarray]) -> None:
        self.program = program
        self.simulation = Simulation(program.image, program.machine, kernels=NativeKernels())
        self._resident = {t.tensor for t in program.image.scatters if t.resident}
        arguments = program.interface.arguments
        self._given = [i for i, a in enumerate(arguments) if a.kind != "parameter"]
        self._parameters = [i for i, a in enumerate(arguments) if a.kind == "parameter"]
        self._held = _held_states(program)
        self.held_states = frozenset(self._held)
        self._unused: dict[int, np.ndarray] = {}
        self._phase_sram = phase_sram_bytes(program.image)
        self.report: dict[str, Any] = {}
        self._load(dict(enumerate(program.constants, start=len(arguments) + program.prepared)))
        self.bind(parameters)

    def direct_call(self, states: Sequence[np.ndarray]) -> None:
        """See `Executable.direct_call`: a simulation has no hurry."""

    def bind(self, parameters: Sequence[np.ndarray]) -> None:
        """Loads the parameters onto the device; later changes of the arrays are not seen."""
        prepared = prepare(self.program.preparation, parameters)
        first = len(self.program.interface.arguments)
        self._load(
            dict(zip(self._parameters, parameters, strict=True)) | dict(enumerate(prepared, start=first))
        )

    def _load(self, arrays: Mapping[int, np.ndarray]) -> None:
        arrays = {i: as_signed(array) for i, array in arrays.items()}
        self._unused.update({i: a for i, a in arrays.items() if i not in self._resident})
        self.simulation.load({i: a for i, a in arrays.items() if i in self._resident})

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Runs once; see `Executable.run`."""
        given = dict(zip(self._given, map(as_signed, inputs), strict=True)) | self._unused
        held = {result: argument for argument, result in self._held.values()}
        result = self.simulation.call([given[i] for i in self.simulation.call_arguments], leave=held)
        self.report = self._reported(result.report)  # whole, for threads that read it meanwhile
        raise_failed(self.program.checks, result.outputs)
        outputs, states = iter(result.outputs), dict(zip(self._given, inputs, strict=True))
        count = len(self.program.interface.results)
        return [states[held[i]] if i in held else next(outputs) for i in range(count)]

    def stream(self, inputs: Sequence[Sequence[np.ndarray]]) -> Iterator[list[np.ndarray]]:
        """Runs once for each of several inputs, which follow each other through the program's regions.

        Args:
            inputs: for each run what `run` takes.

        Returns:
            The outputs of each input in order, states left out. One that fails a check raises in its turn.

        Raises:
            CompilerError: a state, or an input that the model changes, travels between the host and the PEs.
        """
        interface = self.program.interface
        travels = [r.name for r in interface.results if r.kind == "state" and r.name not in self._held]
        if travels:
            raise CompilerError(
                f"'{travels[0]}' is changed by the model and does not stay on the PEs: inputs cannot follow each other",
                hint="call the model for each of them",
            )
        held = {result for _, result in self._held.values()}
        given = [dict(zip(self._given, map(as_signed, one), strict=True)) | self._unused for one in inputs]
        called = self.simulation.call_arguments
        result = self.simulation.stream([[one[i] for i in called] for one in given], leave=held)
        entry = stream_report(self.program.facts.get("regions", ()), self.simulation, result.report)
        self.report = {**self._reported(result.report), "stream": entry}
        count = sum(r.kind == "output" for r in interface.results)
        return self._checked(result.outputs, count)

    def _checked(self, found: Sequence[list[np.ndarray]], count: int) -> Iterator[list[np.ndarray]]:
        for outputs in found:
            raise_failed(self.program.checks, outputs)
            yield outputs[:count]

    def _reported(self, report: SimulationReport) -> dict[str, Any]:
        """A simulation's report with what is known of the program."""
        found = {**report.to_json(), **self.program.facts}
        for phase in found["phases"]:
            phase["sram"] = self._phase_sram.get(phase["name"], 0)
        return found

    def read_state(self, name: str) -> np.ndarray:
        """See `Executable.read_state`."""
        return self.simulation.read(self._held[name][1])

    def write_state(self, name: str, value: np.ndarray) -> None:
        """See `Executable.write_state`."""
        self.simulation.load({self._held[name][0]: as_signed(value)})


def _held_states(program: WaferProgram) -> dict[str, tuple[int, int]]:
    """States that stay on the PEs: the argument and the result that each is, by name."""
    results = {r.name: i for i, r in enumerate(program.interface.results) if r.kind == "state"}
    resident = {t.tensor for t in program.image.scatters if t.resident}
    held = {t.tensor for t in program.image.gathers if t.resident}
    return {
        a.name: (i, results[a.name])
        for i, a in enumerate(program.interface.arguments)
        if a.kind == "state" and i in resident and results.get(a.name, -1) in held
    }
