"""The `wse` command: run, verify and look up what there is. Each command's code is imported when it is used."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .errors import Trace, one_message

app = typer.Typer(
    name="wse",
    help="Compiles models for CPUs and wafer-scale engines, runs and checks them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Target = Annotated[
    str, typer.Option(help="A wafer: tiny, wse2, wse3, or the path of a machine's .toml file.")
]
Json = Annotated[Path | None, typer.Option("--json", help="Also write the result to this JSON file.")]
Model = Annotated[
    str, typer.Argument(metavar="FILE.py[:FUNCTION]", help="A Python file that defines load().")
]
TraceFlag = Annotated[bool, typer.Option("--trace", help="Print the full trace of a failure.")]


@app.command()
def run(model: Model, target: Target = "tiny", json: Json = None, trace: TraceFlag = False) -> None:
    """Runs a workload on PyTorch, on the CPU and on a simulated wafer, and compares them."""
    with one_message(Trace(trace)):
        from .run import run_workload

        run_workload(model, target, json)


@app.command()
def verify(model: Model, target: Target = "tiny", json: Json = None, trace: TraceFlag = False) -> None:
    """Runs every stage that can be executed against PyTorch and names the first one that differs."""
    with one_message(Trace(trace)):
        from .verify import verify_workload

        agrees = verify_workload(model, target, json)
    raise typer.Exit(0 if agrees else 1)


@app.command()
def show(model: Model, target: Target = "tiny", trace: TraceFlag = False) -> None:
    """Prints the program that a workload becomes on a wafer: buffers, routes, instructions of each class of PEs."""
    with one_message(Trace(trace)):
        from .show import show_workload

        show_workload(model, target)


@app.command()
def targets(trace: TraceFlag = False) -> None:
    """Lists the machines that can be compiled for."""
    with one_message(Trace(trace)):
        from .list_targets import print_targets

        print_targets()


def main() -> None:
    """Entry point of the console script."""
    app()


if __name__ == "__main__":
    main()
