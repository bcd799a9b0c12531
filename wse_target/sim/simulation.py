"""A program loaded into a machine, and its calls."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import TargetError
from ..image import HostTransfer, Program
from ..machine import Machine
from .accounting import BINS, WAITS
from .check import check_program, sram_use
from .code import flatten, place
from .cost import CostModel
from .engine import EngineName, Loaded, Progress, Recorder, make_engine
from .host import HostLink
from .kernels import KernelProvider, NumpyKernels
from .memory import Memory
from .report import CycleTotals, PhaseRow, SimulationReport, SimulationResult
from .routing import LINKS, RAMP


class Simulation:
    """A program on a machine. Memory stays between calls, so that parameters and state live on the device.

    Args:
        kernels: arithmetic of the PEs; NumPy when None.
        timing_only: run the same code without data; no memory is allocated and outputs are empty.
        engine: "flow", or "wavelet" for small fabrics.
        recorder / progress: told what happens while a call runs.

    Raises:
        TargetError: the program cannot run on the machine (see `check_program`), or its routes are wrong.
    """

    def __init__(
        self,
        program: Program,
        machine: Machine,
        *,
        kernels: KernelProvider | None = None,
        timing_only: bool = False,
        engine: EngineName = "flow",
        recorder: Recorder | None = None,
        progress: Progress | None = None,
    ) -> None:
        check_program(program, machine)
        self.program = program
        self.machine = machine
        self.timing_only = timing_only
        placement = place(*program.grid, program.classes)
        self._memory = Memory(program, placement, allocate=not timing_only)
        self._host = HostLink(program, placement)
        self._loaded = Loaded(
            program, machine, placement, flatten(program),
            None if timing_only else self._memory, kernels or NumpyKernels(), recorder, progress,
        )  # fmt: skip
        self._engine = make_engine(engine, self._loaded)
        self._host_times = self._host_cycles()
        self._missing = {t.tensor for t in program.scatters if t.resident}

    @property
    def call_arguments(self) -> tuple[int, ...]:
        """Positions of the arguments that each call takes, in order; the others are resident."""
        resident = {t.tensor for t in self.program.scatters if t.resident}
        return tuple(i for i in range(len(self.program.arguments)) if i not in resident)

    def load(self, residents: dict[int, np.ndarray]) -> Simulation:
        """Moves resident arguments, by position, onto the device; returns itself."""
        for position, array in residents.items():
            if not any(t.resident and t.tensor == position for t in self.program.scatters):
                raise TargetError(f"argument {position} of program '{self.program.name}' is not resident")
            self._scatter(position, array, resident=True)
            self._missing.discard(position)
        return self

    def call(self, inputs: Sequence[np.ndarray], *, repeat: int = 1) -> SimulationResult:
        """Runs the program once, or several times back to back.

        Args:
            inputs: one array per entry of `call_arguments`; not looked at when timing only.
            repeat: repetitions; the report's `cycles.device` is then that of one in the steady state.

        Raises:
            TargetError: wrong inputs, a deadlock, an access outside of its buffer, and the like.
        """
        if not self.timing_only:
            self._take_inputs(inputs)
        self._engine.run(repeat)
        outputs = []
        if not self.timing_only:
            outputs = [self._host.gather(i, self._memory) for i in range(len(self.program.results))]
        return SimulationResult(outputs, self._report())

    def _take_inputs(self, inputs: Sequence[np.ndarray]) -> None:
        if self._missing:
            names = ", ".join(f"'{self.program.arguments[i].name}'" for i in sorted(self._missing))
            raise TargetError(f"resident arguments are not loaded: {names}", hint="call load() first")
        if len(inputs) != len(self.call_arguments):
            raise TargetError(
                f"program '{self.program.name}' takes {len(self.call_arguments)} inputs, got {len(inputs)}"
            )
        for position, array in zip(self.call_arguments, inputs, strict=True):
            self._scatter(position, array, resident=False)

    def _scatter(self, position: int, array: np.ndarray, *, resident: bool) -> None:
        array = self._host.check_array(self.program.arguments[position], array)
        for transfer in self.program.scatters:
            if transfer.tensor == position and transfer.resident == resident and not self.timing_only:
                self._host.scatter(transfer, array, self._memory)

    def _host_cycles(self) -> tuple[float, float, float]:
        """Cycles to move arguments in, results out, and resident arguments in at load time."""
        cost, rows = CostModel(self.machine), self.program.grid[1]

        def total(transfers: Sequence[HostTransfer], *, resident: bool, results: bool) -> float:
            chosen = [t for t in transfers if t.resident == resident]
            return sum(cost.host(self._host.words(t, results), rows, not results) for t in chosen)

        return (
            total(self.program.scatters, resident=False, results=False),
            total(self.program.gathers, resident=False, results=True),
            total(self.program.scatters, resident=True, results=False),
        )

    def _report(self) -> SimulationReport:
        program, accounting = self.program, self._engine.accounting
        clocks = self._engine.clocks[-1]
        host_in, host_out, host_load = self._host_times
        cycles = CycleTotals(
            device=_steady(self._engine.clocks),
            makespan=float(clocks.max(initial=0.0)),
            host_io=host_in + host_out,
            host_in=host_in,
            host_out=host_out,
            host_load=host_load,
        )
        between = self._engine.link_words.reshape(-1, LINKS)[:, :RAMP]
        most = int(between.max(initial=0))
        busy = most * self.machine.fabric.cycles_per_wavelet
        return SimulationReport(
            machine=self.machine.name,
            program=program.name,
            grid=program.grid,
            pes=len(clocks),
            clock_ghz=self.machine.clock.ghz,
            cycles=cycles,
            phases=self._phases(),
            sram=sram_use(program, self.machine),
            flops=int(accounting.flops.sum()) // accounting.repetitions,
            bytes_moved=int(between.sum()) * 4,
            link_words=most,
            link_busy=busy / cycles.makespan if cycles.makespan else 0.0,
            per_pe=self._maps(clocks),
        )

    def _phases(self) -> tuple[PhaseRow, ...]:
        accounting, rows = self._engine.accounting, []
        for number, (name, source) in enumerate(self._loaded.code.phases):
            pes = int((accounting.spent[number] > 0).sum()) if number in accounting.spent else 0
            if number == 0 and not pes:
                continue
            sums = {b: float(accounting.per_phase[b][number]) / accounting.repetitions for b in BINS}
            makespan = float(accounting.last[number] - accounting.first[number]) if pes else 0.0
            room = makespan * self._loaded.placement.count
            rows.append(
                PhaseRow(
                    name, source.module_path, source.location, source.operator,
                    **{b: sums[b] / max(pes, 1) for b in BINS},
                    waiting=sum(sums[b] for b in WAITS) / max(pes, 1),
                    makespan=makespan, pes=pes, utilisation=sums["compute"] / room if room else 0.0,
                    flops=int(accounting.phase_flops[number]) // accounting.repetitions,
                )
            )  # fmt: skip
        return tuple(rows)

    def _maps(self, clocks: np.ndarray) -> dict[str, np.ndarray]:
        """Per-PE cycles as [height, width]; 0 where no program is."""
        placement, accounting = self._loaded.placement, self._engine.accounting
        bins = {name: row / accounting.repetitions for name, row in accounting.per_pe.items()}
        maps = {}
        for name, values in (*bins.items(), ("waiting", sum(bins[b] for b in WAITS)), ("total", clocks)):
            grid = np.zeros((placement.height, placement.width))
            grid[placement.y, placement.x] = values
            maps[name] = grid
        return maps


def _steady(clocks: np.ndarray) -> float:
    """Mean over the PEs of one repetition's cycles, the first one left out where there are several."""
    if not clocks.size:
        return 0.0
    if len(clocks) == 1:
        return float(clocks[0].mean())
    return float((clocks[-1] - clocks[0]).mean()) / (len(clocks) - 1)


def simulate(
    program: Program,
    machine: Machine,
    inputs: Sequence[np.ndarray],
    *,
    kernels: KernelProvider | None = None,
    timing_only: bool = False,
) -> SimulationResult:
    """Loads a program and calls it once; `inputs` are all its arguments in order, resident ones included.

    Raises:
        TargetError: see `Simulation`.
    """
    simulation = Simulation(program, machine, kernels=kernels, timing_only=timing_only)
    if timing_only:
        return simulation.call([])
    if len(inputs) != len(program.arguments):
        raise TargetError(
            f"program '{program.name}' has {len(program.arguments)} arguments, got {len(inputs)}"
        )
    called = simulation.call_arguments
    simulation.load({i: array for i, array in enumerate(inputs) if i not in called})
    return simulation.call([inputs[i] for i in called])
