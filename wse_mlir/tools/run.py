"""`wse run`: one workload on PyTorch, the CPU and a simulated wafer, side by side."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.progress import Progress
from torch.utils import _pytree as pytree

from ..compare.agreement import relative_error
from ..compare.threads import torch_threads
from ..compiler.compile import Compiled, compile
from ..compiler.targets import find_wafer
from ..compiler.workload import OpenedModel, open_model
from ..passes.infra.diagnostics import CompilerError
from ..runtime.cpu.thread_count import thread_count
from ..runtime.wafer.options import falls_back
from ..runtime.wafer.parts.report import wafer_reports
from .layer_table import layer_rows, layer_summary, layer_table
from .output import check_writable, console_beside, write_atomically
from .parts_text import call_text, parts_text
from .stream_text import stream_text

TorchOutputs = list[torch.Tensor]
FILE_WIDTH = 120  # columns of a table that is not printed on a terminal
CALLS_PER_BATCH = 25


@dataclass
class Measured:
    """What one backend computed, over all batches.

    Attributes:
        outputs: the first output of every batch, concatenated.
        seconds: median wall time of a call on one batch.
        cycles: a wafer's makespan over all batches; 0 elsewhere.
    """

    outputs: torch.Tensor
    seconds: float
    cycles: float = 0.0


@dataclass
class BackendComparison:
    """The three backends on one workload, and the wafer's report of its last call.

    Attributes:
        threads: of PyTorch and of the CPU's code.
        stream: of inputs that followed each other through the wafer, see `stream_report`; None without any.
    """

    eager: Measured
    cpu: Measured
    wafer: Measured
    labels: torch.Tensor | None
    threads: int = 1
    wafer_report: dict[str, Any] = field(default_factory=dict)
    compile_seconds: dict[str, float] = field(default_factory=dict)
    stream: dict[str, Any] | None = None

    def as_json(self) -> dict[str, Any]:
        """The comparison as plain data; times in seconds, cycles of the wafer's clock."""
        backends = {"eager": self.eager, "cpu": self.cpu, "wafer": self.wafer}
        result: dict[str, Any] = {
            "max_relative_error": {
                name: relative_error(backends[name].outputs, self.eager.outputs) for name in ("cpu", "wafer")
            },
            "seconds_per_call": {name: backends[name].seconds for name in ("eager", "cpu")},
            "compile_seconds": self.compile_seconds,
            "wafer": {
                **self.wafer_report,
                "cycles": self.wafer.cycles,
                "cycles_of_a_call": self.wafer_report["cycles"],
                "layers": [
                    asdict(row) | {"cycles": row.cycles}
                    for report in wafer_reports(self.wafer_report)
                    for row in layer_rows(report)
                ],
            },
        }
        if self.stream is not None:
            result["wafer"]["stream"] = self.stream
        if self.labels is not None:
            predictions = {name: b.outputs.argmax(-1) for name, b in backends.items()}
            result["accuracy"] = {n: accuracy(p, self.labels) for n, p in predictions.items()}
            result["predictions_identical"] = all(
                torch.equal(p, predictions["eager"]) for p in predictions.values()
            )
        return result


def accuracy(predictions: torch.Tensor, labels: torch.Tensor) -> float:
    """The share of predictions that are right."""
    return float((predictions == labels).double().mean())


def run_workload(
    path: str,
    target: str,
    json_path: Path | None,
    num_threads: int | None = None,
    options: Mapping[str, Any] | None = None,
    inputs: int = 0,
) -> None:
    """Runs the workload file and prints the comparison; see `BackendComparison.as_json` for the JSON.

    Args:
        options: of the wafer.
        inputs: how many are to follow each other through the wafer as well.
    """
    if json_path is not None:
        check_writable(json_path)
    falls_back(options or {})
    find_wafer(target)
    console = console_beside(json_path, width=FILE_WIDTH)
    with Progress(console=console, transient=True) as progress:
        workload = _step(progress, f"loading {path}", lambda: open_model(path).with_inputs())
        comparison = compare(workload, target, progress, num_threads, options, inputs)
    _print(comparison, target, console)
    if json_path is not None:
        write_atomically(json_path, json.dumps(comparison.as_json(), indent=2) + "\n")


def compare(
    workload: OpenedModel,
    target: str,
    progress: Progress,
    num_threads: int | None = None,
    options: Mapping[str, Any] | None = None,
    inputs: int = 0,
) -> BackendComparison:
    """Compiles for the CPU and for `target`, and runs every batch on all three.

    Args:
        num_threads: of PyTorch and of the CPU's code; as `compile` chooses when None.
        options: of the wafer.
        inputs: how many, the batches over and over, are to follow each other through the wafer as well.
    """
    threads = thread_count({"num_threads": num_threads})

    def compiled_for(name: str, threads: int | None = None, **options: Any) -> Compiled:
        return _step(
            progress,
            f"compiling for {name}",
            lambda: compile(
                workload.model,
                workload.example_args,
                workload.kwargs,
                target=name,
                dynamic_shapes=workload.dynamic_shapes,
                num_threads=threads,
                **options,
            ),
        )

    eager = workload.eager()
    if eager is None:
        raise CompilerError(
            f"'{workload.source}' is not a PyTorch model, so there is nothing to compare it with",
            hint="wse simulate runs it on a wafer and on the CPU",
        )
    cpu, wafer = compiled_for("cpu", threads), compiled_for(target, **(options or {}))
    with torch.no_grad():
        eager_result, cpu_result = _measure_both(workload, eager, cpu, threads, progress)
        wafer_result = _run_wafer(workload, wafer, progress)
    seconds = {"cpu": cpu.report["compile_seconds"], "wafer": wafer.report["compile_seconds"]}
    results, report = (eager_result, cpu_result, wafer_result), wafer.report
    streamed = _step(progress, "streaming", lambda: _streamed(workload, wafer, inputs)) if inputs else None
    return BackendComparison(*results, workload.labels, threads, report, seconds, streamed)


