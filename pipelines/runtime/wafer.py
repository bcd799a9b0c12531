"""The wafer target: runs the `wafer` pipeline, builds the program image, and calls it on the simulator."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...dialects.host import ir
from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.options import print_value
from ...passes.infra.pass_manager import Instrumentation, PipelineFailure, run_pipeline
from ...passes.infra.timing import Timer
from ...passes.wafer.executable import program_of
from ...wse_target.analysis.deadlock import require_free
from ...wse_target.footprint import phase_sram_bytes
from ...wse_target.image import Program
from ...wse_target.machine import Machine, load_machine
from ...wse_target.sim.check import check_program
from ...wse_target.sim.simulation import Simulation
from ..frontend.imported import ImportedModel
from ..named import named_pipeline
from .arrays import as_array
from .image_builder import build_image
from .pe_kernels import NativeKernels

OPTIONS: Mapping[str, str] = {
    "grid": "WIDTHxHEIGHT in PEs; chosen by cost when not given",
    "algorithm": "name{option=value ...} that products or reductions use; chosen by cost when not given",
    "accumulate": "element type that f16 and bf16 products sum in: f16 or f32; as imported when not given",
    "origin": "column and row of the program's first PE, e.g. '2,1'; 0,0 when not given",
}


SRAM_SHARES = (90, 70, 50)  # per cent of the SRAM that a plan may fill with data, tried in this order


def pipeline_text(machine: str, options: Mapping[str, Any], sram_share: int = SRAM_SHARES[0]) -> str:
    """The named pipeline `wafer` for one machine, with the target's options filled in."""
    partition = f"wse-partition{{machine={print_value(machine)} sram-share={sram_share}"
    for name in ("grid", "algorithm"):
        if options.get(name):
            partition += f" {name}={print_value(options[name])}"
    stages = {"partition": partition + "}"}
    if options.get("accumulate"):
        stages["accumulate"] = accumulate_pass(options["accumulate"])
    if options.get("origin"):
        stages["place"] = f"wse-place{{origin={options['origin']}}}"
    return named_pipeline("wafer").override(**stages).text


def accumulate_pass(element_type: str) -> str:
    """The pass that makes products sum in a type, as a pipeline of modules."""
    return f"func.func(wse-accumulate{{type={print_value(element_type)}}})"


def build(
    imported: ImportedModel,
    machine: str,
    options: Mapping[str, Any],
    timer: Timer | None = None,
    instrumentation: Instrumentation | None = None,
) -> WaferExecutable:
    """Compiles a model for a machine; consumes `imported.module`.

    Raises:
        CompilerError: an operation has no lowering, or the model does not fit; says where and what to do.
    """
    timer = timer or Timer()
    description = load_machine(machine)
    with timer.scope("passes"):
        lowered, choices = lower(imported.module, machine, options, instrumentation)
    with timer.scope("image"):
        program = build_image(lowered)
        constants = read_constants(lowered)
    with timer.scope("proof"):
        deadlock = prove(program, description)
    with timer.scope("load"):
        executable = WaferExecutable(imported, program, constants, description)
    executable.facts = {"choices": choices, "deadlock": deadlock}
    return executable


def prove(program: Program, machine: Machine) -> str:
    """Checks a program against a machine before it runs: "free" of deadlock, or "undecided" and why.

    Raises:
        TargetError: the machine cannot run it, or it deadlocks.
    """
    check_program(program, machine)
    verdict = require_free(program, machine)
    return verdict.outcome if verdict.outcome == "free" else f"undecided: {verdict.reason}"


def lower(
    module: ir.Module,
    machine: str,
    options: Mapping[str, Any],
    instrumentation: Instrumentation | None = None,
) -> tuple[ir.Operation, list[dict[str, Any]]]:
    """The executable stage of `module`, and what the partitioner chose among (see `passes.wafer.explanation`).

    Plans again, more thriftily, when code and transfers need more than planned.

    Raises:
        CompilerError: a pass failed; of several plans that do not fit, the first one's message.
    """
    failure: PipelineFailure | None = None
    for share in SRAM_SHARES:
        attempt = module.operation.clone()
        try:
            result = run_pipeline(
                attempt.operation,
                pipeline_text(machine, options, share),
                instrumentation=instrumentation or Instrumentation(verify_each=False),
            )
            weighed = [r for r in result.remarks if r.pass_name == "wse-partition" and r.data]
            return attempt.operation, [
                {"message": r.message, "location": r.location, **r.data} for r in weighed
            ]
        except PipelineFailure as error:
            if failure is None:
                failure = error
            if failure.pass_name != "wse-plan-memory":
                break
    assert failure is not None, "every share either returned or failed"
    raise failure


def read_constants(module: ir.Operation) -> list[np.ndarray]:
    """Dense constants of the model, which are arguments of the program after the model's own."""
    program = program_of(module)
    if "wse.constants" not in program.attributes:
        return []
    with module.context:
        return [_array(value) for value in ir.ArrayAttr(program.attributes["wse.constants"])]


def _array(value: ir.Attribute) -> np.ndarray:
    elements = ir.DenseElementsAttr(value)
    shape = tuple(ir.RankedTensorType(elements.type).shape)
    array = np.array(elements)
    if array.dtype == np.bool_ and array.size != int(np.prod(shape)):
        raise CompilerError("a packed boolean constant cannot be read", hint="make it an input of the model")
    return array.reshape(shape)


class WaferExecutable:
    """A program on the simulator. Parameters and constants are loaded once and stay on the device.

    Attributes:
        program: the image; simulation: the machine that it is loaded on.
        facts: what compiling found out, for the report: "choices" that the partitioner weighed, and the proof about
            "deadlock".
        report: of the last call: `cycles`, `phases`, `sram` and so on, see `SimulationReport`.
    """

    def __init__(
        self, imported: ImportedModel, program: Program, constants: Sequence[np.ndarray], machine: Machine
    ) -> None:
        self.program = program
        self.simulation = Simulation(program, machine, kernels=NativeKernels())
        self._resident = {t.tensor for t in program.scatters if t.resident}
        arguments = imported.arguments
        self._given = [i for i, a in enumerate(arguments) if a.kind != "parameter"]
        self._parameters = [i for i, a in enumerate(arguments) if a.kind == "parameter"]
        self._unused: dict[int, np.ndarray] = {}
        self._phase_sram = phase_sram_bytes(program)
        self.facts: dict[str, Any] = {}
        self.report: dict[str, Any] = {}
        self._load({len(arguments) + i: array for i, array in enumerate(constants)})
        self.bind([as_array(a.tensor) for a in arguments if a.kind == "parameter" and a.tensor is not None])

    def bind(self, parameters: Sequence[np.ndarray]) -> None:
        """Loads the parameters onto the device; later changes of the arrays are not seen."""
        self._load(dict(zip(self._parameters, parameters, strict=True)))

    def _load(self, arrays: Mapping[int, np.ndarray]) -> None:
        self._unused.update({i: a for i, a in arrays.items() if i not in self._resident})
        self.simulation.load({i: a for i, a in arrays.items() if i in self._resident})

    def run(self, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Runs once; see `Executable.run`."""
        given = dict(zip(self._given, inputs, strict=True)) | self._unused
        result = self.simulation.call([given[i] for i in self.simulation.call_arguments])
        self.report = {**result.report.to_json(), **self.facts}
        for phase in self.report["phases"]:
            phase["sram"] = self._phase_sram.get(phase["name"], 0)
        return result.outputs
