"""How a pipeline ends on some IR, found out in a process of its own: a crash is an outcome like another."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import re
import resource
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import IO, Literal

from ..dialects.host import ir
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.pass_manager import Instrumentation, PipelineFailure, run_pipeline
from ..passes.infra.plan import PythonStep, UpstreamStep

OutcomeKind = Literal["succeeds", "fails", "crashes", "does not end"]

# What differs between two reports of one defect: names, types, numbers.
_VARIABLE = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"|<[^\n]*>|[%@#^][\w$.-]+|\d+")


@dataclass(frozen=True)
class PipelineOutcome:
    """How a run of a pipeline ended.

    Attributes:
        kind: whether and how it ended.
        pass_name: the pass that failed or was running; empty for a success.
        message: why it failed, or which signal or exit code ended the process.
        output: what was written to standard output and error meanwhile.
    """

    kind: OutcomeKind
    pass_name: str = ""
    message: str = ""
    output: str = ""

    def __str__(self) -> str:
        if self.kind == "succeeds":
            return "the pipeline succeeds"
        reason = f": {self.message}" if self.message else ""
        return f"the pipeline {self.kind} in pass '{self.pass_name}'{reason}"

    def mentions(self, text: str) -> bool:
        """Whether it is a failure or a crash that says `text`, in its message or its output."""
        return self.kind in ("fails", "crashes") and (text in self.message or text in self.output)

    def is_like(self, other: PipelineOutcome) -> bool:
        """Whether both are the same defect: kind, pass, and the message's words without names, types and numbers."""
        return (self.kind, self.pass_name, _words(self.message)) == (
            other.kind,
            other.pass_name,
            _words(other.message),
        )


def _words(message: str) -> str:
    return _VARIABLE.sub("", message.partition("\n")[0])


def run_apart(
    text: str, pipeline: str, context: ir.Context, *, verify_each: bool = True, timeout: float | None = None
) -> PipelineOutcome:
    """Runs a pipeline on a module's text in a child of this process.

    Args:
        text: a module that parses in `context`, of which the child has a copy.
        pipeline: as for `run_pipeline`; checked beforehand.
        verify_each: verify the IR after every pass.
        timeout: seconds after which the child is ended; None waits for ever.

    Raises:
        CompilerError: the pipeline cannot run on a module.
    """
    processes = multiprocessing.get_context("fork")
    receiver, sender = processes.Pipe(duplex=False)
    with tempfile.TemporaryFile() as output, receiver:
        arguments = (sender, output, text, pipeline, context, verify_each)
        child = processes.Process(target=_child, args=arguments)
        child.start()
        sender.close()
        try:
            said = _listen(receiver, timeout)
        finally:
            child.kill()
            child.join()
        output.seek(0)
        written = output.read().decode(errors="replace")
        if isinstance(said, CompilerError):
            raise said
        if isinstance(said, PipelineOutcome):
            return PipelineOutcome(said.kind, said.pass_name, said.message, written)
        running, ended = said
        if not ended:
            return PipelineOutcome("does not end", running, "", written)
        return PipelineOutcome("crashes", running, _how_it_ended(child.exitcode or 0), written)


def _listen(
    receiver: Connection, timeout: float | None
) -> PipelineOutcome | CompilerError | tuple[str, bool]:
    """The child's outcome or complaint; or the pass that it was in, and whether it ended by itself."""
    deadline = None if timeout is None else time.monotonic() + timeout
    running = ""
    while True:
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        if not receiver.poll(left):
            return running, False
        try:
            said = receiver.recv()
        except EOFError:
            return running, True
        if not isinstance(said, str):
            return said
        running = said


def _how_it_ended(code: int) -> str:
    if code < 0:
        return f"signal {signal.Signals(-code).name}"
    return f"exit code {code}"


class _Announcer:
    """Tells the parent which pass is running."""

    def __init__(self, sender: Connection) -> None:
        self.sender = sender

    def before_pass(self, step: PythonStep | UpstreamStep, root: ir.Operation) -> None:
        self.sender.send(step.name)

    def after_pass(self, step: PythonStep | UpstreamStep, root: ir.Operation) -> None:
        pass


def _child(
    sender: Connection, output: IO[bytes], text: str, pipeline: str, context: ir.Context, verify_each: bool
) -> None:
    for stream in (1, 2):
        os.dup2(output.fileno(), stream)
    sys.stdout = sys.stderr = os.fdopen(2, "w", errors="replace", closefd=False)
    faulthandler.enable(output)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # many crashes are to be expected
    try:
        module = ir.Module.parse(text, context)
        watch = Instrumentation(verify_each=verify_each, reproducer=None, observers=[_Announcer(sender)])
        run_pipeline(module, pipeline, instrumentation=watch)
        outcome = PipelineOutcome("succeeds")
    except PipelineFailure as failure:
        outcome = PipelineOutcome("fails", failure.pass_name, failure.message)
    except CompilerError as error:  # the pipeline's own fault, nothing has run
        outcome = CompilerError(error.message, where=error.where, hint=error.hint)
    sender.send(outcome)
