"""Machines with other numbers than their files say, and the texts that name them: `wse3{fabric.hop_latency=4.0}`.

IR carries a machine by its text alone, so such a text has to be enough to read the machine again, in any process. A
machine that was built in Python from nothing has a name that only its own process knows.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import ValidationError

from .errors import TargetError
from .machine import Machine, machine_from

REPLACED = "replaced"
_WHOLE_PATH = 2  # table and number; a rate's element type comes third
_in_memory: dict[str, Machine] = {}


def split_target(text: str) -> tuple[str, dict[str, Any]]:
    """What stands before the braces of a target's text, and the settings in them.

    Raises:
        TargetError: what is in the braces are no settings.
    """
    base, brace, inside = text.partition("{")
    if not brace or not inside.endswith("}"):
        return text, {}
    rest, settings, decoder = inside[:-1].strip(), {}, json.JSONDecoder()
    while rest:
        key, _, value = rest.partition("=")
        try:
            settings[key.strip()], end = decoder.raw_decode(value)
        except ValueError:
            raise TargetError(
                f"cannot read the setting '{rest}' of the machine '{base}'",
                hint="write KEY=NUMBER with spaces between them: wse3{fabric.hop_latency=4}",
            ) from None
        rest = value[end:].strip()
    return base, settings


def join_target(base: str, settings: Mapping[str, Any]) -> str:
    """The text that `split_target` reads back."""
    shown = " ".join(f"{key}={json.dumps(value, separators=(',', ':'))}" for key, value in settings.items())
    return f"{base}{{{shown}}}" if shown else base


def read_setting(text: str) -> tuple[str, Any]:
    """Key and value of `KEY=VALUE`, the value as a machine file writes it; text that is no TOML is a string.

    Raises:
        TargetError: there is no key or no value.
    """
    key, equals, value = (part.strip() for part in text.partition("="))
    if not (key and equals and value):
        raise TargetError(f"cannot read the setting '{text}'", hint="write KEY=VALUE: fabric.hop_latency=4")
    try:
        return key, tomllib.loads(f"value = {value}")["value"]
    except (
        ValueError,
        RecursionError,
    ):  # ValueError is TOML's own error, and that of numbers of thousands of digits
        return key, value


def target_text(machine: Machine) -> str:
    """A text that `load_machine` reads this machine from; in this process alone if it is from no file."""
    if machine.target:
        return machine.target
    digest = hashlib.sha256(json.dumps(machine.contents, sort_keys=True, default=str).encode()).hexdigest()
    name = f"{machine.name}#{digest[:12]}"
    _in_memory[name] = machine
    return name


def machine_in_memory(name: str) -> Machine | None:
    """The machine that `target_text` gave that name."""
    return _in_memory.get(name)


def with_settings(machine: Machine, settings: Mapping[str, Any]) -> Machine:
    """The machine with other numbers.

    Args:
        settings: by key as a machine file has it, `fabric.hop_latency` or, for one element type, `rates.fma.f16`.

    Raises:
        TargetError: there is no such key, or a value is none that it can have; names the key.
    """
    raw = {key: dict(value) if isinstance(value, dict) else value for key, value in machine.contents.items()}
    for key, value in settings.items():
        _set(raw, key, value)
    try:
        changed = machine_from(raw)
    except ValidationError as error:
        raise _refused(error, settings, machine) from None
    if machine.target:
        base, before = split_target(machine.target)
        changed.named(join_target(base, {**before, **settings}))
    return changed


def _set(raw: dict[str, Any], key: str, value: Any) -> None:
    first, *rest = key.split(".")
    if not rest and isinstance(raw.get(first), str):
        raw[first] = value
        return
    table = raw.get(first)
    if not isinstance(table, dict):
        raise _unknown(key, first, [k for k, v in raw.items() if isinstance(v, dict)])
    if not rest or rest[0] not in table:
        raise _unknown(key, ".".join([first, *rest[:1]]), [f"{first}.{name}" for name in table])
    entry = table[rest[0]]
    if len(rest) > 1:
        if len(rest) > _WHOLE_PATH or not isinstance(entry["value"], dict):
            raise _unknown(key, key, [f"{first}.{name}" for name in table])
        value = {**entry["value"], rest[1]: value}
    table[rest[0]] = {**entry, "value": value, "source": REPLACED}


def _unknown(key: str, wrong: str, known: Sequence[str]) -> TargetError:
    near = get_close_matches(wrong, known, n=1, cutoff=0.5)
    meant = f"did you mean '{near[0]}'? " if near else ""
    return TargetError(
        f"a machine has no number '{key}'", hint=f"{meant}there are {', '.join(sorted(known))}"
    )


def _refused(error: ValidationError, settings: Mapping[str, Any], machine: Machine) -> TargetError:
    from .machine_file import describe_problem

    problems = [describe_problem(item) for item in error.errors(include_url=False)]
    shown = join_target(machine.target or machine.name, settings)
    return TargetError(
        problems[0], where=shown, notes=tuple(problems[1:]), hint="docs/machine-files.md lists the keys"
    )
