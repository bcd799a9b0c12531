"""Where cycles go: per PE, and per phase of the program."""

from __future__ import annotations

from typing import Literal

import numpy as np

from .code import Code

Bin = Literal["compute", "communication", "waiting"]
BINS: tuple[Bin, ...] = ("compute", "communication", "waiting")


class Accounting:
    """Sums of cycles by PE and by phase. What runs on a microthread counts where the main thread waits for it.

    Attributes:
        per_pe: cycles [PEs] by bin.
        per_phase: cycles [phases] by bin, summed over PEs.
        begin / end: first and last time of each phase on any PE.
        phase: current phase by PE.
    """

    def __init__(self, code: Code, pes: int) -> None:
        count = len(code.phases)
        self.per_pe = {name: np.zeros(pes) for name in BINS}
        self.per_phase = {name: np.zeros(count) for name in BINS}
        self.begin, self.end = np.full(count, np.inf), np.zeros(count)
        self.active = np.zeros((count, pes), bool)
        self.flops = np.zeros(count, np.int64)
        self.phase = np.zeros(pes, np.int64)

    def add(self, pes: np.ndarray, start: np.ndarray, **cycles: np.ndarray | float) -> None:
        """Counts cycles by bin that `pes` (no PE twice) spent from `start` on."""
        phase = self.phase[pes]
        total = np.zeros(len(pes))
        for name, amount in cycles.items():
            spent = np.broadcast_to(amount, (len(pes),))
            self.per_pe[name][pes] += spent
            self.per_phase[name] += np.bincount(phase, weights=spent, minlength=len(self.end))
            total += spent
        if total.any():
            np.minimum.at(self.begin, phase, start)
            np.maximum.at(self.end, phase, start + total)
            self.active[phase, pes] |= total > 0

    def add_flops(self, pes: np.ndarray, flops: np.ndarray) -> None:
        """Counts arithmetic operations [PEs]."""
        self.flops += np.bincount(self.phase[pes], weights=flops, minlength=len(self.end)).astype(np.int64)