def _streamed(workload: OpenedModel, wafer: Compiled, count: int) -> dict[str, Any]:
    """The report's entry of so many inputs in a row, and whether their results are those of single calls, bit for bit.

    Raises:
        CompilerError: the model becomes several programs, or has a state that does not stay on the wafer.
    """
    if workload.kwargs:
        raise CompilerError(
            "inputs of a stream are given by position, and this workload has arguments by name"
        )
    batches = [workload.batches[number % len(workload.batches)] for number in range(count)]
    wafer.reset()
    singles = [pytree.tree_leaves(wafer(*batch)) for batch in batches]
    wafer.reset()
    outputs = [pytree.tree_leaves(one) for one in wafer.stream(map(tuple, batches))]
    if "stream" not in wafer.report:
        raise CompilerError(
            "inputs follow each other through one program, and with these options there are several"
        )
    pairs = zip(singles, outputs, strict=True)
    same = all(torch.equal(a, b) for one, other in pairs for a, b in zip(one, other, strict=True))
    return {**wafer.report["stream"], "same_as_calls": same}


def _step(progress: Progress, text: str, work: Callable[[], Any]) -> Any:
    task = progress.add_task(text, total=None)
    try:
        return work()
    finally:
        progress.remove_task(task)


def _first(output: Any) -> torch.Tensor:
    leaves = pytree.tree_leaves(output)
    return leaves[0].detach()


def _measure_both(
    workload: OpenedModel, eager: Callable[..., Any], cpu: Compiled, threads: int, progress: Progress
) -> tuple[Measured, Measured]:
    """PyTorch and compiled code in turn on the same batches, so that a drift of the machine meets both.

    PyTorch gets as many threads as the compiled code has.
    """
    calls: Sequence[Callable[..., Any]] = (eager, cpu)
    outputs: tuple[TorchOutputs, TorchOutputs] = ([], [])
    seconds: tuple[list[float], list[float]] = ([], [])
    with torch_threads(threads):
        for batch in progress.track(workload.batches, description="PyTorch and CPU"):
            for call, collected in zip(calls, outputs, strict=True):
                collected.append(_first(call(*batch, **workload.kwargs)))
            for _ in range(CALLS_PER_BATCH):
                for call, times in zip(calls, seconds, strict=True):
                    times.append(_timed(call, batch, workload.kwargs))
    on_torch, compiled = (
        Measured(torch.cat(o), statistics.median(s)) for o, s in zip(outputs, seconds, strict=True)
    )
    return on_torch, compiled


def _timed(call: Callable[..., Any], batch: tuple[Any, ...], kwargs: Mapping[str, Any]) -> float:
    start = time.perf_counter()
    call(*batch, **kwargs)
    return time.perf_counter() - start


def _run_wafer(workload: OpenedModel, wafer: Compiled, progress: Progress) -> Measured:
    outputs: TorchOutputs = []
    seconds: list[float] = []
    cycles = 0.0
    for batch in progress.track(workload.batches, description="simulated wafer"):
        start = time.perf_counter()
        outputs.append(_first(wafer(*batch, **workload.kwargs)))
        seconds.append(time.perf_counter() - start)
        cycles += wafer.report["cycles"]["makespan"]
    return Measured(torch.cat(outputs), statistics.median(seconds), cycles)


def _print(comparison: BackendComparison, target: str, console: Console) -> None:
    data = comparison.as_json()
    if "accuracy" in data:
        shown = ", ".join(f"{name} {value:.4f}" for name, value in data["accuracy"].items())
        console.print(f"accuracy: {shown}")
        same = "identical" if data["predictions_identical"] else "NOT identical"
        console.print(f"predictions of the three: {same}")
    errors = data["max_relative_error"]
    console.print(f"largest difference from PyTorch: CPU {errors['cpu']:.1e}, wafer {errors['wafer']:.1e}")
    eager, cpu = comparison.eager.seconds, comparison.cpu.seconds
    threads = "one thread" if comparison.threads == 1 else f"{comparison.threads} threads"
    console.print(
        f"time of a call on {threads}, median: PyTorch {eager * 1e6:.0f} us, CPU {cpu * 1e6:.0f} us "
        f"({eager / cpu:.2f} times as fast)"
    )
    cycles = f"{comparison.wafer.cycles:,.0f}"
    console.print(f"wafer '{target}': {cycles} cycles over all batches; one call by layer:")
    reports = wafer_reports(comparison.wafer_report)
    for report in reports:
        console.print(layer_table(report, width=console.width))
        console.print(layer_summary(report, again=len(reports) > 1))
    if "parts" in comparison.wafer_report:
        console.print(parts_text(comparison.wafer_report), markup=False)
        console.print(call_text(comparison.wafer_report), markup=False)
    if comparison.stream is not None:
        console.print(stream_text(comparison.stream), markup=False)
