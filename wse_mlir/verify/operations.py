"""Every operation of a model alone, at every stage, on the values that it has in the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..dialects.context import create_context
from ..frontend.imported import ImportedModel
from .extract import Extract, extracts
from .subject import Subject
from .verify import StageResult, Verification


@dataclass(frozen=True)
class OperationResult:
    """An operation's errors.

    Attributes:
        level: the stage that the operation was taken from.
        name / origin: the operation, and its place in the model.
        stages: what came of it at each stage, compared with the operation as it was taken.
    """

    level: str
    name: str
    origin: str
    stages: tuple[StageResult, ...]

    @property
    def badness(self) -> float:
        """The largest error in units of what is allowed; infinite where something does not run."""
        if any(stage.failure for stage in self.stages):
            return float("inf")
        compared = [stage.comparison for stage in self.stages if stage.comparison is not None]
        pairs = [pair for c in compared for pair in zip(c.errors, c.allowed, strict=True)]
        return max((_ratio(error, allowed) for error, allowed in pairs), default=0.0)


def _ratio(error: float, allowed: float) -> float:
    if error <= 0.0:
        return 0.0
    return error / allowed if allowed else float("inf")


def compare_operations(verification: Verification, target: str) -> Iterator[OperationResult]:
    """Verifies the operations of stage `imported`, then the fused ones of stage `tensor`, one by one.

    Args:
        verification: whose stages have been run.

    Yields:
        A result an operation; none where upstream's passes cannot run the model, for then its values are not known.
    """
    for level, program in verification.programs_on_tensors():
        for extract in extracts(program, verification.subject.calls):
            stages = tuple(Verification(_as_subject(extract), target).stages())
            yield OperationResult(level, extract.name, extract.origin, stages)


def _as_subject(extract: Extract) -> Subject:
    context = create_context()
    module = extract.snapshot.module(context)
    return Subject(ImportedModel(module, extract.calls.interface, context), extract.calls, None)
