"""What is told of inputs that follow each other: how long one takes, how soon the next is through, what limits that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ....wse_target.image import HostTransfer, Program
from ....wse_target.sim.accounting import BINS, WAITS
from ....wse_target.sim.report import SimulationReport
from ....wse_target.sim.simulation import Simulation

STREAM_PHASE = (
    "region {}: "  # what the names of phases begin with in which a region takes, or hands on, what streams
)


def stream_report(
    regions: Sequence[Mapping[str, Any]], simulation: Simulation, report: SimulationReport
) -> dict[str, Any]:
    """The entry "stream" of a report, after a run of several repetitions; cycles all.

    "latency" is of the first input, host transfers included; "interval" the time from one result to the next in the
    steady state. A region that the host brings inputs to, or takes results from, works on none of them meanwhile: for
    an input it takes at least both. "limit" says what the interval is due to, and "evenness" is the most that a region
    works for an input, over the mean of all.

    Args:
        regions: "columns", the first one and how many, of each; none for a program that is one region.
    """
    program, ends = simulation.program, simulation.engine.clocks.max(axis=1)
    columns = [tuple(region["columns"]) for region in regions] or [(0, program.grid[0])]
    stages = [
        {"region": number, "columns": list(own), "cycles": cycles, "host": _host_cycles(program, own, report)}
        for number, (own, cycles) in enumerate(zip(columns, _busy(columns, simulation), strict=True))
    ]
    device = _steady(ends)
    slowest = max(stages, key=lambda stage: stage["cycles"] + stage["host"])
    interval = max(device, slowest["cycles"] + slowest["host"])
    busy = [stage["cycles"] for stage in stages]
    return {
        "inputs": len(ends),
        "latency": report.cycles.host_in + float(ends[0]) + report.cycles.host_out,
        "interval": interval,
        "device_interval": device,
        "inputs_per_second": report.clock_ghz * 1e9 / interval if interval else 0.0,
        "limit": f"region {slowest['region']}" + (" and the host" if interval > device else ""),
        "evenness": max(busy) * len(busy) / sum(busy) if sum(busy) else 1.0,
        "stages": stages,
    }


def _steady(ends: np.ndarray) -> float:
    """Time from one end to the next, those of the first half left out, in which regions are still idle."""
    first = len(ends) // 2 if len(ends) > 3 else 0
    return float(ends[-1] - ends[first]) / (len(ends) - 1 - first) if len(ends) > 1 else float(ends[-1])


def _busy(columns: Sequence[tuple[int, int]], simulation: Simulation) -> list[float]:
    """What each region's PEs take for an input on average, without what they wait for neighbours."""
    accounting, placement = simulation.engine.accounting, simulation.loaded.placement
    spent = np.sum([accounting.per_pe[name] for name in BINS], axis=0)
    found = []
    for number, (first, count) in enumerate(columns):
        own = (placement.x >= first) & (placement.x < first + count)
        begin = STREAM_PHASE.format(number)
        phases = [k for k, (name, _) in enumerate(simulation.loaded.code.phases) if name.startswith(begin)]
        waited = sum(float(accounting.per_phase[name][k]) for name in WAITS for k in phases)
        total = float(spent[own].sum()) - waited
        found.append(total / max(1, int(own.sum())) / accounting.repetitions)
    return found


def _host_cycles(program: Program, columns: tuple[int, int], report: SimulationReport) -> float:
    """Cycles of the host's transfers for an input that a region takes part in."""

    def has_part(transfers: Sequence[HostTransfer]) -> bool:
        return any(columns[0] <= t.where.base[0] < sum(columns) for t in transfers if not t.resident)

    found = report.cycles.host_in if has_part(program.scatters) else 0.0
    return found + (report.cycles.host_out if has_part(program.gathers) else 0.0)
