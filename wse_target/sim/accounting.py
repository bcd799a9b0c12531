"""Where cycles go: per PE, and per phase of the program."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from ..instructions import Vector
from .code import Code
from .work import WorkingOperation, work_per_element

Bin = Literal["compute", "communication", "wait_words", "wait_places", "wait_join", "wait_switch"]
BINS: tuple[Bin, ...] = (
    "compute", "communication", "wait_words", "wait_places", "wait_join", "wait_switch",
)  # fmt: skip
WAITS: tuple[Bin, ...] = BINS[2:]
PENumbers = np.ndarray | slice | int  # PE numbers, no PE twice; slices are the quick way


@dataclass(frozen=True)
class PhaseSums:
    """What phases have been given at some time: see `Accounting`."""

    sums: np.ndarray
    spent: dict[int, np.ndarray]


class Accounting:
    """Sums of cycles by PE and by phase. What runs on a microthread counts where the main thread waits for it.

    Bins: `wait_words`, for words that have not arrived; `wait_places`, for room further on (back-pressure);
    `wait_join`, for a microthread, at a `Join` or because it still has a transfer; `wait_switch`, for a router's
    setting. A PE's bins add up to its time.

    An engine calls `add` for every operation, `enter` at every `Phase`, and `end` when a PE has ended a repetition.
    Phases are summed up when they are left, so that `add` does no more than add to slices of arrays. Of several
    repetitions the first one is left out; see `repetitions`.

    Args:
        dtypes: element type by buffer.
        repetitions: how often the program is run.

    Attributes:
        totals: [bins + 3, PEs], all that is summed by PE; steps that repeat add a multiple of one step's change.
        per_pe: rows of `totals` by bin.
        flops / sram_bytes: arithmetic operations, and bytes read from and written to memory, by PE.
        repeated: those of the arithmetic operations that other PEs do as well: all but one's share.
        per_phase: cycles [phases] by bin, summed over PEs.
        phase_flops / phase_bytes / phase_repeated: likewise.
        spent: cycles in a phase by PE, for phases that some PE was in.
        first / last: first and last time of each phase on any PE, in the last repetition.
        repetitions: how many the sums stand for.
    """

    def __init__(self, code: Code, pes: int, dtypes: Mapping[str, str], repetitions: int = 1) -> None:
        count = len(code.phases)
        self._dtypes = dtypes
        self._final = repetitions - 1
        self.repetitions = max(1, self._final)
        self.totals = np.zeros((len(BINS) + 3, pes))
        self.per_pe = dict(zip(BINS, self.totals, strict=False))
        self.flops, self.sram_bytes, self.repeated = self.totals[len(BINS) :]
        self._sums = np.zeros((len(BINS) + 3, count))
        self.per_phase = dict(zip(BINS, self._sums, strict=False))
        self.phase_flops, self.phase_bytes, self.phase_repeated = self._sums[len(BINS) :]
        self.spent: dict[int, np.ndarray] = {}
        self.first, self.last = np.full(count, np.inf), np.zeros(count)
        self._before = np.zeros_like(self.totals)
        self._phase, self._repetition = np.zeros(pes, np.int32), np.zeros(pes, np.int32)
        self._since = np.zeros(pes)

    def add(self, pes: PENumbers, **cycles: np.ndarray | float) -> None:
        """Counts cycles by bin that `pes` spent; an amount is one number or [PEs]."""
        at = quick(pes)
        for name, amount in cycles.items():
            self.per_pe[name][at] += amount  # type: ignore[index]

    def add_work(self, pes: PENumbers, op: WorkingOperation, elements: np.ndarray | float) -> None:
        """Counts what `op` does with that many elements: arithmetic, and bytes of SRAM."""
        flops, moved = work_per_element(op, self._dtypes)
        at = quick(pes)
        if flops:
            self.flops[at] += flops * np.asarray(elements, float)
            if isinstance(op, Vector) and op.copies > 1:
                self.repeated[at] += (1 - 1 / op.copies) * flops * np.asarray(elements, float)
        if moved:
            self.sram_bytes[at] += moved * np.asarray(elements, float)

    def enter(self, pes: PENumbers, phase: int, clock: np.ndarray | float) -> None:
        """`pes` begin a phase at their `clock`; what they spent since the last call belongs to the one before."""
        at = quick(pes)
        self._settle(at, clock)
        self._phase[at] = phase

    def end(self, pes: PENumbers, clock: np.ndarray | float) -> None:
        """`pes` are through with a repetition at their `clock`."""
        at = quick(pes)
        self._settle(at, clock)
        self._phase[at] = 0
        if self._final:
            first = self._repetition[at] == 0
            warm = at if np.all(first) else np.arange(len(self._since))[at][first]
            self.totals[:, warm] = 0.0
            self._before[:, warm] = 0.0
        self._repetition[at] += 1

    def phases_until(self, clock: np.ndarray) -> PhaseSums:
        """What all phases have been given up to now, PEs being at these clocks in the middle of theirs."""
        self._settle(slice(0, len(self._since)), clock)
        return PhaseSums(self._sums.copy(), {phase: spent.copy() for phase, spent in self.spent.items()})

    def repeat(self, times: int, first: PhaseSums, last: PhaseSums, cycles: np.ndarray) -> None:
        """Phases get as often again what came between two sums; `cycles` pass on each PE, `totals` being counted."""
        self._sums += times * (last.sums - first.sums)
        for phase, spent in last.spent.items():
            self.spent[phase] += times * (spent - first.spent.get(phase, np.zeros_like(spent)))
        self._before[:] = self.totals
        self._since += cycles

    def later(self, phases: np.ndarray, cycles: float) -> None:
        """Phases (a mask) end so many cycles later, in trips that are not run."""
        self.last[phases] += cycles

    def _settle(self, at: PENumbers, clock: np.ndarray | float) -> None:
        """Adds what PEs spent since they entered their phase to that phase."""
        if isinstance(at, int):
            at = slice(at, at + 1)
        phase, repetition = self._phase[at], self._repetition[at]
        if not len(phase):
            return
        if (phase == phase[0]).all() and (repetition == repetition[0]).all():
            self._settle_alike(at, int(phase[0]), int(repetition[0]), clock)
            return
        pes, clock = np.arange(len(self._phase))[at], np.broadcast_to(clock, phase.shape)
        keys, which = np.unique(np.stack([phase, repetition]), axis=1, return_inverse=True)
        for index, key in enumerate(keys.T):
            rows = np.flatnonzero(which.reshape(-1) == index)
            self._settle_alike(pes[rows], int(key[0]), int(key[1]), clock[rows])

    def _settle_alike(
        self, at: np.ndarray | slice, phase: int, repetition: int, clock: np.ndarray | float
    ) -> None:
        change = self.totals[:, at] - self._before[:, at]
        self._before[:, at] = self.totals[:, at]
        since = self._since[at].copy()
        self._since[at] = clock
        if repetition == 0 < self._final:
            return
        self._sums[:, phase] += change.sum(axis=1)
        total = change[: len(BINS)].sum(axis=0)
        active = total > 0
        if not active.any():
            return
        if phase not in self.spent:
            self.spent[phase] = np.zeros(len(self._phase), np.float32)
        self.spent[phase][at] += total
        if repetition == self._final:
            self.first[phase] = min(self.first[phase], since[active].min())
            self.last[phase] = max(self.last[phase], np.broadcast_to(clock, since.shape)[active].max())


def quick(pes: PENumbers) -> PENumbers:
    """The same PEs as a slice where they follow one another."""
    if isinstance(pes, np.ndarray) and len(pes) and pes[-1] - pes[0] == len(pes) - 1:
        ordered = len(pes) < 3 or bool((np.diff(pes) == 1).all())
        return slice(int(pes[0]), int(pes[-1]) + 1) if ordered else pes
    return pes
