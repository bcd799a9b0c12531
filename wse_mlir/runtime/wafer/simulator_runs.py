"""Runs of a program on the simulator: with data or for time, recorded for the critical path and for a trace."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...frontend.imported import ImportedModel
from ...passes.infra.diagnostics import CompilerError
from ...wse_target.image import Program
from ...wse_target.machine import Machine
from ...wse_target.sim.code import place
from ...wse_target.sim.critical_path import find_critical_path
from ...wse_target.sim.engine import EngineName, ProgressShare
from ...wse_target.sim.recording import Recorders, Recording, expected_events
from ...wse_target.sim.report import SimulationReport
from ...wse_target.sim.simulation import Simulation
from ...wse_target.sim.trace import chrome_trace
from ..arrays import as_signed, is_unsigned, numpy_dtype
from ..cpu.program import CpuProgram
from .pe_kernels import NativeKernels
from .preparation import prepare
from .regions.report import stream_report

MOST_EVENTS = 2_000_000  # that the critical path may be made from; each takes 29 bytes
_TOO_LONG = f"not looked for: more than {MOST_EVENTS:,} operations on PEs"


@dataclass(frozen=True)
class TraceWindow:
    """What a trace shows: PEs from (x0, y0) up to but not including (x1, y1), and cycles from begin to end."""

    x: tuple[int, int]
    y: tuple[int, int]
    cycles: tuple[float, float] = (0.0, float("inf"))


@dataclass(frozen=True)
class Lowered:
    """A model as a program for one machine, ready to be simulated any number of times.

    Attributes:
        imported: the model, whose module is still at stage `imported`.
        constants: of the model, loaded like parameters; empty when timing only.
        deadlock: "free", or "undecided" and why.
        ir_bytes: of the executable stage as text.
        preparation: see `WaferProgram`; None when timing only.
        regions: see `LoweredModule`.
    """

    imported: ImportedModel
    program: Program
    machine: Machine
    choices: Sequence[Mapping[str, Any]]
    constants: Sequence[np.ndarray] = ()
    deadlock: str = ""
    ir_bytes: int = 0
    preparation: CpuProgram | None = None
    regions: Sequence[Mapping[str, Any]] = ()


@dataclass
class SimulatorRun:
    """Simulations of one program; `report`, `trace` and `stream` are those of the last one that ran all repetitions."""

    lowered: Lowered
    engine: EngineName
    repeat: int
    critical_path: bool
    window: TraceWindow | None
    progress: ProgressShare | None
    report: SimulationReport | None = None
    trace: dict[str, Any] | None = None
    stream: dict[str, Any] | None = None

    def with_data(self, arguments: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Results of one repetition; its report too, if one is all that is asked for.

        Args:
            arguments: of the model; prepared tensors and the program's constants come after them.
        """
        lowered, recorders = self.lowered, self._recorders() if self.repeat == 1 else {}
        simulation = self._simulation(recorders, timing_only=False)
        kinds = [a.kind for a in lowered.imported.arguments]
        parameters = [a for a, kind in zip(arguments, kinds, strict=True) if kind == "parameter"]
        prepared = prepare(lowered.preparation, parameters)
        everything = [as_signed(array) for array in (*arguments, *prepared, *lowered.constants)]
        resident = {t.tensor for t in lowered.program.scatters if t.resident}
        simulation.load({i: everything[i] for i in resident})
        result = simulation.call([everything[i] for i in simulation.call_arguments])
        if self.repeat == 1:
            self._keep(simulation, result.report, recorders)
        kinds = [numpy_dtype(r.dtype) if is_unsigned(r.dtype) else None for r in lowered.imported.results]
        outputs = result.outputs[: len(kinds)]  # checks come behind
        return [o if kind is None else o.view(kind) for o, kind in zip(outputs, kinds, strict=True)]

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
        if self.repeat > 1:
            self.stream = stream_report(self.lowered.regions, simulation, report)
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


def _chosen(program: Program, window: TraceWindow) -> tuple[np.ndarray, tuple[float, float]]:
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
