"""What a call of a model in parts costs on a wafer, from shapes alone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ....compiler.targets import MachineTarget
from ..simulate import simulate_module
from .counts import cut_into
from .lowering import SINCE, InParts
from .report import call_report, parts_report


def estimate_parts(found: InParts, target: MachineTarget, options: Mapping[str, Any]) -> dict[str, Any]:
    """As `estimate`, with the entries of a program in parts; the CPU's parts take no time that is known.

    Args:
        options: of `simulate_module`.

    Raises:
        CompilerError: a part cannot be lowered to the wafer.
    """
    reports: list[Mapping[str, Any]] = []
    count = sum(part.on_wafer for part in found.parts)
    for part in found.parts:
        report: Mapping[str, Any] = {}
        if part.on_wafer:
            with cut_into(count, options):
                simulated = simulate_module(part.model, target.name, timing_only=True, since=SINCE, **options)
            report = simulated.as_json()
        reports.append(report)
    call = call_report(found.parts, target.machine, reports)
    return {**parts_report(found.parts, found.operators), **call, "timing_only": True}
