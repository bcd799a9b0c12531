"""The system's C compiler and, through it, the linker."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ...passes.infra.diagnostics import CompilerError

_NAMES = ("cc", "gcc", "clang")
_SHOWN_LINES = 6  # of what a compiler said


@dataclass
class Toolchain:
    """A C compiler that takes gcc's options.

    Attributes:
        command: how it is called.
        ran: the command lines that were run, for people who ask.
    """

    command: tuple[str, ...]
    ran: list[str] = field(default_factory=list)

    @staticmethod
    def find() -> Toolchain:
        """The compiler that the environment variable CC names, else the first of cc, gcc and clang.

        Raises:
            CompilerError: there is none.
        """
        given = os.environ.get("CC", "").strip()
        if given:
            command = _split(given)
            if shutil.which(command[0]) is None:
                raise CompilerError(
                    f"there is no C compiler '{command[0]}', which the environment variable CC asks for",
                    hint="set CC to a C compiler, such as gcc or clang, or unset it",
                )
            return Toolchain(command)
        for name in _NAMES:
            if shutil.which(name) is not None:
                return Toolchain((name,))
        raise CompilerError(
            f"there is no C compiler: none of {', '.join(_NAMES)} is on the PATH",
            hint="install gcc or clang (on Debian and Ubuntu: apt install gcc), or set CC to the path of one",
        )

    def run(self, arguments: Sequence[str], what: str, folder: Path) -> None:
        """Calls the compiler.

        Args:
            what: it is called for, as in "linking 'libnet.so'"; names the step in messages.
            folder: that it is called in.

        Raises:
            CompilerError: it cannot be run or fails; carries the beginning of what it said.
        """
        line = [*self.command, *arguments]
        self.ran.append(shlex.join(line))
        english = {**os.environ, "LC_ALL": "C"}
        try:
            done = subprocess.run(
                line, cwd=folder, env=english, capture_output=True, text=True, errors="replace"
            )
        except OSError as error:
            raise CompilerError(
                f"{what} failed: '{self.command[0]}' cannot be run: {error.strerror}"
            ) from None
        if done.returncode != 0:
            said = [text for text in (done.stderr or done.stdout).splitlines() if text.strip()]
            said = said[:_SHOWN_LINES] or [f"it ended with status {done.returncode} and said nothing"]
            raise CompilerError(
                f"{what} failed: '{shlex.join(self.command)}' did not succeed",
                notes=(*said, f"command: {_shortened(shlex.join(line))}"),
                hint=_hint("\n".join(said)),
            )


def _split(command: str) -> tuple[str, ...]:
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise CompilerError(f"the environment variable CC is not a command: {error}: {command}") from None


def _shortened(line: str, limit: int = 300) -> str:
    return line if len(line) <= limit else f"{line[:limit]} ..."


def _hint(said: str) -> str:
    if "cannot find 'ld'" in said or "unable to execute command" in said or "cannot execute" in said:
        return "the compiler finds no assembler or linker: install binutils, or put its folder on the PATH"
    if "stdint.h" in said or "stdio.h" in said or "crti.o" in said or "Scrt1.o" in said:
        return "the C library's headers are missing (on Debian and Ubuntu: apt install libc6-dev)"
    return "the C compiler must be gcc or clang, for this machine; CC chooses another one"
