"""What a simulation found out, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class CycleTotals:
    """Cycles of one call.

    Attributes:
        device: mean over the PEs of the time each takes, host transfer excluded.
        makespan: time of the slowest PE.
        host_io: host_in + host_out, for arguments and results of the call.
        host_load: of resident data, moved once when the program is loaded; not part of a call.
    """

    device: float
    makespan: float
    host_io: float
    host_in: float
    host_out: float
    host_load: float


@dataclass(frozen=True)
class PhaseRow:
    """One phase's share. Cycles are sums over its active PEs divided by their number.

    Attributes:
        wait_*: waiting by reason, see `Accounting`; `waiting` is their sum.
        utilisation: compute cycles of all PEs / (makespan of the phase * PEs of the program).
        pes: PEs that spent cycles in it.
        flops: floating point or integer operations.
    """

    name: str
    module_path: str
    location: str
    operator: str
    compute: float
    communication: float
    wait_words: float
    wait_places: float
    wait_join: float
    wait_switch: float
    waiting: float
    makespan: float
    pes: int
    utilisation: float
    flops: int


@dataclass(frozen=True)
class SramUse:
    """Bytes of the fullest PE's SRAM."""

    buffers: int
    code: int
    runtime: int
    high_water: int
    capacity: int


@dataclass(frozen=True)
class SimulationReport:
    """Where the cycles of one call went.

    Attributes:
        bytes_moved: bytes times hops over links between routers.
        link_words: most words over one link between routers.
        per_pe: [height, width] arrays by bin of `Accounting`, "waiting" and "total", in cycles.
    """

    machine: str
    program: str
    grid: tuple[int, int]
    pes: int
    clock_ghz: float
    cycles: CycleTotals
    phases: tuple[PhaseRow, ...]
    sram: SramUse
    flops: int
    bytes_moved: int
    link_words: int
    link_busy: float
    per_pe: dict[str, np.ndarray] = field(default_factory=dict, compare=False)

    @property
    def seconds(self) -> float:
        """Time of the slowest PE at the machine's clock, host transfer excluded."""
        return self.cycles.makespan / (self.clock_ghz * 1e9)

    @property
    def utilisation(self) -> float:
        """Share of the PEs' time until the slowest ends that they compute in."""
        spent = float(self.per_pe["compute"].sum())
        return spent / (self.cycles.makespan * self.pes) if self.cycles.makespan else 0.0

    def to_json(self, *, arrays: bool = False) -> dict[str, Any]:
        """Plain dictionaries and lists; per-PE arrays only when asked for."""
        data = asdict(self)
        per_pe = data.pop("per_pe")
        if arrays:
            data["per_pe"] = {name: np.asarray(value).tolist() for name, value in per_pe.items()}
        return data | {"seconds": self.seconds, "utilisation": self.utilisation}


@dataclass(frozen=True)
class SimulationResult:
    """Outputs of one call in the order of the program's results, and the report. Outputs are empty when timing only."""

    outputs: list[np.ndarray]
    report: SimulationReport
