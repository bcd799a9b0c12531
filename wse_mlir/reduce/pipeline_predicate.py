"""Interesting is what a pipeline fails or crashes on."""

from __future__ import annotations

from collections.abc import Callable

from ..dialects.host import ir
from ..passes.infra.diagnostics import CompilerError
from .outcome import PipelineOutcome, run_apart


class PipelinePredicate:
    """Interesting is what a pipeline fails or crashes on.

    With `message`, every failure and every crash that mentions it counts. Without, the input is tested first, and
    what ends as that did counts: see `PipelineOutcome.is_like`.
    """

    def __init__(
        self,
        pipeline: str,
        context: ir.Context,
        *,
        message: str | None = None,
        verify_each: bool = True,
        timeout: float | None = None,
    ) -> None:
        self.message = message
        self.timeouts = 0
        self.run: Callable[[str], PipelineOutcome] = lambda text: run_apart(
            text, pipeline, context, verify_each=verify_each, timeout=timeout
        )
        self.wanted: PipelineOutcome | None = None
        self.last = PipelineOutcome("succeeds")

    def __call__(self, text: str) -> bool:
        self.last = self.run(text)
        if self.message is not None:
            interesting = self.last.mentions(self.message)
        elif self.wanted is None:  # the input's own test
            interesting = self.last.kind in ("fails", "crashes")
            self.wanted = self.last if interesting else None
        else:
            interesting = self.last.is_like(self.wanted)
        self.timeouts += self.last.kind == "does not end"
        return interesting

    def explain(self) -> CompilerError:
        wanted = "" if self.message is None else f", not with '{self.message}'"
        hint = "" if self.message is None else "--message is a part of what the failing pass says"
        if self.last.kind == "does not end":
            hint = "--timeout SECONDS gives it more"
        return CompilerError(f"the input is not interesting: {self.last}{wanted}", hint=hint)
