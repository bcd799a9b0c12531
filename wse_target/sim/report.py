"""What a simulation found out, as plain data."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from .critical_path import CriticalPath


@dataclass(frozen=True)
class CycleTotals:
    """Cycles of one repetition; of several ones that of the steady state: the first is left out, the others averaged.

    Attributes:
        device: mean over the PEs of the time each takes, host transfer excluded.
        makespan: time of the slowest PE.
        host_io: host_in + host_out, for arguments and results of the call.
        host_load: of resident data, moved once when the program is loaded; not part of a call.
        total: end of the slowest PE's last repetition.
    """

    device: float
    makespan: float
    host_io: float
    host_in: float
    host_out: float
    host_load: float
    total: float


@dataclass(frozen=True)
class Split:
    """Where PEs spend their cycles, by the bins of `Accounting`; `waiting` is the sum of the `wait_` bins."""

    compute: float
    communication: float
    wait_words: float
    wait_places: float
    wait_join: float
    wait_switch: float
    waiting: float


@dataclass(frozen=True)
class PhaseRow(Split):
    """One phase's share. Cycles are sums over its active PEs divided by their number.

    Attributes:
        makespan: from the first PE's first cycle in it to the last one's last, which is the program's cycle `end`.
        pes: PEs that spent cycles in it.
        utilisation: compute cycles of all PEs / (makespan of the phase * PEs of the program).
        flops: floating point or integer operations, what several PEs compute alike counted once; repeated_flops: the
            rest of what they execute; sram_bytes: between cores and memories.
    """

    name: str
    module_path: str
    location: str
    operator: str
    makespan: float
    end: float
    pes: int
    utilisation: float
    flops: int
    repeated_flops: int
    sram_bytes: int


@dataclass(frozen=True)
class SramUse:
    """Bytes of the fullest PE's SRAM."""

    buffers: int
    code: int
    runtime: int
    high_water: int
    capacity: int


@dataclass(frozen=True)
class LinkLoads:
    """Words over the links between routers, and over the ramps between routers and cores.

    Attributes:
        words: sum over all links between routers.
        most_words: over one link; `busiest` says which: "PE (x, y) east".
        busy: share of the makespan that the busiest link passes words in; mean_busy: mean over the links in use.
        used: links that a word went over.
        ramp_words: sum over the ramps, in and out; most_ramp_words: over one of them.
    """

    words: int
    most_words: int
    busiest: str
    busy: float
    mean_busy: float
    used: int
    ramp_words: int
    most_ramp_words: int


@dataclass(frozen=True)
class Roofline:
    """Where the program stands against what its PEs could do. Rates are per PE and cycle.

    Attributes:
        dtype: element type of the program's arithmetic, the widest of its multiply-adds.
        peak: FLOPs at the machine's rate of multiply-adds on `dtype`.
        sram_bandwidth: bytes, one bank access of every bank a cycle.
        fabric_bandwidth: bytes through the ramp into the core.
        intensity: FLOPs a byte between core and SRAM; fabric_intensity: a byte through the ramps into cores.
        attained: FLOPs, over the makespan.
        roof: the least of peak, intensity * sram_bandwidth and fabric_intensity * fabric_bandwidth.
        bound: which one it is: "compute", "memory" or "fabric"; "none" without arithmetic.
    """

    dtype: str
    peak: float
    sram_bandwidth: float
    fabric_bandwidth: float
    intensity: float | None
    fabric_intensity: float | None
    attained: float
    roof: float
    bound: str


@dataclass(frozen=True)
class SimulationReport:
    """Where the cycles of one call, or of one repetition of several, went.

    Attributes:
        repetitions: how often the program ran.
        split: mean over the PEs.
        flops / repeated_flops: as of a phase; rooflines and what is attained count the former.
        bytes_moved: bytes times hops over links between routers.
        critical_path: None when nobody recorded, see `critical_path_note`.
        per_pe: [height, width] arrays by bin of `Accounting`, "waiting", "total", "flops" (all that a PE executes),
            "repeated_flops" and "sram_bytes".
        links: words [height, width, 4] leaving each router north, east, south and west.
        ramps: words [height, width, 2] from router to core, and from core to router.
        phase_cycles: cycles [phases, height, width] by phase; None above `summary.MOST_PHASE_CYCLES` numbers.
    """

    machine: str
    program: str
    engine: str
    grid: tuple[int, int]
    pes: int
    classes: int
    clock_ghz: float
    repetitions: int
    cycles: CycleTotals
    split: Split
    phases: tuple[PhaseRow, ...]
    sram: SramUse
    flops: int
    repeated_flops: int
    sram_bytes: int
    bytes_moved: int
    link_loads: LinkLoads
    roofline: Roofline
    critical_path: CriticalPath | None = None
    critical_path_note: str = "not recorded"
    per_pe: dict[str, np.ndarray] = field(default_factory=dict, compare=False)
    links: np.ndarray | None = field(default=None, compare=False)
    ramps: np.ndarray | None = field(default=None, compare=False)
    phase_cycles: np.ndarray | None = field(default=None, compare=False)

    @property
    def seconds(self) -> float:
        """Time of the slowest PE at the machine's clock, host transfer excluded."""
        return self.cycles.makespan / (self.clock_ghz * 1e9)

    @property
    def utilisation(self) -> float:
        """Share of the PEs' time until the slowest ends that they compute in."""
        return self.split.compute / self.cycles.makespan if self.cycles.makespan else 0.0

    def arrays(self) -> dict[str, np.ndarray]:
        """All maps by name."""
        further = {"links": self.links, "ramps": self.ramps, "phase_cycles": self.phase_cycles}
        return self.per_pe | {name: array for name, array in further.items() if array is not None}

    def to_json(self, *, arrays: bool = False) -> dict[str, Any]:
        """Plain dictionaries and lists; maps only when asked for."""
        data = _plain(asdict(self))
        for name in ("per_pe", "links", "ramps", "phase_cycles"):
            data.pop(name)
        if arrays:
            data["per_pe"] = {name: value.tolist() for name, value in self.arrays().items()}
        return data | {"seconds": self.seconds, "utilisation": self.utilisation}


def _plain(value: Any) -> Any:
    """Tuples as lists, as they come back from JSON."""
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, (list, tuple)) else value


@dataclass(frozen=True)
class SimulationResult:
    """Outputs of one call in the order of the program's results, and the report. Outputs are empty when timing only."""

    outputs: list[np.ndarray]
    report: SimulationReport


@dataclass(frozen=True)
class StreamedResult:
    """Outputs of inputs that followed each other, those of one input after another, and the report of the steady state.

    Attributes:
        clocks: time at which each PE ended each input, [inputs, PEs].
    """

    outputs: list[list[np.ndarray]]
    report: SimulationReport
    clocks: np.ndarray
