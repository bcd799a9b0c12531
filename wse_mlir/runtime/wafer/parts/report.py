"""What is told of a program in parts and its last call, ready for JSON. Time of the CPU is never counted in cycles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any, Protocol

from ...arrays import numpy_dtype

if TYPE_CHECKING:
    from ....frontend.call_interface import CallInterface
    from ....wse_target.machine import Machine

_SUMS = ("device", "makespan", "host_in", "host_out", "host_load", "total")


class ReportedPart(Protocol):
    """What is known of a part before and after it is compiled; see `PartProgram`."""

    @property
    def name(self) -> str: ...
    @property
    def on_wafer(self) -> bool: ...
    @property
    def interface(self) -> CallInterface: ...
    @property
    def takes(self) -> tuple[int, ...]: ...
    @property
    def makes(self) -> tuple[int, ...]: ...
    @property
    def sources(self) -> tuple[str, ...]: ...


def parts_report(parts: Sequence[ReportedPart], operators: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What no call changes.

    "fallback" has the operators that the CPU runs and why, and what travels to it and back at each call; "turns", where
    the CPU runs nothing, what travels between the programs that take turns.
    """
    if all(part.on_wafer for part in parts):
        moved = transfers(parts)
        return {"turns": {"programs": len(parts), "transfers": {"to_host": moved.pop("to_cpu"), **moved}}}
    return {
        "fallback": {"to": "cpu", "operators": [dict(o) for o in operators], "transfers": transfers(parts)}
    }


def transfers(parts: Sequence[ReportedPart]) -> dict[str, Any]:
    """What parts make for others and the wafer takes part in, at each call.

    "to_cpu" counts a tensor that leaves the wafer once, "to_wafer" a tensor once for each part that it is brought to;
    arguments and results of the model, which travel anyhow, are in neither. "tensors" are those tensors: where in the
    model each is made, its bytes, the part that it leaves and those that it goes to.
    """
    maker = {value: part for part in parts for value in part.makes}
    rows: list[dict[str, Any]] = []
    off, on = {"bytes": 0, "times": 0}, {"bytes": 0, "times": 0}
    for value, origin in maker.items():
        readers = [part for part in parts if value in part.takes]
        on_wafer = [part for part in readers if part.on_wafer]
        if not readers or not (origin.on_wafer or on_wafer):
            continue
        size = _bytes(readers[0], value)
        for count, times in ((off, int(origin.on_wafer)), (on, len(on_wafer))):
            count["bytes"] += times * size
            count["times"] += times
        place = origin.sources[origin.makes.index(value)]
        rows.append({"made_by": place, "bytes": size, "from": origin.name, "to": [p.name for p in readers]})
    return {"to_cpu": off, "to_wafer": on, "tensors": rows}


def _bytes(reader: ReportedPart, value: int) -> int:
    """Bytes of a tensor, as a part that takes it knows it."""
    argument = reader.interface.arguments[reader.takes.index(value)]
    dtype = numpy_dtype(argument.dtype)
    assert dtype is not None, "arguments have such types alone"
    return prod(argument.shape) * dtype.itemsize


def call_report(
    parts: Sequence[ReportedPart], machine: Machine, reports: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    """What a call took.

    "cycles" are sums over the parts on the wafer, which run one after the other. Where there are several, each is
    loaded again at every call, parameters and constants included: "host_reload", which "host_in" contains, and nothing
    is left to be loaded once. "sram" is that of the fullest part, "pes" the most that any uses.

    Args:
        machine: that the parts on the wafer run on.
        reports: of the parts, in order: those of a simulation, or the CPU's with "seconds".
    """
    on_wafer = [report for part, report in zip(parts, reports, strict=True) if part.on_wafer]
    named = [
        {"name": part.name, "on": "wafer" if part.on_wafer else "cpu", **report}
        for part, report in zip(parts, reports, strict=True)
    ]
    cycles = {name: sum(report["cycles"][name] for report in on_wafer) for name in _SUMS}
    reload = cycles["host_load"] if len(on_wafer) > 1 else 0.0
    cycles |= {
        "host_reload": reload,
        "host_in": cycles["host_in"] + reload,
        "host_load": cycles["host_load"] - reload,
    }
    cycles["host_io"] = cycles["host_in"] + cycles["host_out"]
    nothing = {"buffers": 0, "code": 0, "runtime": 0, "high_water": 0, "capacity": machine.sram.bytes}
    clock = machine.clock.ghz
    return {
        "parts": named,
        "cycles": cycles,
        "machine": machine.name,
        "clock_ghz": clock,
        "seconds": cycles["makespan"] / (clock * 1e9),
        "pes": max((report["pes"] for report in on_wafer), default=0),
        "sram": max((r["sram"] for r in on_wafer), key=lambda sram: sram["high_water"], default=nothing),
        "flops": sum(report["flops"] for report in on_wafer),
    }


def wafer_reports(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Reports of the programs on the wafer: of the parts of a program in parts, or the one that there is."""
    if "parts" not in report:
        return [dict(report)]
    return [dict(part) for part in report["parts"] if part["on"] == "wafer"]
