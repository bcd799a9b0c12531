"""Inputs that follow each other through the regions of a wafer, in words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def stream_text(found: Mapping[str, Any]) -> str:
    """What a stream's entry in a report says, see `regions.report.stream_report`."""
    lines = [
        f"{found['inputs']} inputs in a row: the first takes {found['latency']:,.0f} cycles, one more is done every "
        f"{found['interval']:,.0f} ({found['inputs_per_second']:,.0f} a second); due to {found['limit']}"
    ]
    for stage in found["stages"]:
        first, count = stage["columns"]
        host = f", and {stage['host']:,.0f} of the host" if stage["host"] else ""
        lines.append(
            f"  region {stage['region']}, columns {first} to {first + count - 1}: {stage['cycles']:,.0f} cycles{host}"
        )
    lines.append(f"load: the most is {found['evenness']:.2f} times the mean of all regions")
    if "same_as_calls" in found:
        lines.append(
            "results are " + ("those" if found["same_as_calls"] else "NOT those") + " of single calls"
        )
    return "\n".join(lines)
