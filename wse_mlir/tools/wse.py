"""The `wse` command: run, verify and look up what there is. Each command's code is imported when it is used."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from ..artifacts.emit.kinds import FileKind, Weights
from .command_options import (
    AccumulateOption,
    AlgorithmOption,
    CheckIndicesOption,
    EffortOption,
    EngineOption,
    FallbackOption,
    GridOption,
    InputsChoice,
    JsonOption,
    KeysOption,
    ModelArgument,
    ModelsArgument,
    ProgramsOption,
    RegionsOption,
    ReportFile,
    SetOption,
    StreamOption,
    TargetOption,
    ThreadsOption,
    TimelineOption,
    TraceFlag,
    named_targets,
)
from .errors import TraceOption, one_message
from .own_process import in_own_process

app = typer.Typer(
    name="wse",
    help="Compiles models for CPUs and wafer-scale engines, runs and checks them.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        from ..compiler.versions import describe_versions

        print(describe_versions())
        raise typer.Exit


@app.callback()
def _before(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show versions and exit."),
    ] = False,
) -> None:
    """Compiles models for CPUs and wafer-scale engines, runs and checks them."""


@app.command()
def run(
    model: ModelArgument,
    target: TargetOption = "tiny",
    settings: SetOption = None,
    grid: GridOption = "",
    num_threads: ThreadsOption = None,
    fallback: FallbackOption = "",
    programs: ProgramsOption = "",
    regions: RegionsOption = "",
    stream: StreamOption = 0,
    effort: EffortOption = "",
    keys: KeysOption = "",
    json: JsonOption = None,
    trace: TraceFlag = False,
) -> None:
    """Runs a workload on PyTorch, on the CPU and on a simulated wafer, and compares them."""
    with one_message(TraceOption(trace)):
        from .run import run_workload

        given = {
            "grid": grid, "fallback": fallback, "programs": programs, "regions": regions, "effort": effort,
            "keys": keys,
        }  # fmt: skip
        options = {name: value for name, value in given.items() if value}
        run_workload(model, _with(target, settings), json, num_threads, options, inputs=stream)


@app.command()
def verify(
    model: Annotated[
        str, typer.Argument(metavar="MODEL", help="A FILE.py[:FUNCTION], or an .mlir, .pt2 or .onnx model.")
    ] = "",
    target: Annotated[
        str,
        typer.Option(
            help="A wafer, as elsewhere; 'cpu' leaves the wafer's stages out.", autocompletion=named_targets
        ),
    ] = "tiny",
    settings: SetOption = None,
    ops: Annotated[
        int | None, typer.Option(metavar="N", min=1, help="Compare every operation alone; list the N worst.")
    ] = None,
    bisect: Annotated[bool, typer.Option(help="Find the pass at fault when a stage is wrong.")] = True,
    reproducer: Annotated[
        Path, typer.Option(metavar="FOLDER", help="Where programs go that show a fault.")
    ] = Path("."),
    replay: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Run such a program instead of a model.")
    ] = None,
    batches: Annotated[int | None, typer.Option(min=1, help="Make so many of the workload's calls.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of inputs that are drawn where the file has none.")] = 0,
    json: JsonOption = None,
    trace: TraceFlag = False,
) -> None:
    """Runs every stage of a model against PyTorch, and finds the pass at fault when one is wrong."""
    with one_message(TraceOption(trace)):
        from .verify import Settings, replay_file, verify_model

        if replay is not None:
            agrees = replay_file(replay)
        else:
            agrees = verify_model(
                model, Settings(_with(target, settings), bisect, reproducer, ops, batches, seed, json)
            )
    raise typer.Exit(0 if agrees else 1)


@app.command()
def show(
    model: ModelArgument,
    target: TargetOption = "tiny",
    plan: Annotated[
        bool, typer.Option("--plan", help="Print where every operation is, and what lost, instead.")
    ] = False,
    settings: SetOption = None,
    grid: GridOption = "",
    algorithm: AlgorithmOption = "",
    accumulate: AccumulateOption = "",
    fallback: FallbackOption = "",
    programs: ProgramsOption = "",
    regions: RegionsOption = "",
    effort: EffortOption = "",
    keys: KeysOption = "",
    trace: TraceFlag = False,
) -> None:
    """Prints the program that a workload becomes on a wafer: buffers, routes, instructions of each class of PEs."""
    with one_message(TraceOption(trace)):
        from .show import show_plan, show_workload

        options = {
            "grid": grid, "algorithm": algorithm, "accumulate": accumulate, "fallback": fallback, "programs": programs,
            "regions": regions, "effort": effort, "keys": keys,
        }  # fmt: skip
        given = {name: value for name, value in options.items() if value}
        (show_plan if plan else show_workload)(model, _with(target, settings), given)


@app.command()
def simulate(
    file: Annotated[
        str, typer.Argument(metavar="FILE", help="An .mlir, .pt2 or .onnx model, or a FILE.py[:FUNCTION].")
    ],
    more: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    target: TargetOption = "tiny",
    settings: SetOption = None,
    grid: GridOption = "",
    algorithm: AlgorithmOption = "",
    accumulate: AccumulateOption = "",
    timing_only: Annotated[
        bool, typer.Option("--timing-only", help="Cycles from shapes alone, no data.")
    ] = False,
    engine: Annotated[
        EngineOption, typer.Option(help="flow for large grids, wavelet follows every word.")
    ] = EngineOption.flow,
    repeat: Annotated[
        int, typer.Option(help="Repetitions; the report is about one in the steady state.")
    ] = 1,
    inputs: Annotated[
        InputsChoice, typer.Option(help="What random arguments are drawn from.")
    ] = InputsChoice.normal,
    seed: Annotated[int, typer.Option(min=0, help="Of random arguments.")] = 0,
    check: Annotated[bool, typer.Option(help="Compare the results with the CPU's.")] = True,
    explain: Annotated[bool, typer.Option("--explain", help="Print what the compiler chose among.")] = False,
    critical_path: Annotated[bool, typer.Option(help="Look for the critical path.")] = True,
    json: ReportFile = None,
    timeline: TimelineOption = None,
    timeline_pes: Annotated[str, typer.Option(metavar="X0:X1,Y0:Y1", help="PEs in the timeline.")] = "",
    timeline_cycles: Annotated[str, typer.Option(metavar="A:B", help="Cycles in the timeline.")] = "",
    trace_pes: Annotated[str, typer.Option(hidden=True)] = "",
    trace_cycles: Annotated[str, typer.Option(hidden=True)] = "",
    pictures: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Draw the maps into this folder.")
    ] = None,
    trace: TraceFlag = False,
) -> None:
    """Simulates one operation or model on a wafer, with grid and algorithm of your choice; says where cycles go."""
    with one_message(TraceOption()):
        from .simulate import Outputs, refuse_old_options, simulate_file

        refuse_old_options(more or [], trace, trace_pes or trace_cycles)
    with one_message(TraceOption(trace)):
        outputs = Outputs(json, timeline, timeline_pes, timeline_cycles, pictures)
        matches = simulate_file(
            file, _with(target, settings), outputs, explain=explain, grid=grid, algorithm=algorithm,
            accumulate=accumulate, timing_only=timing_only, engine=engine.value, repeat=repeat,
            inputs=inputs.value, seed=seed, check=check, critical_path=critical_path,
        )  # fmt: skip
    raise typer.Exit(0 if matches else 1)


@app.command()
def compare(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="A workload FILE.py[:FUNCTION], or an .mlir, .pt2 or .onnx file."
        ),
    ],
    targets: Annotated[
        str, typer.Option(metavar="NAME{OPTION=VALUE},...", help="eager, cpu, and wafers, in this order.")
    ] = "eager,cpu,tiny",
    all_passes: Annotated[
        bool, typer.Option("--all-passes", help="Also list passes without effect.")
    ] = False,
    json: JsonOption = None,
    trace: TraceFlag = False,
) -> None:
    """Compares targets: time or cycles, memory, accuracy, and what each pass changed."""
    with one_message(TraceOption(trace)):
        from .compare import compare_targets

        matches = compare_targets(model, targets, json, all_passes=all_passes)
    raise typer.Exit(0 if matches else 1)


@app.command()
def compile(
    models: ModelsArgument,
    out: Annotated[
        str, typer.Option("--output", "-o", metavar="OUT", help="File to write; '-' for standard output.")
    ],
    emit: Annotated[
        FileKind | None, typer.Option(help="What to make; OUT's suffix tells when not given.")
    ] = None,
    target: Annotated[
        str, typer.Option(help="cpu, or a wafer for mlir and saved.", autocompletion=named_targets)
    ] = "cpu",
    settings: SetOption = None,
    stage: Annotated[
        str, typer.Option(help="Of mlir: imported, tensor, bufferized, llvm; logical, ... on wafers.")
    ] = "",
    cpu: Annotated[
        str, typer.Option(metavar="NAME", help="Processor by LLVM's name; this machine's when not given.")
    ] = "",
    features: Annotated[str, typer.Option(help="Its features, as '+avx2,-avx512f'.")] = "",
    num_threads: ThreadsOption = None,
    weights: Annotated[
        Weights | None, typer.Option(help="In the file, in a file beside it, or left out.")
    ] = None,
    header: Annotated[
        Path | None, typer.Option(help="Where a library's C header goes; beside it when not given.")
    ] = None,
    pipeline: Annotated[str, typer.Option(help="Name or text of a pipeline to use instead of 'cpu'.")] = "",
    debug: Annotated[bool, typer.Option("--debug", help="Source locations in IR and machine code.")] = False,
    check_indices: CheckIndicesOption = None,
    fallback: FallbackOption = "",
    programs: ProgramsOption = "",
    regions: RegionsOption = "",
    effort: EffortOption = "",
    keys: KeysOption = "",
    keep_intermediates: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Keep every stage in this folder, also of a failed compilation."),
    ] = None,
    json: JsonOption = None,
    trace: TraceFlag = False,
) -> None:
    """Compiles models to IR at any stage, assembly, an object, a shared library, an executable or a saved file."""
    with one_message(TraceOption(trace)):
        from .compile import compile_models

        given = {
            "cpu": cpu, "features": features, "num_threads": num_threads, "check_indices": check_indices,
            "fallback": fallback, "programs": programs,
            "regions": regions, "effort": effort, "keys": keys,
        }  # fmt: skip
        compile_models(
            models, out, emit, weights, json, target=_with(target, settings), stage=stage, header=header,
            pipeline=pipeline,
            options={name: value for name, value in given.items() if value not in ("", None)}, debug=debug,
            keep=keep_intermediates,
        )  # fmt: skip


@app.command()
def targets(
    name: Annotated[
        str,
        typer.Argument(metavar="[NAME]", help="Print this target instead.", autocompletion=named_targets),
    ] = "",
    trace: TraceFlag = False,
) -> None:
    """Lists the machines that can be compiled for, or prints the file of one of them."""
    with one_message(TraceOption(trace)):
        from .list_targets import print_target, print_targets

        if name:
            print_target(name)
        else:
            print_targets()


def _with(target: str, settings: list[str] | None) -> str:
    """The target with numbers replaced."""
    from ..compiler.targets import target_with

    return target_with(target, settings or ())


cache_commands = typer.Typer(help="Shows or clears the compile cache.", no_args_is_help=True)
app.add_typer(cache_commands, name="cache")


@cache_commands.command("show")
def cache_show(trace: TraceFlag = False) -> None:
    """Prints where the compile cache is and what it holds."""
    with one_message(TraceOption(trace)):
        from .cache import show_cache

        show_cache()


@cache_commands.command("clear")
def cache_clear(trace: TraceFlag = False) -> None:
    """Removes everything from the compile cache."""
    with one_message(TraceOption(trace)):
        from .cache import clear_cache

        clear_cache()


_AFTER_A_CRASH = (
    "hint: WSE_REPRODUCERS=FOLDER keeps what a pass that crashes ran on, for wse-opt --run-reproducer"
)


def main() -> None:
    """Entry point of the console script: commands work in a process of their own, and crashes are told."""
    sys.exit(in_own_process("wse", _command, hint=_AFTER_A_CRASH))


def _command() -> int:
    app()
    return 0


if __name__ == "__main__":
    main()
