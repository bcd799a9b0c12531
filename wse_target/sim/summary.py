"""From what an engine leaves behind to the report."""

from __future__ import annotations

import numpy as np

from ..image import Program
from ..instructions import DTYPE_BYTES, Access, Vector, all_instructions
from ..machine import Machine
from .accounting import BINS, WAITS, Accounting
from .check import sram_use
from .code import Placement
from .cost import WAVELET_BYTES
from .engine import Engine, Loaded
from .report import CycleTotals, LinkLoads, PhaseRow, Roofline, SimulationReport, Split
from .routing import DIRECTIONS, LINKS, RAMP

MOST_PHASE_CYCLES = 1 << 25  # numbers in the maps of cycles by phase; above it they are left out


def summarise(
    loaded: Loaded, engine: Engine, name: str, host: tuple[float, float, float]
) -> SimulationReport:
    """The report of an engine's last run.

    Args:
        name: of the engine.
        host: cycles to move arguments in, results out, and resident data in at load time.
    """
    program, machine, accounting, clocks = loaded.program, loaded.machine, engine.accounting, engine.clocks
    cycles = _totals(clocks, host)
    loads = engine.link_words.reshape(loaded.placement.height, loaded.placement.width, LINKS)
    loads = loads / max(len(clocks), 1)
    executed, sram_bytes, repeated = (
        round(total.sum() / accounting.repetitions)
        for total in (accounting.flops, accounting.sram_bytes, accounting.repeated)
    )
    flops = executed - repeated
    mean = {b: float(accounting.per_pe[b].sum()) / accounting.repetitions for b in BINS}
    pes = loaded.placement.count
    return SimulationReport(
        machine=machine.name,
        program=program.name,
        engine=name,
        grid=program.grid,
        pes=pes,
        classes=len(program.classes),
        clock_ghz=machine.clock.ghz,
        repetitions=len(clocks),
        cycles=cycles,
        split=Split(**_with_waiting({b: total / max(pes, 1) for b, total in mean.items()})),
        phases=_phases(loaded, accounting),
        sram=sram_use(program, machine),
        flops=flops,
        repeated_flops=repeated,
        sram_bytes=sram_bytes,
        bytes_moved=round(float(loads[..., :RAMP].sum())) * WAVELET_BYTES,
        link_loads=_link_loads(loads, machine, cycles.makespan),
        roofline=_roofline(program, machine, flops, sram_bytes, float(loads[..., RAMP].sum()), cycles, pes),
        per_pe=_maps(loaded.placement, accounting, clocks),
        links=loads[..., :RAMP],
        ramps=loads[..., RAMP:],
        phase_cycles=_phase_cycles(loaded, accounting),
    )


def _with_waiting(bins: dict[str, float]) -> dict[str, float]:
    return bins | {"waiting": sum(bins[b] for b in WAITS)}


def _steady(clocks: np.ndarray) -> np.ndarray:
    """Cycles of one repetition by PE, the first one left out where there are several."""
    if len(clocks) < 2:
        return clocks[0] if len(clocks) else np.zeros(0)
    return (clocks[-1] - clocks[0]) / (len(clocks) - 1)


def _totals(clocks: np.ndarray, host: tuple[float, float, float]) -> CycleTotals:
    steady = _steady(clocks)
    host_in, host_out, host_load = host
    return CycleTotals(
        device=float(steady.mean()) if steady.size else 0.0,
        makespan=float(steady.max(initial=0.0)),
        host_io=host_in + host_out,
        host_in=host_in,
        host_out=host_out,
        host_load=host_load,
        total=float(clocks.max(initial=0.0)),
    )


def _phases(loaded: Loaded, accounting: Accounting) -> tuple[PhaseRow, ...]:
    rows = []
    for number, (name, source) in enumerate(loaded.code.phases):
        pes = int((accounting.spent[number] > 0).sum()) if number in accounting.spent else 0
        if number == 0 and not pes:
            continue
        sums = {b: float(accounting.per_phase[b][number]) / accounting.repetitions for b in BINS}
        executed, repeated = (
            round(work[number] / accounting.repetitions)
            for work in (accounting.phase_flops, accounting.phase_repeated)
        )
        makespan = float(accounting.last[number] - accounting.first[number]) if pes else 0.0
        room = makespan * loaded.placement.count
        rows.append(
            PhaseRow(
                **_with_waiting({b: total / max(pes, 1) for b, total in sums.items()}),
                name=name, module_path=source.module_path, location=source.location, operator=source.operator,
                makespan=makespan, end=float(accounting.last[number]) if pes else 0.0, pes=pes,
                utilisation=sums["compute"] / room if room else 0.0,
                flops=executed - repeated, repeated_flops=repeated,
                sram_bytes=round(accounting.phase_bytes[number] / accounting.repetitions),
            )
        )  # fmt: skip
    return tuple(rows)


