"""Work in a process of its own: what crashes or never ends there is told, and the caller lives on.

The process is a fork, so that passes of plugins, modules and arrays are there without being sent. Nothing in it may
use PyTorch's threads, which a fork does not have.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import pickle
import select
import signal
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, BinaryIO, NoReturn

from ..passes.infra.crashes import describe_end
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.pass_manager import PipelineFailure

TIME_LIMIT = 300.0  # seconds
_M_PERTURB = -6  # glibc: memory is filled with a pattern when it is allocated and freed
PATTERN = 0xA5

SendResult = Callable[[Any], None]


@dataclass(frozen=True)
class Failure:
    """A message of the compiler; `pass_name` is empty when no pass failed."""

    message: str
    pass_name: str = ""
    where: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.message}" if self.where else self.message


@dataclass(frozen=True)
class Outcome:
    """How isolated work ended: with a value, a failure or a crash.

    Attributes:
        value: what the work returned.
        sent: what it sent before it ended, in order.
        failure: the error that it raised.
        crash: how the process ended before its time: the signal, or that it did not end.
    """

    value: Any = None
    sent: list[Any] = field(default_factory=list)
    failure: Failure | None = None
    crash: str = ""

    @property
    def returned(self) -> bool:
        """Whether the work came to its end."""
        return self.failure is None and not self.crash


def isolated(work: Callable[[SendResult], Any], time_limit: float = TIME_LIMIT) -> Outcome:
    """Runs `work` in a forked process; its argument sends values that arrive even if the process dies later.

    Memory that it allocates is filled with a pattern first, so that what reads memory that nobody wrote is seen to.

    Args:
        time_limit: in seconds; work that sends nothing for longer is ended.
    """
    reader, writer = os.pipe()
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as said:
        child = os.fork()
        if child == 0:
            os.close(reader)
            _work_and_leave(work, writer, said)
        os.close(writer)
        with os.fdopen(reader, "rb", buffering=0) as pipe:
            messages, in_time = _receive(pipe, time_limit)
        if not in_time:
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        said.seek(0)
        last_words = said.read().decode(errors="replace").strip().splitlines()
    sent = [value for kind, value in messages if kind == "sent"]
    ends = [(kind, value) for kind, value in messages if kind != "sent"]
    if ends:
        kind, value = ends[-1]
        return Outcome(value, sent) if kind == "returned" else Outcome(None, sent, value)
    if not in_time:
        return Outcome(None, sent, crash=f"no end within {time_limit:g} s")
    return Outcome(None, sent, crash=_signal_of(status, last_words))


def _work_and_leave(work: Callable[[SendResult], Any], writer: int, said: BinaryIO) -> NoReturn:
    """The forked process's whole life."""
    try:
        faulthandler.disable()
        os.dup2(said.fileno(), 2)
        os.dup2(said.fileno(), 1)
        _perturb_memory()

        def send(kind: str, value: Any) -> None:
            data = pickle.dumps((kind, value), protocol=5)
            _write_all(writer, len(data).to_bytes(8, "little") + data)

        try:
            send("returned", work(lambda value: send("sent", value)))
        except PipelineFailure as error:
            send("raised", Failure(_text(error), error.pass_name, error.where))
        except CompilerError as error:
            send("raised", Failure(_text(error), "", error.where))
        except Exception as error:
            send("raised", Failure(f"internal error: {type(error).__name__}: {error}"))
    finally:
        os._exit(0)


def _text(error: CompilerError) -> str:
    return f"{error.message} ({error.hint})" if error.hint else error.message


def _perturb_memory() -> None:
    """Fills memory from now on. Only the GNU C library can; elsewhere memory holds what it held."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_PERTURB, PATTERN)


def _write_all(writer: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(writer, view) :]


def _receive(pipe: Any, time_limit: float) -> tuple[list[tuple[str, Any]], bool]:
    """All messages until the pipe closes, and whether it did so without a silence that was too long."""
    data = bytearray()
    in_time = False
    while select.select([pipe], [], [], time_limit)[0]:
        chunk = pipe.read(1 << 20)
        if not chunk:
            in_time = True
            break
        data += chunk
    messages = []
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 8], "little")
        if at + 8 + size > len(data):
            break  # the process died while it wrote
        messages.append(pickle.loads(data[at + 8 : at + 8 + size]))
        at += 8 + size
    return messages, in_time


def _signal_of(status: int, last_words: list[str]) -> str:
    assertion = next((line for line in last_words if "Assertion" in line or "LLVM ERROR" in line), "")
    return f"{describe_end(status)}{': ' + assertion if assertion else ''}"
