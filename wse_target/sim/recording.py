"""What PEs did, kept as arrays: the engines' `Recorder` for traces and for the critical path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..footprint import indices_of
from ..image import Program
from ..instructions import (
    Choose,
    Control,
    Instruction,
    Join,
    Loop,
    Phase,
    Receive,
    Relay,
    Send,
    Switch,
    Vector,
)
from .code import Branch, Code, Jump, LoopBegin, LoopEnd
from .engine import Recorder


@dataclass(frozen=True)
class Events:
    """One entry an operation and PE, in the order in which the engine executed them; see `Recorder.record`."""

    pc: np.ndarray
    thread: np.ndarray
    pe: np.ndarray
    begin: np.ndarray
    end: np.ndarray
    cause: np.ndarray

    def __len__(self) -> int:
        return len(self.pc)


class Recording:
    """Keeps events of chosen PEs and cycles, up to a number of them.

    Args:
        most: events to keep; later ones are dropped, and `full` is set.
        pes: [PEs] bool, whose events to keep; everybody's when None.
        cycles: (first, last) time of the window; events that overlap it are kept.
    """

    def __init__(
        self, most: int, pes: np.ndarray | None = None, cycles: tuple[float, float] | None = None
    ) -> None:
        self.most, self.full = most, False
        self._chosen, self._window = pes, cycles
        self._count = 0
        self._parts: list[tuple[np.ndarray, ...]] = []

    def record(
        self, pc: int, thread: int, pes: np.ndarray, begin: np.ndarray, end: np.ndarray, cause: np.ndarray
    ) -> None:
        """See `sim.engine.Recorder`."""
        if self.full:
            return
        keep = self._kept(pes, begin, end)
        columns = [pes, begin, end, cause]
        if keep is not None:
            columns = [column[keep] for column in columns]
        count = len(columns[0])
        if self._count + count > self.most:
            self.full = True
        elif count:
            self._count += count
            constant = np.full(count, pc, np.int32), np.full(count, thread, np.int8)
            types = (np.int32, np.float64, np.float64, np.int32)
            self._parts.append((*constant, *(np.array(c, t) for c, t in zip(columns, types, strict=True))))

    def _kept(self, pes: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray | None:
        keep = None if self._chosen is None else self._chosen[pes]
        if self._window is not None:
            inside = (begin < self._window[1]) & (end > self._window[0])
            keep = inside if keep is None else keep & inside
        return keep

    def clear(self) -> None:
        """Forgets everything, as before a new run."""
        self._parts, self._count, self.full = [], 0, False

    def events(self) -> Events:
        """All that was kept."""
        if not self._parts:
            return Events(*(np.zeros(0, t) for t in (np.int32, np.int8, np.int32, float, float, np.int32)))
        pc, thread, pe, begin, end, cause = (np.concatenate(c) for c in zip(*self._parts, strict=True))
        return Events(pc, thread, pe, begin, end, cause)


class Recorders:
    """Several recorders as one."""

    def __init__(self, recorders: Sequence[Recorder]) -> None:
        self._recorders = recorders

    def record(
        self, pc: int, thread: int, pes: np.ndarray, begin: np.ndarray, end: np.ndarray, cause: np.ndarray
    ) -> None:
        """See `sim.engine.Recorder`."""
        for recorder in self._recorders:
            recorder.record(pc, thread, pes, begin, end, cause)


def expected_events(program: Program) -> int:
    """About how many events a run leaves: operations of every class, loops taken as often as on its first PE."""
    total = 0
    for pe_class in program.classes:
        (x, y), (width, height) = pe_class.where.base, pe_class.where.extent
        total += width * height * _operations(pe_class.body, {"x": x, "y": y})
    return total


def _operations(body: Sequence[Instruction], values: dict[str, int]) -> int:
    count = 0
    for op in body:
        if isinstance(op, Choose):
            selected = int(op.selector.evaluate(values))
            count += 1
            if 0 <= selected < len(op.cases):
                count += _operations(op.cases[selected], values)
        elif isinstance(op, Loop):
            trips = max(int(op.trips.evaluate(values)), 0)
            count += trips * (1 + _operations(op.body, values | {op.variable: 0}))
        else:
            count += not isinstance(op, Phase)
    return count


def operation_name(op: object) -> str:
    """What people call an operation of linear code: "vector fma", "send", "control task", ..."""
    match op:
        case Vector(kind=kind) as vector:
            return f"vector {kind} by index" if indices_of(vector) else f"vector {kind}"
        case Control(unit=unit):
            return f"control {unit}"
        case Send() | Receive() | Relay() | Join() | Switch() | Phase():
            return type(op).__name__.lower()
        case LoopBegin() | LoopEnd():
            return "loop"
        case Branch() | Jump():
            return "choose"
        case _:
            return "end"


def phases_by_counter(code: Code) -> list[int]:
    """For each program counter the number of the phase that stands last before it in its class's text."""
    numbers, current, entries = [], 0, set(code.entry)
    for pc in range(len(code)):
        if pc in entries:
            current = 0
        current = code.phase_of.get(pc, current)
        numbers.append(current)
    return numbers
