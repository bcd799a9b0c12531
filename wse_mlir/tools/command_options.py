"""Options that commands share, as typer reads them."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


def named_targets(incomplete: str) -> list[str]:
    """What the shell completes a target's name to."""
    from ..compiler.targets import target_names

    return [name for name in target_names() if name.startswith(incomplete)]


TargetOption = Annotated[
    str,
    typer.Option(
        help="A wafer: tiny, wse2, wse3, or the path of a machine's .toml file.",
        autocompletion=named_targets,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Another number of the wafer's machine file; can be repeated."
    ),
]
ThreadsOption = Annotated[
    int | None, typer.Option(help="Threads of a call on the CPU; WSE_NUM_THREADS or 1 when not given.")
]
JsonOption = Annotated[
    Path | None,
    typer.Option("--json", metavar="FILE", help="Also write the result as JSON; - for standard output."),
]
ModelArgument = Annotated[
    str, typer.Argument(metavar="FILE.py[:FUNCTION]", help="A Python file that defines load().")
]


class EngineOption(StrEnum):
    """The simulator's engines."""

    flow = "flow"
    wavelet = "wavelet"


class InputsChoice(StrEnum):
    """What arguments are drawn from."""

    normal = "normal"
    integers = "integers"


TraceFlag = Annotated[bool, typer.Option("--trace", help="Print the full trace of a failure.")]

GridOption = Annotated[
    str, typer.Option(metavar="WxH", help="PEs of the program; chosen by cost when not given.")
]
AlgorithmOption = Annotated[
    str,
    typer.Option(
        metavar="NAME{OPTION=VALUE}", help="What products or reductions use; chosen when not given."
    ),
]
AccumulateOption = Annotated[str, typer.Option(metavar="f16|bf16|f32", help="What narrow products sum in.")]

ReportFile = Annotated[
    Path | None,
    typer.Option(
        "--json", metavar="FILE", help="Write the report, maps beside it; - for standard output, no maps."
    ),
]
TimelineOption = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Write what PEs did when, for Perfetto; - for standard output."),
]

ModelsArgument = Annotated[
    list[str],
    typer.Argument(
        metavar="[NAME=]MODEL...",
        help="FILE.py[:FUNCTION], .pt2, .onnx or .mlir; several make one library.",
    ),
]
CheckIndicesOption = Annotated[
    bool | None,
    typer.Option(
        "--check-indices/--no-check-indices",
        help="Whether runs on the CPU report indices out of range, as they do when not given.",
    ),
]
ProgramsOption = Annotated[
    str,
    typer.Option(
        metavar="N",
        help="How many programs the model becomes, which take turns on the wafer; auto: as many as it takes.",
    ),
]
RegionsOption = Annotated[
    str,
    typer.Option(
        metavar="N",
        help="How many parts of the model sit side by side on the wafer, for inputs that follow each other, or auto.",
    ),
]
StreamOption = Annotated[
    int,
    typer.Option(
        metavar="N",
        min=0,
        help="Also let N inputs follow each other through the wafer, and say how soon each is done.",
    ),
]
EffortOption = Annotated[
    str,
    typer.Option(
        metavar="high", help="Plan longer for wafers: layouts by parts of dimensions are tried, too."
    ),
]
KeysOption = Annotated[
    str,
    typer.Option(
        metavar="N",
        help="Most keys that attention holds scores of at a time, 0 for all; chosen when not given.",
    ),
]
FallbackOption = Annotated[
    str,
    typer.Option(
        metavar="cpu", help="Where to run what has no lowering to the wafer; refused when not given."
    ),
]