def _link_loads(loads: np.ndarray, machine: Machine, makespan: float) -> LinkLoads:
    between, ramps = loads[..., :RAMP], loads[..., RAMP:]
    used = int((between > 0).sum())
    most = float(between.max(initial=0.0))
    y, x, link = (
        (int(i) for i in np.unravel_index(int(between.argmax()), between.shape)) if used else (0, 0, 0)
    )
    share = machine.fabric.cycles_per_wavelet / makespan if makespan else 0.0
    return LinkLoads(
        words=round(float(between.sum())),
        most_words=round(most),
        busiest=f"PE ({x}, {y}) {DIRECTIONS[link]}" if used else "",
        busy=most * share,
        mean_busy=float(between.sum()) / max(used, 1) * share,
        used=used,
        ramp_words=round(float(ramps.sum())),
        most_ramp_words=round(float(ramps.max(initial=0.0))),
    )


def _roofline(
    program: Program,
    machine: Machine,
    flops: int,
    sram_bytes: int,
    words_in: float,
    cycles: CycleTotals,
    pes: int,
) -> Roofline:
    dtype = _arithmetic_dtype(program)
    memory = float(machine.sram.banks * machine.sram.bank_bytes)
    fabric = WAVELET_BYTES / machine.fabric.cycles_per_wavelet
    intensity = flops / sram_bytes if sram_bytes else None
    fabric_intensity = flops / (words_in * WAVELET_BYTES) if words_in else None
    roofs = {"compute": 2 * machine.rate("fma", dtype)}
    if intensity is not None:
        roofs["memory"] = intensity * memory
    if fabric_intensity is not None:
        roofs["fabric"] = fabric_intensity * fabric
    bound = min(roofs, key=lambda name: roofs[name]) if flops else "none"
    room = cycles.makespan * pes
    return Roofline(
        dtype=dtype, peak=roofs["compute"], sram_bandwidth=memory, fabric_bandwidth=fabric,
        intensity=intensity, fabric_intensity=fabric_intensity, attained=flops / room if room else 0.0,
        roof=roofs.get(bound, 0.0), bound=bound,
    )  # fmt: skip


def _arithmetic_dtype(program: Program) -> str:
    """Element type of the multiply-adds, or of all vector operations where there are none; the widest of several."""
    ops = [i for c in program.classes for i in all_instructions(c.body) if isinstance(i, Vector)]
    chosen = [op for op in ops if op.kind == "fma"] or ops
    # What an accumulator wider than its factors costs depends on the widest access; see `CostModel.vector`.
    found = {
        program.buffers[a.buffer].dtype for op in chosen for a in (op.dst, *op.srcs) if isinstance(a, Access)
    }
    return max(sorted(found), key=lambda dtype: DTYPE_BYTES[dtype], default="f32")


def _maps(placement: Placement, accounting: Accounting, clocks: np.ndarray) -> dict[str, np.ndarray]:
    """Numbers by PE as [height, width]; 0 where no program is."""
    rows = accounting.per_pe | {
        "flops": accounting.flops,
        "repeated_flops": accounting.repeated,
        "sram_bytes": accounting.sram_bytes,
    }
    values = {name: row / accounting.repetitions for name, row in rows.items()}
    values["waiting"] = np.sum([values[b] for b in WAITS], axis=0)
    values["total"] = _steady(clocks)
    return {name: _map(placement, row) for name, row in values.items()}


def _map(placement: Placement, values: np.ndarray) -> np.ndarray:
    grid = np.zeros((placement.height, placement.width), values.dtype)
    grid[placement.y, placement.x] = values
    return grid


def _phase_cycles(loaded: Loaded, accounting: Accounting) -> np.ndarray | None:
    placement, spent = loaded.placement, accounting.spent
    rows = [n for n in range(len(loaded.code.phases)) if n or n in spent]
    if len(rows) * placement.width * placement.height > MOST_PHASE_CYCLES:
        return None
    nothing = np.zeros(placement.count, np.float32)
    return np.array([_map(placement, spent.get(n, nothing)) / accounting.repetitions for n in rows])
