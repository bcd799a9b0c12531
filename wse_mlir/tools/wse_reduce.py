"""`wse-reduce`: the smallest IR that a command, or a failing pipeline, still finds interesting."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from .errors import TraceOption, one_message
from .interrupts import EXIT_CODE
from .reduce_options import Options

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        from ..compiler.versions import describe_versions

        print(describe_versions())
        raise typer.Exit


TestOption = Annotated[
    str | None,
    typer.Option(
        metavar="COMMAND",
        help="Exits with 0 when the file whose path it gets is interesting. The path takes the place of {}, "
        "or comes last; no shell is involved. (mlir-reduce expects exit code 1 instead.)",
    ),
]
MessageOption = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="What the pipeline's failure says. When not given: the same pass fails in the same way as on FILE.",
    ),
]
PluginsOption = Annotated[
    list[str] | None,
    typer.Option(metavar="PLUGIN", help="A Python file or module with passes and dialects; repeatable."),
]
SecondsOption = Annotated[
    float | None,
    typer.Option(min=0.001, metavar="SECONDS", help="What takes longer than this is not interesting."),
]
VersionFlag = Annotated[
    bool,
    typer.Option("--version", callback=_show_version, is_eager=True, help="Show versions and exit."),
]


@app.command()
def wse_reduce(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="MLIR text, bytecode or a reproducer; - for standard input.")
    ],
    test: TestOption = None,
    pipeline: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Instead of --test: this named pipeline fails or crashes."),
    ] = None,
    pass_pipeline: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Instead of --test: this pipeline fails or crashes.")
    ] = None,
    message: MessageOption = None,
    out: Annotated[
        Path | None, typer.Option("-o", metavar="OUT", help="Where the result goes; else standard output.")
    ] = None,
    keep_locations: Annotated[
        bool, typer.Option("--keep-locations", help="Leave source locations in.")
    ] = False,
    load: PluginsOption = None,
    irdl_file: Annotated[
        list[str] | None, typer.Option(metavar="FILE", help="A dialect as IRDL; repeatable.")
    ] = None,
    allow_unregistered_dialect: Annotated[
        bool, typer.Option("--allow-unregistered-dialect", help="Accept operations that nobody has defined.")
    ] = False,
    max_tests: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Stop after so many tests.")
    ] = None,
    timeout: SecondsOption = None,
    trace: Annotated[bool, typer.Option("--trace", help="Print the full trace of a failure.")] = False,
    version: VersionFlag = False,
) -> None:
    """Shrinks IR as long as a command exits with 0, or a pipeline fails: operations, regions, signatures, shapes.

    Every candidate is valid IR and smaller than the one before. FILE is left as it is. A reproducer that wse-opt
    has written needs no further options: what has to stay is the failure that it reproduces.
    """
    with one_message(TraceOption(trace)):
        from .reduce import reduce_file

        complete = reduce_file(
            Options(
                file, test, pipeline, pass_pipeline, message, out, keep_locations, tuple(load or ()),
                tuple(irdl_file or ()), allow_unregistered_dialect, max_tests, timeout,
            )
        )  # fmt: skip
    raise typer.Exit(0 if complete else EXIT_CODE)


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="wse-reduce")


if __name__ == "__main__":
    sys.exit(main())
