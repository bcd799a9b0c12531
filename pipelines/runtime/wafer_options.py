"""Options of `compile` for wafers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...passes.infra.diagnostics import CompilerError, shown

OPTIONS: Mapping[str, str] = {
    "grid": "WIDTHxHEIGHT in PEs; chosen by cost when not given",
    "algorithm": "name{option=value ...} that products or reductions use; chosen by cost when not given",
    "accumulate": "element type that f16 and bf16 products sum in: f16 or f32; as imported when not given",
    "fallback": "'cpu': what has no lowering to the wafer runs on the CPU, in parts between those on the wafer",
    "origin": "column and row of the program's first PE, e.g. '2,1'; 0,0 when not given",
}


def falls_back(options: Mapping[str, Any]) -> bool:
    """Whether what has no lowering to the wafer may run on the CPU.

    Raises:
        CompilerError: the option `fallback` names anything else.
    """
    given = options.get("fallback")
    if given not in (None, "", "cpu"):
        raise CompilerError(f"fallback is {shown(given)}, and the only one that there is is 'cpu'")
    return given == "cpu"
