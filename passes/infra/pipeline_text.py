"""Reads and prints MLIR's textual pass pipelines: `builtin.module(func.func(a{x=1}),b)`.

The tree that comes out says nothing about which passes exist or what their options mean; that is decided by
the pass manager. Keeping the two apart lets Python and upstream passes stand anywhere in one pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .diagnostics import CompilerError
from .options import print_value

_SHOWN = 100  # characters of a long pipeline that a message shows
_DEEPEST = 100  # nested pipelines; real ones have three or four levels
_PAIRS = {"{": "}", "[": "]", "(": ")"}


@dataclass(frozen=True)
class PassEntry:
    """One pass in a pipeline: its name and the text of its options, as written between the braces."""

    name: str
    options: str = ""
    column: int = 0

    def given(self, **options: Any) -> PassEntry:
        """With these options in front of its own; underscores of their names stand for dashes."""
        texts = [f"{name.replace('_', '-')}={print_value(value)}" for name, value in options.items()]
        return replace(self, options=" ".join([*texts, *([self.options] if self.options else [])]))

    def __str__(self) -> str:
        return f"{self.name}{{{self.options}}}" if self.options else self.name


@dataclass(frozen=True)
class PipelineEntry:
    """A nested pipeline: the operations it runs on (`any` for every kind) and what runs on each."""

    anchor: str
    entries: tuple[Entry, ...] = field(default=())
    column: int = 0

    def __str__(self) -> str:
        return f"{self.anchor}({','.join(str(entry) for entry in self.entries)})"


Entry = PassEntry | PipelineEntry


class PipelineSyntaxError(CompilerError):
    """A malformed pipeline: the message carries the text and a caret below the column.

    Attributes:
        column: zero-based offset of the mistake in `text`.
    """

    def __init__(self, text: str, column: int, message: str, *, hint: str = "") -> None:
        line_start = text.rfind("\n", 0, column) + 1
        line = text[line_start:].split("\n", 1)[0]
        row = text.count("\n", 0, column) + 1
        where = f"pass pipeline:{row}:{column - line_start + 1}"
        super().__init__(f"{message}\n{_excerpt(line, column - line_start)}", where=where, hint=hint)
        self.column = column


def _excerpt(line: str, column: int) -> str:
    """The line with a caret below the column; of a long line, the part around it."""
    start = max(0, min(column - _SHOWN // 2, len(line) - _SHOWN))
    before = "..." if start else ""
    after = "..." if start + _SHOWN < len(line) else ""
    indent = " " * (len(before) + column - start)
    return f"{before}{line[start : start + _SHOWN]}{after}\n{indent}^"


class _Reader:
    """A cursor over the pipeline's text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.depth = 0

    def fail(self, message: str, *, column: int | None = None, hint: str = "") -> PipelineSyntaxError:
        return PipelineSyntaxError(self.text, self.at if column is None else column, message, hint=hint)

    def skip_space(self) -> None:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1

    def peek(self) -> str:
        self.skip_space()
        return self.text[self.at] if self.at < len(self.text) else ""

    def name(self) -> str:
        self.skip_space()
        start = self.at
        while (
            self.at < len(self.text)
            and self.text[self.at] not in ",(){}"
            and not self.text[self.at].isspace()
        ):
            self.at += 1
        if start == self.at:
            found = f"'{self.text[start]}'" if start < len(self.text) else "the end"
            raise self.fail(f"expected the name of a pass or of an operation, found {found}")
        return self.text[start : self.at]

    def options(self) -> str:
        """The text between a balanced pair of braces; the cursor stands on the opening one."""
        start = self.at
        end = closing_index(self.text, start)
        if end < 0:
            raise self.fail("missing closing '}' of the options that open here", column=start)
        self.at = end + 1
        return self.text[start + 1 : end].strip()

    def entry(self) -> Entry:
        self.skip_space()
        column = self.at
        name = self.name()
        if self.peek() == "(":
            return PipelineEntry(name, self.entries(), column)
        options = self.options() if self.peek() == "{" else ""
        return PassEntry(name, options, column)

    def entries(self) -> tuple[Entry, ...]:
        """The comma-separated list in parentheses; the cursor stands on the opening one."""
        opened = self.at
        self.at += 1
        found: list[Entry] = []
        if self.peek() == ")":
            self.at += 1
            return ()
        if self.depth == _DEEPEST:
            raise self.fail(f"pipelines are nested more than {_DEEPEST} deep", column=opened)
        while True:
            self.depth += 1
            found.append(self.entry())
            self.depth -= 1
            following = self.peek()
            if following not in (",", ")"):
                if following == "":
                    raise self.fail("missing closing ')' of the list that opens here", column=opened)
                raise self.fail(f"expected ',' or ')' after an entry, found '{following}'")
            self.at += 1
            if following == ")":
                return tuple(found)


