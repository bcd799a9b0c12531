"""Reads `wse-opt`'s command line: flags from the table, everything else is a pass or the input file."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from typing import Any

from ...passes.infra.diagnostics import CompilerError
from ...passes.infra.pipeline_text import PassEntry
from .flags import ALIASES, FLAGS, Flag
from .refused import check_refused

_LARGEST = 2**63 - 1  # what the bindings take


@dataclass
class Arguments:
    """The command line, parsed.

    Attributes:
        input: path of the input, "-" for standard input.
        passes: shorthand passes in the order given.
        values: every flag by its field's name, see `flags.py`.
    """

    input: str = "-"
    passes: list[PassEntry] = field(default_factory=list)
    values: dict[str, Any] = field(default_factory=dict)

    def switch(self, name: str, *, default: bool = False) -> bool:
        return self.values.get(FLAGS[name].field, default)

    def value(self, name: str) -> str | None:
        return self.values.get(FLAGS[name].field)

    def number(self, name: str) -> int | None:
        return self.values.get(FLAGS[name].field)

    def list(self, name: str) -> tuple[str, ...]:
        return tuple(self.values.get(FLAGS[name].field, ()))


def parse_arguments(argv: list[str]) -> Arguments:
    """Parses the command line; whether a shorthand names a pass that exists is checked later.

    Raises:
        CompilerError: a flag without its value, a value that is not allowed, two input files.
    """
    arguments = Arguments()
    inputs: list[str] = []
    at = 0
    while at < len(argv):
        word = argv[at]
        at += 1
        if word == "--":
            inputs += argv[at:]
            break
        if word == "-" or not word.startswith("-"):
            inputs.append(word)
            continue
        name, equals, text = word.lstrip("-").partition("=")
        flag = FLAGS.get(ALIASES.get(name, name))
        if flag is None:
            check_refused(name)
            arguments.passes.append(PassEntry(name, _without_braces(text)))
            continue
        value: str | None = text if equals else None
        if value is None and flag.kind in ("value", "list", "number"):
            if at >= len(argv):
                raise CompilerError(f"{flag.typed} needs a value", hint=f"{flag.typed} {flag.metavar}")
            value = argv[at]
            at += 1
        if flag.kind == "value" and flag.field in arguments.values:
            raise CompilerError(f"{flag.typed} is given twice", hint="it takes one value")
        if flag.metavar == "FILE" and not value:
            raise CompilerError(f"{flag.typed}: the file's name is empty")
        _store(arguments.values, flag, value)
    if len(inputs) > 1:
        raise CompilerError(f"more than one input file: {', '.join(inputs)}", hint="wse-opt reads one file")
    if inputs:
        arguments.input = inputs[0]
    return arguments


def _without_braces(text: str) -> str:
    return text[1:-1] if text.startswith("{") and text.endswith("}") else text


def _store(values: dict[str, Any], flag: Flag, text: str | None) -> None:
    if flag.kind == "switch":
        values[flag.field] = _truth(flag, text)
    elif flag.kind == "list":
        assert text is not None
        values.setdefault(flag.field, []).extend([text] if flag.paths else text.split(","))
    elif flag.kind == "number":
        values[flag.field] = _number(flag, text or "")
    else:
        chosen = flag.implied if text is None else text
        if flag.choices and chosen not in flag.choices:
            raise CompilerError(f"--{flag.name}: expected {' or '.join(flag.choices)}, got '{chosen}'")
        values[flag.field] = chosen


def _truth(flag: Flag, text: str | None) -> bool:
    truth = {"true": True, "1": True, "false": False, "0": False}.get((text or "true").lower())
    if truth is None:
        raise CompilerError(f"--{flag.name}: expected true or false, got '{text}'")
    return truth


def _number(flag: Flag, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        raise CompilerError(f"{flag.typed}: expected a number, got '{text}'") from None
    if not 0 <= number <= _LARGEST:
        raise CompilerError(f"{flag.typed}: expected a number from 0 to {_LARGEST}, got {number}")
    return number


def unknown_flag(name: str, near: list[str]) -> CompilerError:
    """The message for a word that is neither a flag nor a pass, with names that are near."""
    candidates = difflib.get_close_matches(name, list(FLAGS), n=2) + near
    hint = f"did you mean {' or '.join('--' + c for c in candidates[:3])}?" if candidates else "see --help"
    return CompilerError(f"unknown flag or pass '--{name}'", hint=hint)
