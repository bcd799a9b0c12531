"""Compares diagnostics with the `expected-*` comments in a source, as `mlir-opt --verify-diagnostics` does.

    // expected-error @+1 {{part of the message}}
    // expected-error-re @below {{text with {{[a-z]+}} regular expressions}}
    // expected-note @unknown {{a message without a place in the file}}

A comment means the line it is on unless `@+N`, `@-N`, `@above` or `@below` says otherwise; `@above` and
`@below` mean the nearest line without a comment of this kind.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from .diagnostics import LocatedMessage, is_operation_note
from .source import Chunk

_POSIX = {"alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "space": r"\s", "upper": "A-Z", "lower": "a-z",
          "xdigit": "0-9a-fA-F", "punct": r"!-/:-@\[-`{-~", "blank": " \t"}  # fmt: skip
_COMMENT = re.compile(
    r"expected-(?P<kind>error|note|remark|warning)(?P<regex>-re)? *"
    r"(?:@(?P<place>[+-][0-9]+|above|below|unknown))? *\{\{(?P<text>.*)\}\} *$"
)


@dataclass
class Expectation:
    """One comment: which diagnostic it announces, on which line, and whether that came."""

    kind: str
    text: str
    is_regex: bool
    line: int
    comment: LocatedMessage
    found: bool = False

    def matches(self, message: str) -> bool:
        return re.search(_pattern(self.text), message) is not None if self.is_regex else self.text in message


def _pattern(text: str) -> str:
    """Regular expression of a text whose parts in double braces are regular expressions themselves."""
    pieces = re.split(r"\{\{(.*?)\}\}", text)
    return "".join(f"(?:{_without_posix(p)})" if i % 2 else re.escape(p) for i, p in enumerate(pieces))


def _without_posix(regex: str) -> str:
    return re.sub(r"\[:(\w+):\]", lambda match: _POSIX.get(match[1], match[0]), regex)


def _mistake(text: str) -> str:
    """What is wrong with a text that holds regular expressions, in mlir-opt's words; empty when nothing is."""
    rest = text
    while (start := rest.find("{{")) >= 0:
        end = rest.find("}}", start)
        if end < 0:
            return "found start of regex with no end '}}'"
        try:
            re.compile(_without_posix(rest[start + 2 : end]))
        except re.error as error:
            balanced = "paren" not in error.msg and ")" not in error.msg
            return f"invalid regex: {error.msg if balanced else 'parentheses not balanced'}"
        rest = rest[end + 2 :]
    return ""


def read_expectations(chunk: Chunk) -> list[Expectation]:
    """The comments of a chunk in order; `line` is 0 for messages without a place."""
    lines = [] if isinstance(chunk.text, bytes) else chunk.text.split("\n")
    expectations: list[Expectation] = []
    waiting: list[Expectation] = []
    last_plain = 0
    for number, line in enumerate(lines, start=1):
        match = _COMMENT.search(line)
        if match is None:
            for expectation in waiting:
                expectation.line = number
            waiting, last_plain = [], number
            continue
        place, text = match["place"], match["text"]
        comment = LocatedMessage("error", "", chunk.name, number, match.start() + 1, width=max(len(text), 1))
        target = {None: number, "above": last_plain, "below": number, "unknown": 0}.get(place)
        if target is None:
            target = number + int(place)
        expectation = Expectation(match["kind"], text, match["regex"] is not None, target, comment)
        if place == "below":
            waiting.append(expectation)
        expectations.append(expectation)
    return expectations


def verify_diagnostics(
    chunk: Chunk, messages: list[LocatedMessage], *, only_expected: bool = False
) -> list[LocatedMessage]:
    """What differs between the diagnostics and the comments, as errors to print; empty when they agree."""
    expectations = read_expectations(chunk)
    complaints: list[LocatedMessage] = []
    for expectation in [e for e in expectations if e.is_regex and _mistake(e.text)]:
        complaints.append(_at(expectation.comment, _mistake(expectation.text)))
        expectations.remove(expectation)
    for message in messages:
        for part in (message, *message.notes):
            complaint = None if is_operation_note(part) else _match(part, chunk, expectations)
            if complaint is not None and not only_expected:
                complaints.append(complaint)
    for expectation in expectations:
        if not expectation.found:
            text = f'expected {expectation.kind} "{expectation.text}" was not produced'
            complaints.append(_at(expectation.comment, text))
    return complaints


def _match(message: LocatedMessage, chunk: Chunk, expectations: list[Expectation]) -> LocatedMessage | None:
    """Ticks off the expectation that announces the message; returns a complaint when there is none."""
    line = message.line if message.file == chunk.name else 0
    near: Expectation | None = None
    for expectation in expectations:
        if expectation.line != line or expectation.found or not expectation.matches(message.text):
            continue
        if expectation.kind == message.severity:
            expectation.found = True
            return None
        near = near or expectation
    if near is not None:
        text = f"'{message.severity}' diagnostic emitted when expecting a '{near.kind}'"
        return _at(near.comment, text)
    text = f"unexpected {message.severity}: {message.text}"
    return LocatedMessage("error", text, message.file, message.line, message.column)


def _at(comment: LocatedMessage, text: str) -> LocatedMessage:
    return LocatedMessage("error", text, comment.file, comment.line, comment.column, comment.width)
