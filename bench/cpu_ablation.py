"""What each step of the CPU pipeline is worth: models compiled without it, beside the whole pipeline.

    python bench/cpu_ablation.py [--families F,...] [--size small] [--seconds S] [--json OUT]

A figure is how many times longer a call takes without the step, all variants in alternating rounds of one process.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from cpu_families import FAMILIES
from cpu_measure.contender import Contender, as_tuple
from cpu_measure.rounds import Budget, alternate
from rich.console import Console
from rich.table import Table
from wse_mlir.pipelines.compile import compile_for
from wse_mlir.pipelines.named import CPU
from wse_mlir.pipelines.runtime.cpu import CpuTarget

# Step -> passes that are left out.
STEPS: Mapping[str, tuple[str, ...]] = {
    "reshapes absorbed": ("wse-absorb-reshapes",),
    "channels last": ("wse-channels-last",),
    "pads in place": ("wse-pad-in-place",),
    "weights packed": ("wse-pack-weights",),
    "weights prepared": ("wse-pack-weights", "wse-split-parameters"),
    "rows tiled": ("wse-tile-kernels",),
    "kernel functions": ("wse-form-kernels", "wse-tile-kernels"),
    "arena": ("wse-plan-arena",),
}


def without(passes: Sequence[str]) -> str:
    """The pipeline `cpu` without these passes; a step of which nothing is left stays as an empty row.

    Raises:
        SystemExit: it has no such pass, so that the figures would mean nothing.
    """
    changed = {stage.name: stage.passes for stage in CPU.stages}
    for name in passes:
        before = dict(changed)
        for stage, text in changed.items():
            changed[stage] = _remove(name, text)
        if changed == before:
            raise SystemExit(f"the pipeline cpu has no pass '{name}'")
    return CPU.override(**changed).text


def _remove(name: str, text: str) -> str:
    text = re.sub(rf"\b{name}\b(\{{[^}}]*\}})?,?", "", text)
    return re.sub(r"func\.func\(\),?", "", text.replace(",)", ")")).strip(",")


def measure(family: str, size: str, budget: Budget) -> dict[str, float | str]:
    """Seconds of a call: of the whole pipeline under "", and of each variant, or why there is none."""
    case = FAMILIES[family].case(size)
    contenders: list[Contender] = []
    found: dict[str, float | str] = {}
    for step, passes in {"": (), **STEPS}.items():
        try:
            compiled = compile_for(CpuTarget(without(passes)), case.model, case.args)
            contenders.append(_contender(step, compiled, case.args))
        except Exception as error:  # a pipeline that a step is cut out of promises nothing
            found[step] = type(error).__name__
    times = alternate(contenders, budget, settle=False)
    return found | {c.name: t.median for c, t in zip(contenders, times, strict=True)}


def _contender(step: str, compiled: Any, args: tuple[torch.Tensor, ...]) -> Contender:
    return Contender(step, lambda: compiled(*args), lambda: as_tuple(compiled(*args)))


def show(rows: Mapping[str, Mapping[str, float | str]]) -> None:
    """A row a model: milliseconds of a call, then how many times longer it takes without each step."""
    table = Table(title="how many times longer a call takes without a step")
    for heading in ("model", "ms", *STEPS):
        table.add_column(heading, justify="left" if heading == "model" else "right")
    for name, times in rows.items():
        whole = times[""]
        if isinstance(whole, str):
            table.add_row(name, whole)
            continue
        cells = [
            f"{value / whole:.2f}" if not isinstance(value := times[step], str) else value for step in STEPS
        ]
        table.add_row(name, f"{1e3 * whole:.3f}", *cells)
    Console().print(table)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--families", default=",".join(FAMILIES))
    parser.add_argument("--size", default="small", choices=("tiny", "small", "large"))
    parser.add_argument("--seconds", type=float, default=3.0, help="at least so long for each model")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    rows = {
        family: measure(family, arguments.size, Budget(5, arguments.seconds))
        for family in arguments.families.split(",")
    }
    show(rows)
    if arguments.json:
        arguments.json.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
