"""One model on a simulated wafer, with grid, algorithm and engine of one's choice: `simulate_module`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...compare.reference_check import Inputs, ReferenceCheck, compare, cpu_results, random_arguments
from ...compiler.targets import check_options, find_wafer
from ...dialects.context import COMPILING
from ...frontend.imported import ImportedModel, import_model
from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.pass_manager import run_pipeline
from ...passes.infra.timing import Announce, Timer
from ...wse_target.footprint import phase_sram_bytes
from ...wse_target.image import Program
from ...wse_target.machine import Machine
from ...wse_target.sim.engine import EngineName, ProgressShare
from ...wse_target.sim.report import SimulationReport
from .image_builder import build_image
from .options import is_in_parts
from .parts.lowering import in_parts
from .preparation import compile_preparation
from .simulator_runs import Lowered, SimulatorRun, TraceWindow
from .target import accumulate_pass, lower, printed_bytes, prove, read_constants

MOST_REPETITIONS = 1_000_000  # a steady state is reached long before; every repetition is kept track of


@dataclass(frozen=True)
class Simulated:
    """A simulation's outcome.

    Attributes:
        phase_sram: bytes of SRAM that each phase works on, by its name.
        choices: what the partitioner weighed, see `passes.wafer.explanation`.
        options: grid, algorithm and the like, as they were asked for.
        seconds: wall time by step.
        ir_bytes: of the executable stage as text.
        outputs: @main's results; empty when timing only.
        check: comparison with the CPU; None when timing only, or when it was not asked for.
        trace: in the trace event format, when a window was given.
        regions: where each region is, if there are several; see `LoweredModule`.
        stream: what repetitions tell that follow each other, see `stream_report`; None of a single one.
    """

    report: SimulationReport
    program: Program
    phase_sram: Mapping[str, int]
    choices: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any]
    seconds: Mapping[str, float]
    timing_only: bool
    deadlock: str = ""
    ir_bytes: int = 0
    outputs: Sequence[np.ndarray] = ()
    check: ReferenceCheck | None = None
    trace: dict[str, Any] | None = None
    regions: Sequence[Mapping[str, Any]] = ()
    stream: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """The report as plain data, with what it is a report of; maps are left out, see `report.arrays()`."""
        data = self.report.to_json()
        for phase in data["phases"]:
            phase["sram"] = self.phase_sram.get(phase["name"], 0)
        if self.regions:
            data["regions"] = [dict(region) for region in self.regions]
        if self.stream is not None:
            data["stream"] = self.stream
        return {
            **data,
            "timing_only": self.timing_only,
            "options": {name: value for name, value in self.options.items() if value},
            "check": vars(self.check) if self.check is not None else None,
            "choices": [dict(choice) for choice in self.choices],
            "deadlock": self.deadlock,
            "ir_bytes": self.ir_bytes,
            "seconds_by_step": dict(self.seconds),
        }


def simulate_module(
    model: Any,
    target: str | os.PathLike[str] | Machine = "wse3",
    *,
    example_args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    dynamic_shapes: Any = None,
    timing_only: bool = False,
    repeat: int = 1,
    engine: EngineName = "flow",
    inputs: Inputs = "normal",
    seed: int = 0,
    check: bool = True,
    critical_path: bool = True,
    trace: TraceWindow | None = None,
    step: Announce = lambda text: None,
    progress: ProgressShare | None = None,
    since: str = "",
    **options: Any,
) -> Simulated:
    """Compiles a model for a wafer by the ordinary pipeline and simulates it.

    Args:
        model: as `wse_mlir.import_model` takes it, or what that returned; it is consumed.
        target: a machine's name, the path of its file, or a `Machine`.
        timing_only: no tensor is allocated; the model needs no data.
        repeat: repetitions back to back; the report is about one in the steady state. Results are those of a run of
            its own, since programs may leave their operands elsewhere.
        inputs / seed: how arguments without data are drawn, see `random_arguments`.
        check: compare results with those of the CPU path.
        critical_path: look for it, unless there are more than `MOST_EVENTS` operations on PEs.
        trace: what to record for a trace.
        step / progress: told what is being done, and how much of a simulation is.
        since: the row of the pipeline `wafer` that the model is at; the first one when not given.
        options: those of wafer targets: `grid`, `algorithm`, `accumulate`, `origin`.

    Raises:
        CompilerError: the model, the target or an option is not supported; says what to do.
    """
    _check_repetitions(repeat)
    timer = Timer()
    with timer.scope("import"):
        step("importing")
        model = imported_model(model, example_args, kwargs, dynamic_shapes)
    with timer.scope("compile"):
        step("compiling")
        lowered = lower_for(model, target, options, timing_only=timing_only, since=since)
    run = SimulatorRun(lowered, engine, repeat, critical_path, trace, progress)
    outputs, checked = [], None
    if not timing_only:
        outputs, checked = _with_data(run, inputs, seed, timer, step, check, options)
    report = _for_time(run, timer, step)
    timer.stop()
    seconds = {str(node.name): node.seconds for node in timer.root.children.values()}
    return Simulated(
        report, lowered.program, phase_sram_bytes(lowered.program), lowered.choices, options, seconds,
        timing_only, lowered.deadlock, lowered.ir_bytes, outputs, checked, run.trace, lowered.regions, run.stream,
    )  # fmt: skip


def _check_repetitions(repeat: int) -> None:
    if not 1 <= repeat <= MOST_REPETITIONS:
        raise CompilerError(
            f"a program cannot be repeated {repeat} times", hint=f"give a number from 1 to {MOST_REPETITIONS}"
        )


def imported_model(
    model: Any, example_args: Sequence[Any], kwargs: Mapping[str, Any] | None, dynamic_shapes: Any
) -> ImportedModel:
    if isinstance(model, ImportedModel):
        return model
    return import_model(model, example_args, kwargs, dynamic_shapes=dynamic_shapes)


def _for_time(run: SimulatorRun, timer: Timer, step: Announce) -> SimulationReport:
    """The report of the run with data, or else of one for the time alone."""
    if run.report is None:
        with timer.scope("simulate"):
            step("simulating")
            run.for_time()
    assert run.report is not None, "one of the two has run"
    return run.report


def _with_data(
    run: SimulatorRun,
    inputs: Inputs,
    seed: int,
    timer: Timer,
    step: Announce,
    check: bool,
    options: Mapping[str, Any],
) -> tuple[list[np.ndarray], ReferenceCheck | None]:
    """Results on arguments drawn at random, and how they compare with the CPU's; consumes the module if checked."""
    model = run.lowered.imported
    with timer.scope("draw arguments"):
        step("drawing arguments")
        arguments = random_arguments(model, seed, inputs)
    with timer.scope("simulate with data"):
        step("simulating with data")
        outputs = run.with_data(arguments)
    if not check:
        return outputs, None
    with timer.scope("check"):
        step("computing the reference on the CPU")
        if options.get("accumulate"):
            run_pipeline(model.module, f"builtin.module({accumulate_pass(options['accumulate'])})")
        return outputs, compare(outputs, cpu_results(model, arguments), inputs, seed)