def closing_index(text: str, start: int) -> int:
    """Index of the bracket that closes the one at `start`, or -1; quoted text is skipped."""
    stack = [_PAIRS[text[start]]]
    at = start + 1
    while at < len(text):
        char = text[at]
        if char in "\"'":
            at = text.find(char, at + 1)
            if at < 0:
                return -1
        elif char in _PAIRS:
            stack.append(_PAIRS[char])
        elif char == stack[-1]:
            stack.pop()
            if not stack:
                return at
        at += 1
    return -1


def parse_pipeline(text: str) -> PipelineEntry:
    """Parses `anchor(entry,...)`.

    Raises:
        PipelineSyntaxError: with the text and a caret below the mistake.
    """
    reader = _Reader(text)
    entry = reader.entry()
    if reader.peek():
        raise reader.fail(f"unexpected '{reader.peek()}' after the end of the pipeline")
    if isinstance(entry, PassEntry):
        raise reader.fail(
            f"expected a pipeline that is anchored on an operation, found only '{entry}'",
            column=entry.column,
            hint=f"write builtin.module({text.strip()})",
        )
    return entry


def parse_entries(text: str) -> tuple[Entry, ...]:
    """Parses a bare list `a,func.func(b{x=1}),c`, as a named pipeline's stage writes it."""
    pipeline = parse_pipeline(f"any({text})") if text.strip() else PipelineEntry("any")
    return pipeline.entries


def changed_passes(
    entries: Sequence[Entry], change: Callable[[PassEntry], PassEntry | None]
) -> tuple[Entry, ...]:
    """The same entries with every pass changed, or left out for None; nested pipelines of which nothing is left go."""
    found: list[Entry] = []
    for entry in entries:
        if isinstance(entry, PassEntry):
            kept = change(entry)
            found += [kept] if kept is not None else []
        elif inner := changed_passes(entry.entries, change):
            found.append(replace(entry, entries=inner))
    return tuple(found)


def split_options(text: str) -> dict[str, str]:
    """Splits `a=1 b="x y" c={d=2} flag` into names and values; quotes and outer braces of a value go.

    An option that is given again adds to its list, as upstream's list options do.

    Raises:
        CompilerError: a quote or brace is not closed.
    """
    options: dict[str, str] = {}
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        start = at
        while at < len(text) and text[at] != "=" and not text[at].isspace():
            at += 1
        name, value = text[start:at], ""
        if at < len(text) and text[at] == "=":
            at, value = _option_value(text, at + 1)
        options[name] = f"{options[name]},{value}" if name in options else value
    return options


def _option_value(text: str, start: int) -> tuple[int, str]:
    """Reads a value at `start`; returns where it ends and the value without its outer quotes or braces."""
    at = start
    while at < len(text) and not text[at].isspace():
        char = text[at]
        if char in "\"'":
            end = text.find(char, at + 1)
        elif char in _PAIRS:
            end = closing_index(text, at)
        else:
            end = at
        if end < 0:
            raise CompilerError(f"missing closing counterpart of {char} in the options '{text}'")
        at = end + 1
    value = text[start:at]
    if len(value) >= 2 and (value[0], value[-1]) in (('"', '"'), ("'", "'"), ("{", "}")):
        value = value[1:-1]
    return at, value
