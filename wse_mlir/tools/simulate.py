"""`wse simulate`: one operation or model on a simulated wafer, with grid and algorithm of one's choice."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..compiler.workload import open_model
from ..passes.infra.diagnostics import CompilerError
from ..runtime.wafer.simulate import Simulated, TraceWindow, simulate_module
from .layer_table import layer_table
from .output import check_writable, console_beside, is_stream, write_all, write_atomically
from .report_text import explanation, summary
from .run import FILE_WIDTH
from .steps import Steps

_RANGE = re.compile(r"(\d+):(\d+)")


@dataclass(frozen=True)
class Outputs:
    """Where results go besides the terminal; None for nowhere.

    Attributes:
        json: the report; its maps go beside it, into a file of the same name that ends in .npz. Standard output, a
            device or a pipe gets the report alone.
        timeline: what PEs did when, of a window of PEs and cycles ("X0:X1,Y0:Y1" and "A:B", ends not included).
        pictures: folder for the maps as pictures.
    """

    json: Path | None = None
    timeline: Path | None = None
    timeline_pes: str = ""
    timeline_cycles: str = ""
    pictures: Path | None = None


def simulate_file(path: str, target: str, outputs: Outputs, *, explain: bool, **settings: Any) -> bool:
    """Simulates a file and prints the report; whether results match the CPU's, as far as they were compared.

    Args:
        path: an .mlir, .pt2 or .onnx file, or a workload file (FILE.py or FILE.py:FUNCTION).
        explain: also print what the compiler chose among.
        settings: of `simulate_module`.
    """
    console = console_beside(outputs.json, outputs.timeline, width=FILE_WIDTH)
    for out in (outputs.json, outputs.timeline):
        if out is not None:
            check_writable(out)
    if outputs.pictures is not None:
        from .pictures import require_matplotlib

        require_matplotlib()
    opened = open_model(path)
    with Steps() as steps:
        found = simulate_module(
            opened.model, target, example_args=opened.example_args, kwargs=opened.kwargs, trace=_window(outputs),
            step=steps.step, progress=steps.share, **settings,
        )  # fmt: skip
    data = found.as_json()
    console.print(layer_table(data, width=console.width))
    console.print(summary(data), markup=False)
    if explain:
        console.print(explanation(data["choices"]), markup=False)
    _write(found, data, outputs)
    return found.check is None or found.check.matches


def _write(found: Simulated, data: dict[str, Any], outputs: Outputs) -> None:
    if outputs.json is not None and is_stream(outputs.json):
        write_atomically(outputs.json, json.dumps(data, indent=2) + "\n")
    elif outputs.json is not None:
        arrays = found.report.arrays()
        beside = outputs.json.with_suffix(".npz")
        data["arrays"] = {
            "file": beside.name,
            "shapes": {name: list(array.shape) for name, array in arrays.items()},
        }
        packed = io.BytesIO()
        np.savez_compressed(packed, allow_pickle=False, **arrays)
        text = json.dumps(data, indent=2) + "\n"
        write_all([(beside, packed.getvalue(), False), (outputs.json, text.encode(), False)])
    if outputs.timeline is not None:
        write_atomically(outputs.timeline, json.dumps(found.trace) + "\n")
    if outputs.pictures is not None:
        from .pictures import draw_maps

        draw_maps(found.report, outputs.pictures)


def refuse_old_options(more: Sequence[str], trace: bool, window: str) -> None:
    """Says what has become of `--trace FILE`, which was the timeline once.

    Raises:
        CompilerError: it is used in that way, or a second file is given.
    """
    if window or (more and trace):
        raise CompilerError(
            "--trace prints the full trace of a failure, as in all commands",
            hint="--timeline FILE, --timeline-pes and --timeline-cycles write what PEs did when",
        )
    if more:
        raise CompilerError(f"one model is simulated at a time, and '{more[0]}' is a second one")


def _window(outputs: Outputs) -> TraceWindow | None:
    """The recorded window: all PEs of the first 16 x 16, and all cycles, unless it is given."""
    if outputs.timeline is None:
        if outputs.timeline_pes or outputs.timeline_cycles:
            raise CompilerError(
                "a window is given, but no file for the timeline", hint="add --timeline OUT.json"
            )
        return None
    x, y = (0, 16), (0, 16)
    if outputs.timeline_pes:
        parts = outputs.timeline_pes.split(",")
        if len(parts) != 2:
            raise CompilerError(
                f"'{outputs.timeline_pes}' is no window of PEs",
                hint="write X0:X1,Y0:Y1, e.g. --timeline-pes 0:4,0:4",
            )
        x, y = (_range(part, "--timeline-pes 0:4,0:4") for part in parts)
    cycles = (0.0, float("inf"))
    if outputs.timeline_cycles:
        first, last = _range(outputs.timeline_cycles, "--timeline-cycles 0:5000")
        cycles = (float(first), float(last))
    return TraceWindow(x, y, cycles)


def _range(text: str, example: str) -> tuple[int, int]:
    matched = _RANGE.fullmatch(text.strip())
    if matched is None or int(matched[1]) >= int(matched[2]):
        raise CompilerError(f"'{text}' is no range FIRST:END of whole numbers", hint=f"e.g. {example}")
    return int(matched[1]), int(matched[2])