def lower_for(
    imported: ImportedModel,
    target: str | os.PathLike[str] | Machine,
    options: Mapping[str, Any],
    *,
    timing_only: bool,
    since: str = "",
) -> Lowered:
    """A model's program for a wafer; `imported.module` stays as it is.

    Raises:
        CompilerError: the target is no wafer, sizes are left open, or the model cannot be lowered.
    """
    chosen = find_wafer(target)
    check_options(chosen, options)
    check_fixed_sizes(imported)
    with COMPILING:
        if is_in_parts(options) and not since and in_parts(imported, chosen.name, options) is not None:
            raise CompilerError(
                "with these options this model is several parts, and no one program that could be simulated",
                hint="estimate(...) and the report of what compile(...) returns tell its cycles",
            )
        lowered = lower(imported.module, chosen.name, options, since=since)
        module, choices = lowered.module, lowered.choices
        constants = () if timing_only else read_constants(module)
        preparation = None if timing_only else compile_preparation(lowered.preparation, Timer())
        program = build_image(module)
    deadlock = prove(program, chosen.machine)
    return Lowered(
        imported, program, chosen.machine, choices, constants, deadlock, printed_bytes(module), preparation,
        lowered.regions,
    )  # fmt: skip


def check_fixed_sizes(imported: ImportedModel) -> None:
    """Raises `CompilerError` for a model that leaves sizes open, which programs of wafers cannot."""
    for argument in imported.arguments:
        if -1 in argument.shape:
            raise CompilerError(
                f"the size of argument '{argument.name}' is left open, but a wafer's program has fixed sizes",
                hint="give static shapes",
            )
