"""One model on a simulated wafer, with grid, algorithm and engine of one's choice: `simulate_module`, `estimate`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.pass_manager import run_pipeline
from ..passes.infra.timing import Timer
from ..wse_target.footprint import phase_sram_bytes
from ..wse_target.image import Program
from ..wse_target.machine import Machine
from ..wse_target.sim.code import place
from ..wse_target.sim.critical_path import find_critical_path
from ..wse_target.sim.engine import EngineName, Progress
from ..wse_target.sim.recording import Recorders, Recording, expected_events
from ..wse_target.sim.report import SimulationReport
from ..wse_target.sim.simulation import Simulation
from ..wse_target.sim.trace import chrome_trace
from .frontend.imported import ImportedModel, import_model
from .reference_check import Check, Inputs, compare, cpu_results, random_arguments
from .runtime.image_builder import build_image
from .runtime.pe_kernels import NativeKernels
from .runtime.wafer import accumulate_pass, lower, read_constants
from .targets import MachineTarget, check_options, find_target

MOST_EVENTS = 2_000_000  # that the critical path may be made from; each takes 29 bytes
_TOO_LONG = f"not looked for: more than {MOST_EVENTS:,} operations on PEs"
Step = Callable[[str], None]


@dataclass(frozen=True)
class Window:
    """What a trace shows: PEs from (x0, y0) up to but not including (x1, y1), and cycles from begin to end."""

    x: tuple[int, int]
    y: tuple[int, int]
    cycles: tuple[float, float] = (0.0, float("inf"))


@dataclass(frozen=True)
class Simulated:
    """A simulation's outcome.

    Attributes:
        phase_sram: bytes of SRAM that each phase works on, by its name.
        choices: what the partitioner weighed, see `passes.wafer.explanation`.
        options: grid, algorithm and the like, as they were asked for.
        seconds: wall time by step.
        outputs: @main's results; empty when timing only.
        check: comparison with the CPU; None when timing only, or when it was not asked for.
        trace: in the trace event format, when a window was given.
    """

    report: SimulationReport
    program: Program
    phase_sram: Mapping[str, int]
    choices: Sequence[Mapping[str, Any]]
    options: Mapping[str, Any]
    seconds: Mapping[str, float]
    timing_only: bool
    outputs: Sequence[np.ndarray] = ()
    check: Check | None = None
    trace: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """The report as plain data, with what it is a report of; maps are left out, see `report.arrays()`."""
        data = self.report.to_json()
        for phase in data["phases"]:
            phase["sram"] = self.phase_sram.get(phase["name"], 0)
        return {
            **data,
            "timing_only": self.timing_only,
            "options": {name: value for name, value in self.options.items() if value},
            "check": vars(self.check) if self.check is not None else None,
            "choices": [dict(choice) for choice in self.choices],
            "seconds_by_step": dict(self.seconds),
        }


@dataclass(frozen=True)
class Lowered:
    """A model as a program for one machine, ready to be simulated any number of times.

    Attributes:
        imported: the model, whose module is still at stage `imported`.
        constants: of the model, loaded like parameters; empty when timing only.
    """

    imported: ImportedModel
    program: Program
    machine: Machine
    choices: Sequence[Mapping[str, Any]]
    constants: Sequence[np.ndarray] = ()


def simulate_module(
    model: Any,
    target: str | os.PathLike[str] = "wse3",
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
    trace: Window | None = None,
    step: Step = lambda text: None,
    progress: Progress | None = None,
    **options: Any,
) -> Simulated:
    """Compiles a model for a wafer by the ordinary pipeline and simulates it.

    Args:
        model: as `wse_mlir.import_model` takes it, or what that returned; it is consumed.
        target: a machine's name, or the path of its file.
        timing_only: no tensor is allocated; the model needs no data.
        repeat: repetitions back to back; the report is about one in the steady state. Results are those of a run of
            its own, since programs may leave their operands elsewhere.
        inputs / seed: how arguments without data are drawn, see `random_arguments`.
        check: compare results with those of the CPU path.
        critical_path: look for it, unless there are more than `MOST_EVENTS` operations on PEs.
        trace: what to record for a trace.
        step / progress: told what is being done, and how much of a simulation is.
        options: those of wafer targets: `grid`, `algorithm`, `accumulate`, `origin`.

    Raises:
        CompilerError: the model, the target or an option is not supported; says what to do.
    """
    if repeat < 1:
        raise CompilerError(f"a program cannot be repeated {repeat} times", hint="give 1 or more")
    timer = Timer()
    with timer.scope("import"):
        step("importing")
        if not isinstance(model, ImportedModel):
            model = import_model(model, example_args, kwargs, dynamic_shapes=dynamic_shapes)
    with timer.scope("compile"):
        step("compiling")
        lowered = lower_for(model, target, options, timing_only=timing_only)
    run = _Run(lowered, engine, repeat, critical_path, trace, progress)
    outputs: list[np.ndarray] = []
    checked = None
    if not timing_only:
        with timer.scope("draw arguments"):
            step("drawing arguments")
            arguments = random_arguments(model, seed, inputs)
        with timer.scope("simulate with data"):
            step("simulating with data")
            outputs = run.with_data(arguments)
        if check:
            with timer.scope("check"):
                step("computing the reference on the CPU")
                if options.get("accumulate"):
                    run_pipeline(model.module, f"builtin.module({accumulate_pass(options['accumulate'])})")
                checked = compare(outputs, cpu_results(model, arguments), inputs, seed)
    if run.report is None:
        with timer.scope("simulate"):
            step("simulating")
            run.for_time()
    assert run.report is not None, "one of the two has run"
    timer.stop()
    seconds = {str(node.name): node.seconds for node in timer.root.children.values()}
    return Simulated(
        run.report, lowered.program, phase_sram_bytes(lowered.program), lowered.choices, options, seconds,
        timing_only, outputs, checked, run.trace,
    )  # fmt: skip


def estimate(
    model: Any,
    example_args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    target: str | os.PathLike[str] = "wse3",
    dynamic_shapes: Any = None,
    **options: Any,
) -> dict[str, Any]:
    """What a call of a model costs on a wafer, from shapes alone: nothing is computed and no data is needed.

    Args:
        model / example_args / kwargs / dynamic_shapes: as `compile` takes them; tensors may be on the meta device.
        target: a machine's name, or the path of its file.
        options: the target's own, such as `grid="32x32"` or `algorithm="mesh_gemm"`, and those of `simulate_module`.

    Returns:
        The report, ready for JSON: as `Compiled.report` after a call, with "critical_path" and "choices" besides.

    Raises:
        CompilerError: the model, the target or an option is not supported; says what to do.
    """
    found = simulate_module(
        model, target, example_args=example_args, kwargs=kwargs, dynamic_shapes=dynamic_shapes,
        timing_only=True, **options,
    )  # fmt: skip
    return found.as_json()


def lower_for(
    imported: ImportedModel,
    target: str | os.PathLike[str],
    options: Mapping[str, Any],
    *,
    timing_only: bool,
) -> Lowered:
    """A model's program for a wafer; `imported.module` stays as it is.

    Raises:
        CompilerError: the target is no wafer, sizes are left open, or the model cannot be lowered.
    """
    chosen = find_target(target)
    if not isinstance(chosen, MachineTarget):
        raise CompilerError(
            f"'{chosen.name}' is not a wafer", hint="give tiny, wse2, wse3 or a machine's .toml file"
        )
    check_options(chosen, options)
    for argument in imported.arguments:
        if -1 in argument.shape:
            raise CompilerError(
                f"the size of argument '{argument.name}' is left open, but a wafer's program has fixed sizes",
                hint="give static shapes",
            )
    module, choices = lower(imported.module, chosen.name, options)
    constants = () if timing_only else read_constants(module)
    return Lowered(imported, build_image(module), chosen.machine, choices, constants)


def _signed(array: np.ndarray) -> np.ndarray:
    """MLIR's i8 has no sign, the simulator's has: the same bytes."""
    return array.view(np.int8) if array.dtype == np.uint8 else array


@dataclass
class _Run:
    """Simulations of one program; `report` and `trace` are those of the last one that ran all repetitions."""

    lowered: Lowered
    engine: EngineName
    repeat: int
    critical_path: bool
    window: Window | None
    progress: Progress | None
    report: SimulationReport | None = None
    trace: dict[str, Any] | None = None

    def with_data(self, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Results of one repetition; its report too, if one is all that is asked for.

        Args:
            arguments: of @main; the program's constants come after them.
        """
        lowered, recorders = self.lowered, self._recorders() if self.repeat == 1 else {}
        simulation = self._simulation(recorders, timing_only=False)
        everything = [_signed(array) for array in (*arguments, *lowered.constants)]
        resident = {t.tensor for t in lowered.program.scatters if t.resident}
        simulation.load({i: everything[i] for i in resident})
        result = simulation.call([everything[i] for i in simulation.call_arguments])
        if self.repeat == 1:
            self._keep(simulation, result.report, recorders)
        unsigned = {i for i, r in enumerate(lowered.imported.results) if r.dtype == torch.uint8}
        return [o.view(np.uint8) if i in unsigned else o for i, o in enumerate(result.outputs)]

    def for_time(self) -> None:
        """Runs all repetitions without data."""
        recorders = self._recorders()
        simulation = self._simulation(recorders, timing_only=True)
        self._keep(simulation, simulation.call([], repeat=self.repeat).report, recorders)

    def _recorders(self) -> dict[str, Recording]:
        # Recording keeps the engine from skipping steps that repeat: not for what would be thrown away in the end.
        found = {"path": Recording(MOST_EVENTS)} if self.critical_path and not self._too_long() else {}
        if self.window is not None:
            found["trace"] = Recording(MOST_EVENTS, *_chosen(self.lowered.program, self.window))
        return found

    def _too_long(self) -> bool:
        return expected_events(self.lowered.program) * self.repeat > MOST_EVENTS

    def _simulation(self, recorders: Mapping[str, Recording], *, timing_only: bool) -> Simulation:
        return Simulation(
            self.lowered.program, self.lowered.machine, engine=self.engine, timing_only=timing_only,
            kernels=NativeKernels(), progress=self.progress,
            recorder=Recorders(list(recorders.values())) if recorders else None,
        )  # fmt: skip

    def _keep(
        self, simulation: Simulation, report: SimulationReport, recorders: Mapping[str, Recording]
    ) -> None:
        code, placement = simulation.loaded.code, simulation.loaded.placement
        if "path" in recorders:
            report = replace(report, **_path_fields(recorders["path"], simulation))
        elif self.critical_path:
            report = replace(report, critical_path_note=_TOO_LONG)
        if "trace" in recorders:
            events = recorders["trace"].events()
            note = f"events after the first {len(events):,} are missing" if recorders["trace"].full else ""
            self.trace = chrome_trace(events, code, placement, note)
        self.report = report


def _path_fields(recording: Recording, simulation: Simulation) -> dict[str, Any]:
    if recording.full:
        return {"critical_path_note": _TOO_LONG}
    loaded = simulation.loaded
    path = find_critical_path(recording.events(), loaded.code, loaded.placement, simulation.engine.clocks)
    return {"critical_path": path, "critical_path_note": "" if path else "nothing was recorded"}


def _chosen(program: Program, window: Window) -> tuple[np.ndarray, tuple[float, float]]:
    """A window's PEs as a mask by PE number, and its cycles.

    Raises:
        CompilerError: no PE of the program is in it.
    """
    placement = place(*program.grid, program.classes)
    inside = (placement.x >= window.x[0]) & (placement.x < window.x[1])
    inside &= (placement.y >= window.y[0]) & (placement.y < window.y[1])
    if not inside.any():
        width, height = program.grid
        raise CompilerError(
            f"no PE of the program is in the traced window: it has {width}x{height}",
            hint=f"choose PEs within 0:{width},0:{height}",
        )
    return inside, window.cycles
