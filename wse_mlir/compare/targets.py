"""Targets as the command line writes them: `eager,cpu{cpu=x86-64-v3},tiny{grid=4x4}`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..compiler.targets import Target, check_options, find_target, target_with
from ..passes.infra.diagnostics import CompilerError
from ..passes.infra.pipeline_text import split_options

EAGER = "eager"
_ENTRY = re.compile(r"\s*(?P<name>[^,{}]+?)\s*(?:\{(?P<options>[^}]*)\})?\s*(?:,|$)")


@dataclass(frozen=True)
class ChosenTarget:
    """A target with its options; `target` is None for eager PyTorch, which compiles nothing."""

    text: str
    target: Target | None
    options: Mapping[str, Any] = field(default_factory=dict)


def choose_targets(text: str) -> list[ChosenTarget]:
    """Reads a list of targets.

    Raises:
        CompilerError: the list is malformed, a target is not known or named twice, or it has no such option.
    """
    chosen: list[ChosenTarget] = []
    at = 0
    while at < len(text):
        entry = _ENTRY.match(text, at)
        if entry is None or entry.end() == at:
            raise CompilerError(
                f"cannot read '{text[at:]}' in the list of targets",
                hint="write names with commas between them, options in braces: eager,cpu,tiny{grid=4x4}",
            )
        at = entry.end()
        chosen.append(_choose(entry["name"], entry["options"] or ""))
    if not chosen:
        raise CompilerError("no target is given", hint="for example eager,cpu,tiny")
    names = [c.text for c in chosen]
    twice = next((name for name in names if names.count(name) > 1), "")
    if twice:
        raise CompilerError(f"target '{twice}' is given twice", hint="give each once, or with other options")
    return chosen


def _choose(name: str, options_text: str) -> ChosenTarget:
    shown = f"{name}{{{options_text}}}" if options_text else name
    options = {key: _value(text) for key, text in split_options(options_text).items()}
    if name == EAGER:
        if options:
            raise CompilerError("'eager' is PyTorch as it is and has no options")
        return ChosenTarget(shown, None)
    settings = [f"{key}={options.pop(key)}" for key in [*options] if "." in key]
    target = find_target(target_with(name, settings))
    check_options(target, options)
    return ChosenTarget(shown, target, options)


def _value(text: str) -> str | int | bool:
    """An option as `compile` takes it from Python."""
    if text in ("true", "false"):
        return text == "true"
    return int(text) if text.isdecimal() else text
