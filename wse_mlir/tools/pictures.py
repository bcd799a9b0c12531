"""The report's maps as pictures, drawn with matplotlib, which is an optional extra."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path
from typing import Any

import numpy as np

from ..passes.infra.diagnostics import CompilerError
from ..wse_target.sim.report import SimulationReport
from .output import naming, write_atomically

_DIRECTIONS = ("north", "east", "south", "west")
_DOTS = 110  # per inch


def require_matplotlib() -> None:
    """Raises `CompilerError` when matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise CompilerError(
            "pictures need matplotlib, which is not installed", hint="pip install 'wse-mlir[pictures]'"
        )


def draw_maps(report: SimulationReport, folder: Path) -> list[Path]:
    """Writes cycles.png (a map by bin), links.png (words by direction) and work.png; returns their paths.

    Raises:
        CompilerError: matplotlib is missing, or a file cannot be written.
    """
    require_matplotlib()
    with naming(folder):
        folder.mkdir(parents=True, exist_ok=True)
    cycles = {
        name: values
        for name, values in report.per_pe.items()
        if name not in ("flops", "repeated_flops", "sram_bytes") and values.any()
    }
    title = f"{report.program} on {report.machine}"
    written = [_draw(folder / "cycles.png", f"{title}: cycles of each PE", cycles)]
    if report.links is not None:
        links = {f"to the {d}": report.links[..., i] for i, d in enumerate(_DIRECTIONS)}
        written.append(_draw(folder / "links.png", f"{title}: words over each link", links))
    work = {"FLOPs": report.per_pe["flops"], "bytes of SRAM traffic": report.per_pe["sram_bytes"]}
    written.append(_draw(folder / "work.png", f"{title}: work of each PE", work))
    return written


def _draw(path: Path, title: str, maps: dict[str, np.ndarray]) -> Path:
    """Maps side by side, each with its own scale from 0."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(len(maps), 4)
    rows = -(-len(maps) // columns)
    figure = Figure(figsize=(3.6 * columns, 3.4 * rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)  # draws without a display
    figure.suptitle(title)
    axes: Any = figure.subplots(rows, columns, squeeze=False)
    for cell in axes.flat[len(maps) :]:
        cell.set_axis_off()
    for cell, (name, values) in zip(axes.flat, maps.items(), strict=False):
        image = cell.imshow(values, vmin=0, vmax=max(float(values.max()), 1.0), interpolation="nearest")
        cell.set_title(name.replace("_", " for ", 1) if name.startswith("wait_") else name)
        cell.set_xlabel("x")
        cell.set_ylabel("y")
        figure.colorbar(image, ax=cell, shrink=0.8)
    drawn = io.BytesIO()
    figure.savefig(drawn, dpi=_DOTS, format="png")
    write_atomically(path, drawn.getvalue())
    return path
