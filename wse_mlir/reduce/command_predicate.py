"""Interesting is what a command exits with 0 for."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from ..passes.infra.diagnostics import CompilerError

PLACE_OF_FILE = "{}"


@dataclass(frozen=True)
class CommandRun:
    """How a command ended.

    Attributes:
        code: its exit code, negative for a signal; None when it was stopped at the timeout.
        last_line: the last line that it wrote to standard error.
    """

    code: int | None
    last_line: str


class CommandPredicate:
    """Interesting is what a command exits with 0 for; the command gets the path of a file with the text.

    A context manager: the file's folder is removed in the end.

    Args:
        command: words as in a shell, which is not involved; `{}` stands for the file's path, which comes last
            when there is none.
        timeout: seconds after which the command is stopped, with all processes that it started.

    Raises:
        CompilerError: the command is empty, does not exist or cannot be executed.
    """

    def __init__(self, command: str, timeout: float | None = None) -> None:
        self.command = command
        self.words = _words_of(command)
        self.timeout = timeout
        self.timeouts = 0
        self.last = CommandRun(None, "")

    def __enter__(self) -> CommandPredicate:
        self._folder = tempfile.TemporaryDirectory(prefix="wse-reduce-")
        self.file = Path(self._folder.name) / "candidate.mlir"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._folder.cleanup()

    def __call__(self, text: str) -> bool:
        self.file.write_text(text, encoding="utf-8")
        self.last = self._run([word.replace(PLACE_OF_FILE, str(self.file)) for word in self.words])
        self.timeouts += self.last.code is None
        return self.last.code == 0

    def _run(self, words: list[str]) -> CommandRun:
        with tempfile.TemporaryFile() as errors:
            try:
                process = subprocess.Popen(
                    words, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True
                )  # fmt: skip
            except OSError as error:
                hint = "a script's first line names its interpreter: #!/bin/sh"
                raise CompilerError(f"'{words[0]}' cannot be executed: {error.strerror}", hint=hint) from None
            code: int | None = None
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    code = process.wait(self.timeout)
            finally:
                _end_group(process)
            errors.seek(0)
            lines = errors.read().decode(errors="replace").strip().splitlines()
        return CommandRun(code, lines[-1].strip() if lines else "")

    def explain(self) -> CompilerError:
        if self.last.code is None:
            message = f"the command does not end within {self.timeout:g} s: {self.command}"
            return CompilerError(message, hint="--timeout SECONDS gives it more")
        notes = (f"standard error ends in: {self.last.last_line}",) if self.last.last_line else ()
        ended = (
            f"exits with code {self.last.code}"
            if self.last.code >= 0
            else f"is ended by {signal.Signals(-self.last.code).name}"
        )
        return CompilerError(
            f"the input is not interesting: the command {ended}: {self.command}",
            notes=notes,
            hint="it has to exit with 0 when the file shows what is looked for",
        )


def _words_of(command: str) -> list[str]:
    try:
        words = shlex.split(command)
    except ValueError as error:
        raise CompilerError(f"the command cannot be split into words: {error}", where=command) from None
    if not words:
        raise CompilerError("the command is empty", hint="--test ./interesting.sh")
    if shutil.which(words[0]) is None:
        raise _no_command(words[0])
    if not any(PLACE_OF_FILE in word for word in words):
        words.append(PLACE_OF_FILE)
    return words


def _no_command(name: str) -> CompilerError:
    path = Path(name)
    if path.is_file() and not os.access(path, os.X_OK):
        return CompilerError(f"'{name}' is not executable", hint=f"chmod +x {shlex.quote(name)}")
    if path.is_file():
        return CompilerError(
            f"there is no command '{name}'", hint=f"for the file here: ./{shlex.quote(name)}"
        )
    return CompilerError(
        f"there is no command '{name}'", hint="--test 'COMMAND ARGUMENTS', run without a shell"
    )


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """Ends whatever the command has left behind: it is the first of its own process group."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
