"""Runs every stage of the compiler that can be executed, to compare each with PyTorch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils import _pytree as pytree

from ..passes.infra.diagnostics import CompilerError
from .agreement import relative_error
from .compile import compile_for
from .named import LOOPS, REFERENCE, TENSOR, named_pipeline
from .runtime.cpu import CpuTarget
from .targets import Target, find_target

F32_ON_CPU, F32_ON_WAFER, NARROW = 1e-4, 1e-3, 1e-2


@dataclass(frozen=True)
class ExecutableStage:
    """A stage as something that can be run.

    Attributes:
        name: the stage, in the order in which IR passes through.
        meaning: what differs from the stage before, i.e. what is at fault when this is the first to differ.
        target: makes the target that lowers to this stage by our passes, and from there by plain ones.
        tolerance: error up to which f32 outputs match.
    """

    name: str
    meaning: str
    target: Callable[[], Target]
    tolerance: float = F32_ON_CPU


@dataclass(frozen=True)
class StageResult:
    """What came of one stage.

    Attributes:
        errors: per output, of all calls, the largest relative error; empty when it did not run.
        failure: the compiler's message when it did not run.
    """

    stage: ExecutableStage
    errors: tuple[float, ...] = ()
    failure: str = ""
    matches: bool = False


def executable_stages(wafer: str) -> tuple[ExecutableStage, ...]:
    """The stages for the CPU and one wafer target, in order."""

    def text(*pipelines: Any) -> str:
        passes = ",".join(stage.text for pipeline in pipelines for stage in pipeline.stages if stage.text)
        return f"builtin.module({passes})"

    cpu = named_pipeline("cpu")
    return (
        ExecutableStage(
            "imported",
            "the import of the model to linalg",
            lambda: CpuTarget(text(REFERENCE), states_in_place=False),
        ),
        ExecutableStage(
            "tensor",
            "the passes on tensors (fold, generalize, fuse)",
            lambda: CpuTarget(text(TENSOR, REFERENCE), states_in_place=False),
        ),
        ExecutableStage(
            "bufferized",
            "bufferization",
            lambda: CpuTarget(text(cpu.until("bufferized"), LOOPS)),
        ),
        ExecutableStage("llvm", "vectorisation and the lowering to LLVM", lambda: CpuTarget(cpu.text)),
        ExecutableStage("wafer", f"the lowering to '{wafer}'", lambda: find_target(wafer), F32_ON_WAFER),
    )


def verify_stages(
    model: Any, batches: Sequence[tuple[Any, ...]], stages: Sequence[ExecutableStage]
) -> Iterator[StageResult]:
    """Compares each stage with eager PyTorch on the same inputs; yields results as they come.

    The calls are made in a row on a fresh copy of the model, so that state is compared too.
    """
    expected = [_leaves(call) for call in _eager_calls(model, batches)]
    for stage in stages:
        try:
            compiled = compile_for(stage.target(), copy.deepcopy(model), batches[0])
            actual = [_leaves(compiled(*batch)) for batch in batches]
        except CompilerError as error:
            yield StageResult(stage, failure=str(error))
            continue
        yield _judge(stage, actual, expected)


def _eager_calls(model: Any, batches: Sequence[tuple[Any, ...]]) -> Iterator[Any]:
    fresh = copy.deepcopy(model)
    with torch.no_grad():
        for batch in batches:
            try:
                yield fresh(*batch)
            except Exception as error:  # whatever the user's own code raises
                raise CompilerError(
                    f"the model fails in PyTorch already: {type(error).__name__}: {error}",
                    hint="check the inputs that the workload gives",
                ) from error


def _leaves(output: Any) -> list[torch.Tensor]:
    return [leaf.detach().clone() for leaf in pytree.tree_leaves(output) if isinstance(leaf, torch.Tensor)]


def _judge(
    stage: ExecutableStage, actual: list[list[torch.Tensor]], expected: list[list[torch.Tensor]]
) -> StageResult:
    per_output = [
        max(relative_error(a, b) for a, b in zip(got, wanted, strict=True))
        for got, wanted in zip(zip(*actual, strict=True), zip(*expected, strict=True), strict=True)
    ]
    allowed = [NARROW if t.dtype in (torch.float16, torch.bfloat16) else stage.tolerance for t in expected[0]]
    matches = all(error <= limit for error, limit in zip(per_output, allowed, strict=True))
    return StageResult(stage, tuple(per_output), matches=matches)
