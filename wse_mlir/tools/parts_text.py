"""What is said to people of a program in parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def parts_text(report: Mapping[str, Any]) -> str:
    """What the CPU runs and why, and what travels; of a report with "fallback" or "turns"."""
    if "turns" in report:
        moved = report["turns"]["transfers"]
        return (
            f"Between the programs at each call: {_moved(moved['to_host'])} to the host, "
            f"{_moved(moved['to_wafer'])} to the wafer."
        )
    fallback = report["fallback"]
    lines = ["On the CPU:"]
    for operator in fallback["operators"]:
        lines.append(f"  {operator['part']}: {operator['where']}: {operator['reason']}")
    moved = fallback["transfers"]
    lines.append(
        f"Between the wafer and the CPU at each call: {_moved(moved['to_cpu'])} to the CPU, "
        f"{_moved(moved['to_wafer'])} to the wafer."
    )
    return "\n".join(lines)


def _moved(count: Mapping[str, int]) -> str:
    tensors = "1 tensor" if count["times"] == 1 else f"{count['times']} tensors"
    return f"{count['bytes']:,} bytes ({tensors})"


def call_text(report: Mapping[str, Any]) -> str:
    """What the parts of a call took together; of a report with "parts"."""
    cycles = report["cycles"]
    seconds = sum(part["seconds"] for part in report["parts"] if part["on"] == "cpu")
    count = sum(part["on"] == "wafer" for part in report["parts"])
    if not count:
        return f"Nothing of this runs on the wafer; the CPU took {seconds * 1e6:,.0f} us."
    text = f"A call takes {cycles['makespan']:,.0f} cycles of the wafer and {cycles['host_io']:,.0f} of host transfer"
    if any(part["on"] == "cpu" for part in report["parts"]):
        text += f", and the CPU {seconds * 1e6:,.0f} us, which no cycles count"
    text += "."
    if count > 1:
        text += (
            f"\nThe wafer runs {count} programs in turn, which are loaded at each call: "
            f"{cycles['host_reload']:,.0f} of the cycles of host transfer."
        )
    return text
