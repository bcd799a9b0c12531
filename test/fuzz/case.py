"""What a fuzz case is, and how it is judged: in a process of its own, by what a user would see."""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from wse_mlir import CompilerError
from wse_mlir.verify.isolation import isolated

TIME_LIMIT = 120.0  # seconds; what takes longer hangs as far as a user can tell
LONGEST_MESSAGE = 3000  # characters
MOST_LINES = 30
# Words that speak of our insides; a user can do nothing with them.
_UNREADABLE = re.compile(
    r"Traceback \(most recent|internal error|object at 0x|AssertionError|KeyError|IndexError|AttributeError"
    r"|nanobind|<class '|Stack dump|PLEASE submit"
)

Kind = Literal["crash", "hang", "wrong", "unreadable"]


class Wrong(Exception):
    """A number that differs from the reference."""


@dataclass(frozen=True)
class Problem:
    """A defect that a case shows; `detail` is what reductions have to keep, up to numbers."""

    kind: Kind
    detail: str

    def is_like(self, other: Problem | None) -> bool:
        """Whether two problems look like one defect: of one kind, and told in the same words up to numbers."""
        if other is None or other.kind != self.kind:
            return False
        return self.kind in ("wrong", "hang") or _shape(self.detail) == _shape(other.detail)


@dataclass(frozen=True)
class Verdict:
    """How a case ended: `ran`, `refused` with a message, or with a problem."""

    outcome: Literal["ran", "refused", "problem"]
    message: str = ""
    problem: Problem | None = None


class Case(Protocol):
    """Something that a user might do, drawn from a seed."""

    def run(self) -> None:
        """Does it; raises `CompilerError` where it is refused, `Wrong` where a number is."""
        ...

    def files(self) -> dict[str, bytes]:
        """What somebody needs to do it again, by file name."""
        ...

    def smaller(self) -> Iterator[Case]:
        """Simpler cases that may show the same, the simplest first."""
        ...


def judge(case: Case, time_limit: float = TIME_LIMIT) -> Verdict:
    """Runs a case in a fork of this process and says how it ended."""
    outcome = isolated(lambda _: _run(case), time_limit)
    if outcome.crash:
        kind: Kind = "hang" if outcome.crash.startswith("no end") else "crash"
        return _problem(kind, outcome.crash)
    if outcome.failure is not None:
        return _problem("crash", str(outcome.failure))
    how, text = outcome.value
    if how in ("crash", "wrong"):
        return _problem(how, text)
    if how == "refused":
        if complaint := complaint_about(text):
            return _problem("unreadable", f"{complaint}: {text}")
        return Verdict("refused", text)
    return Verdict("ran")


def complaint_about(message: str) -> str:
    """What is wrong with a message to a user; nothing when it can be read."""
    if not message.strip():
        return "an empty message"
    if len(message) > LONGEST_MESSAGE or message.count("\n") > MOST_LINES:
        return "a message too long to read"
    found = _UNREADABLE.search(message)
    return f"a message with '{found.group()}' in it" if found else ""


def _run(case: Case) -> tuple[str, str]:
    try:
        case.run()
    except CompilerError as error:
        return "refused", str(error)
    except Wrong as error:
        return "wrong", str(error)
    except Exception:
        return "crash", traceback.format_exc()
    return "ran", ""


def _problem(kind: Any, detail: str) -> Verdict:
    return Verdict("problem", problem=Problem(kind, detail))


def _shape(text: str) -> str:
    """The last line of a text without its numbers, and the places in our sources that a trace goes through."""
    lines = text.strip().splitlines()
    places = re.findall(r'/(\w+\.py)", line \d+, in (\w+)', text)
    return f"{places[-1:]} {re.sub(r'[0-9]+', '0', lines[-1])[:80] if lines else ''}"
