"""Options of `compile` for wafers."""

from __future__ import annotations

from collections.abc import Mapping

OPTIONS: Mapping[str, str] = {
    "grid": "WIDTHxHEIGHT in PEs; chosen by cost when not given",
    "algorithm": "name{option=value ...} that products or reductions use; chosen by cost when not given",
    "accumulate": "element type that f16 and bf16 products sum in: f16 or f32; as imported when not given",
    "origin": "column and row of the program's first PE, e.g. '2,1'; 0,0 when not given",
}
