"""A program loaded into a machine, and its calls."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from ..errors import TargetError
from ..image import HostTransfer, Program
from ..machine import Machine
from ..quasi_affine import NoSuchEntry
from ..scalars import bound, check_value, largest, values_of
from .check import check_program, place_of
from .code import flatten, place
from .cost import TimingModel
from .engine import EngineName, Loaded, ProgressShare, Recorder
from .engines import make_engine
from .host import HostLink
from .host_stream import HostStream
from .kernels import KernelProvider, NumpyKernels
from .memory import Memory
from .report import SimulationResult, StreamedResult
from .summary import summarise


@contextmanager
def _located(program: Program) -> Iterator[None]:
    """Adds to errors of expressions, which know no program, where in it they are."""
    try:
        yield
    except NoSuchEntry as error:
        error.where = error.where or place_of(program, error.lookup)
        raise


class Simulation:
    """A program on a machine. Memory stays between calls, so that parameters and state live on the device.

    Args:
        kernels: arithmetic of the PEs; NumPy when None.
        timing_only: run the same code without data; no memory is allocated and outputs are empty.
        engine: "flow", or "wavelet" for small fabrics.
        recorder / progress: told what happens while a call runs.

    Attributes:
        loaded / engine: what runs, and the engine that holds clocks and accounts of the last call.

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
        progress: ProgressShare | None = None,
    ) -> None:
        check_program(program, machine)
        self.program = program
        self.machine = machine
        self.timing_only = timing_only
        placement = place(*program.grid, program.classes)
        self._memory = Memory(program, placement, allocate=not timing_only)
        self._host = HostLink(program, placement, kernels)
        self._engine_name: EngineName = engine
        self._scalars = largest(program)
        bound_program = bound(program, self._scalars)
        self.loaded = Loaded(
            bound_program, machine, placement, flatten(bound_program),
            None if timing_only else self._memory, kernels or NumpyKernels(), recorder, progress,
        )  # fmt: skip
        with _located(program):
            self.engine = make_engine(engine, self.loaded)
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

    def call(
        self,
        inputs: Sequence[np.ndarray],
        *,
        repeat: int = 1,
        scalars: Mapping[str, int] | None = None,
        leave: Collection[int] = (),
    ) -> SimulationResult:
        """Runs the program once, or several times back to back.

        Args:
            inputs: one array per entry of `call_arguments`; not looked at when timing only.
            repeat: repetitions; the report's `cycles.device` is then that of one in the steady state.
            scalars: when timing only, values of the program's scalars by name; the greatest where none is given.
            leave: positions of results that are left where they are, for `read`; they are no outputs.

        Raises:
            TargetError: wrong inputs, a deadlock, an access outside of its buffer, and the like.
        """
        if self.timing_only:
            for name, value in (scalars or {}).items():
                check_value(self.program, name, value)
            self._bind({**largest(self.program), **(scalars or {})})
        else:
            self._take_inputs(inputs)
        with _located(self.program):
            self.engine.run(repeat)
        outputs = []
        if not self.timing_only:
            outputs = [self.read(i) for i in range(len(self.program.results)) if i not in leave]
        report = summarise(self.loaded, self.engine, self._engine_name, self._host_times)
        return SimulationResult(outputs, report)

    def stream(
        self, inputs: Sequence[Sequence[np.ndarray]], *, leave: Collection[int] = ()
    ) -> StreamedResult:
        """Runs the program once for each of several inputs, which follow each other.

        A PE begins with the next one as soon as it is through with the one before. What the host moves in between takes
        no time here: the report says how long it takes for each input.

        Args:
            inputs: for each repetition one array per entry of `call_arguments`.
            leave: as for `call`.

        Raises:
            TargetError: as `call`, or the program depends on numbers that the host sends.
        """
        if self.program.scalars:
            raise TargetError(
                f"program '{self.program.name}' depends on numbers that the host sends at each call, so that inputs "
                "cannot follow each other"
            )
        self._must_be_loaded()
        given = [self._checked(arrays) for arrays in inputs]
        host = None if self.timing_only else HostStream(self._host, self._memory, given, leave)
        with _located(self.program):
            self.engine.run(len(inputs), host)
        outputs = [[found[i] for i in sorted(found)] for found in host.outputs] if host is not None else []
        specs = [spec for i, spec in enumerate(self.program.results) if i not in leave]
        outputs = [
            [array.reshape(spec.on_host) for array, spec in zip(found, specs, strict=True)]
            for found in outputs
        ]
        report = summarise(self.loaded, self.engine, self._engine_name, self._host_times)
        return StreamedResult(outputs, report, self.engine.clocks)

    def read(self, position: int) -> np.ndarray:
        """A result as the PEs hold it after the last call; of one that is resident, also what was loaded before any."""
        return self._host.gather(position, self._memory)

    def _must_be_loaded(self) -> None:
        if self._missing and not self.timing_only:
            names = ", ".join(f"'{self.program.arguments[i].name}'" for i in sorted(self._missing))
            raise TargetError(f"resident arguments are not loaded: {names}", hint="call load() first")

    def _by_position(self, inputs: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
        if len(inputs) != len(self.call_arguments):
            raise TargetError(
                f"program '{self.program.name}' takes {len(self.call_arguments)} inputs, got {len(inputs)}"
            )
        return dict(zip(self.call_arguments, inputs, strict=True))

    def _checked(self, inputs: Sequence[np.ndarray]) -> dict[int, np.ndarray]:
        """A repetition's arguments as the program declares them; nothing when timing only."""
        if self.timing_only:
            return {}
        given = self._by_position(inputs)
        return {i: self._host.check_array(self.program.arguments[i], array) for i, array in given.items()}

    def _take_inputs(self, inputs: Sequence[np.ndarray]) -> None:
        self._must_be_loaded()
        given = self._by_position(inputs)
        for position, array in given.items():
            self._scatter(position, array, resident=False)
        self._bind(values_of(self.program, given))

    def _bind(self, scalars: Mapping[str, int]) -> None:
        """Makes the engine that of the program for these values of its scalars; memory stays as it is."""
        if scalars == self._scalars:
            return
        program = bound(self.program, scalars)
        self.loaded = replace(self.loaded, program=program, code=flatten(program))
        with _located(self.program):
            self.engine = make_engine(self._engine_name, self.loaded)
        self._scalars = dict(scalars)

    def _scatter(self, position: int, array: np.ndarray, *, resident: bool) -> None:
        array = self._host.check_array(self.program.arguments[position], array)
        for transfer in self.program.scatters:
            if transfer.tensor == position and transfer.resident == resident and not self.timing_only:
                self._host.scatter(transfer, array, self._memory)

    def _host_cycles(self) -> tuple[float, float, float]:
        """Cycles to move arguments in, results out, and resident arguments in at load time."""
        cost, rows = TimingModel(self.machine), self.program.grid[1]

        def total(transfers: Sequence[HostTransfer], *, resident: bool, results: bool) -> float:
            chosen = [t for t in transfers if t.resident == resident]
            return sum(cost.host(self._host.words(t, results), rows, not results) for t in chosen)

        sent = len(self.program.scalars) * cost.host(1, rows, True)
        return (
            sent + total(self.program.scatters, resident=False, results=False),
            total(self.program.gathers, resident=False, results=True),
            total(self.program.scatters, resident=True, results=False),
        )


def simulate(
    program: Program,
    machine: Machine,
    inputs: Sequence[np.ndarray],
    *,
    kernels: KernelProvider | None = None,
    timing_only: bool = False,
    engine: EngineName = "flow",
) -> SimulationResult:
    """Loads a program and calls it once; `inputs` are all its arguments in order, resident ones included.

    Raises:
        TargetError: see `Simulation`.
    """
    simulation = Simulation(program, machine, kernels=kernels, timing_only=timing_only, engine=engine)
    if timing_only:
        return simulation.call([])
    if len(inputs) != len(program.arguments):
        raise TargetError(
            f"program '{program.name}' has {len(program.arguments)} arguments, got {len(inputs)}"
        )
    called = simulation.call_arguments
    simulation.load({i: array for i, array in enumerate(inputs) if i not in called})
    return simulation.call([inputs[i] for i in called])
