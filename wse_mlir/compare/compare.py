"""Runs a model on several targets and compares what comes out and what it costs."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils import _pytree as pytree

from ..compiler.compile import Compiled, compile_for
from ..compiler.workload import OpenedModel, fresh_copy
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.pass_manager import Instrumentation
from ..passes.infra.timing import Announce
from .agreement import relative_error, tolerance
from .census import EffectsObserver, PassEffect
from .live_bytes import peak_temporaries
from .targets import ChosenTarget
from .threads import torch_threads

_SECONDS_OF_TIMING = 0.5  # a target; calls are made in turn until then
_MOST_CALLS, _FEWEST_CALLS = 200, 3


@dataclass
class Row:
    """One target's answer.

    Attributes:
        target: as the user wrote it.
        failure: the compiler's message when the model does not run there; nothing else is known then.
        seconds: median of a call on one thread, for targets that run on this machine; a wafer's makespan by its clock;
            None for a program in parts on both.
        cycles: of one call on a wafer ("device" is the mean over PEs, "makespan" the slowest one's, "host_io"); empty
            elsewhere.
        memory: bytes by what they hold. On a CPU "parameters", "state" and "temporaries" (the most that is alive at a
            time); on a wafer "high_water" and "capacity" of the fullest PE, and "pes".
        errors: per output over all batches against the reference; matches: whether all are within the tolerance.
        compile_seconds: wall time from model to something that runs.
        effects: what each pass changed.
    """

    target: str
    failure: str = ""
    seconds: float | None = None
    cycles: Mapping[str, float] = field(default_factory=dict)
    memory: Mapping[str, int] = field(default_factory=dict)
    errors: tuple[float, ...] = ()
    matches: bool = True
    compile_seconds: float | None = None
    effects: Sequence[PassEffect] = ()

    @property
    def on_wafer(self) -> bool:
        """Whether its time is counted in cycles."""
        return bool(self.cycles)


@dataclass(frozen=True)
class _Runner:
    """A model that can be called, and the row that its results go to."""

    row: Row
    call: Callable[..., Any]
    compiled: Compiled | None = None


def compare(
    opened: OpenedModel, targets: Sequence[ChosenTarget], step: Announce = lambda text: None
) -> list[Row]:
    """One row for each target, in order.

    Results are compared with eager PyTorch's, or with the first target that runs when the model is not PyTorch's. Each
    target makes all calls in a row on a model of its own, so that state is compared too.

    Raises:
        CompilerError: the model fails in PyTorch already, or eager is asked for and there is no such model.
    """
    opened = opened.with_inputs()
    eager = opened.eager()
    if eager is None and any(chosen.target is None for chosen in targets):
        raise CompilerError(
            f"'{opened.source}' is not a PyTorch model: there is nothing to run eagerly",
            hint="leave 'eager' out; the first target is what others are compared with then",
        )
    runners: list[_Runner] = []
    rows: list[Row] = []
    expected = _reference(eager, opened)
    for chosen in targets:
        step(chosen.text)
        runner, row = _prepare(chosen, opened, eager, step)
        rows.append(row)
        if runner is None:
            continue
        actual = expected if chosen.target is None and expected else _outputs(runner.call, opened)
        expected = expected or actual
        row.errors, row.matches = _judge(actual, expected, wafer=_is_wafer(runner))
        if _is_wafer(runner):
            _read_wafer(row, runner)
        runners.append(runner)
    step("timing")
    _time([runner for runner in runners if not _is_wafer(runner)], opened)
    return rows


def _prepare(
    chosen: ChosenTarget, opened: OpenedModel, eager: Callable[..., Any] | None, step: Announce
) -> tuple[_Runner | None, Row]:
    """Compiles; a target that cannot run the model says so in its row."""
    row = Row(chosen.text)
    if chosen.target is None:
        assert eager is not None, "compare() has looked"
        peak = peak_temporaries(fresh_copy(eager), opened.example_args, opened.kwargs)
        row.memory = _bytes_of_module(eager) | ({} if peak is None else {"temporaries": peak})
        return _Runner(row, fresh_copy(eager)), row
    observer = EffectsObserver(lambda name: step(f"{chosen.text}: {name}"))
    start = time.perf_counter()
    try:
        compiled = compile_for(
            chosen.target,
            fresh_copy(opened.model),
            opened.example_args,
            opened.kwargs,
            dynamic_shapes=opened.dynamic_shapes,
            options=chosen.options,
            instrumentation=Instrumentation(verify_each=False, observers=[observer]),
        )
    except CompilerError as error:
        row.failure = str(error)
        return None, row
    row.compile_seconds = time.perf_counter() - start
    row.effects = observer.effects
    row.memory = {**_bytes_of(compiled), "temporaries": observer.peak}
    return _Runner(row, compiled, compiled), row


def _bytes_of_module(model: Callable[..., Any]) -> dict[str, int]:
    """Bytes of a PyTorch model's own tensors, shared ones once."""
    tensors = [*model.parameters(), *model.buffers()] if isinstance(model, torch.nn.Module) else []
    storages = {t.untyped_storage()._cdata: t.untyped_storage().nbytes() for t in tensors}
    return {"parameters": sum(storages.values()), "state": 0}


def _bytes_of(compiled: Compiled) -> dict[str, int]:
    """Bytes of what compiled code is bound to."""

    def of_kind(kind: str) -> int:
        tensors = [a.tensor for a in compiled.interface.arguments if a.kind == kind and a.tensor is not None]
        return sum(tensor.numel() * tensor.element_size() for tensor in tensors)

    return {"parameters": of_kind("parameter"), "state": of_kind("state")}


def _is_wafer(runner: _Runner) -> bool:
    return runner.compiled is not None and "cycles" in runner.compiled.report


def _read_wafer(row: Row, runner: _Runner) -> None:
    """Cycles and memory of the last call."""
    assert runner.compiled is not None
    report = runner.compiled.report
    row.cycles = {name: report["cycles"][name] for name in ("device", "makespan", "host_io")}
    if "parts" not in report:  # nobody knows what the CPU beside a real wafer takes
        row.seconds = report["cycles"]["makespan"] / (report["clock_ghz"] * 1e9)
    row.memory = {
        "high_water": report["sram"]["high_water"],
        "capacity": report["sram"]["capacity"],
        "pes": report["pes"],
    }


def _reference(eager: Callable[..., Any] | None, opened: OpenedModel) -> list[list[torch.Tensor]]:
    if eager is None:
        return []
    try:
        return _outputs(fresh_copy(eager), opened)
    except Exception as error:  # whatever the user's own code raises
        raise CompilerError(
            f"the model fails in PyTorch already: {type(error).__name__}: {error}",
            hint="check the inputs that the workload gives",
        ) from error


def _outputs(call: Callable[..., Any], opened: OpenedModel) -> list[list[torch.Tensor]]:
    with torch.no_grad():
        return [_leaves(call(*batch, **opened.kwargs)) for batch in opened.batches]


def _leaves(output: Any) -> list[torch.Tensor]:
    return [leaf.detach().clone() for leaf in pytree.tree_leaves(output) if isinstance(leaf, torch.Tensor)]


def _judge(
    actual: list[list[torch.Tensor]], expected: list[list[torch.Tensor]], *, wafer: bool
) -> tuple[tuple[float, ...], bool]:
    pairs = list(zip(zip(*actual, strict=True), zip(*expected, strict=True), strict=True))
    errors = tuple(
        max(relative_error(a, b) for a, b in zip(got, wanted, strict=True)) for got, wanted in pairs
    )
    limits = [tolerance(tensor.dtype, on_wafer=wafer) for tensor in expected[0]]
    return errors, all(error <= limit for error, limit in zip(errors, limits, strict=True))


def _time(runners: Sequence[_Runner], opened: OpenedModel) -> None:
    """Calls in turn on the first batch, so that a drift of the machine meets all; medians go to the rows."""
    seconds: list[list[float]] = [[] for _ in runners]
    batch, kwargs = opened.batches[0], opened.kwargs
    with torch.no_grad(), torch_threads():
        for runner in runners:
            runner.call(*batch, **kwargs)
        start = time.perf_counter()
        for turn in range(_MOST_CALLS):
            for runner, times in zip(runners, seconds, strict=True):
                began = time.perf_counter()
                runner.call(*batch, **kwargs)
                times.append(time.perf_counter() - began)
            spent = time.perf_counter() - start
            if turn + 1 >= _FEWEST_CALLS and spent > _SECONDS_OF_TIMING * len(runners):
                break
    for runner, times in zip(runners, seconds, strict=True):
        runner.row.seconds = statistics.median(times)
