"""Texts that name machines with other numbers than their files say: `wse3{fabric.hop_latency=4.0}`."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from .errors import TargetError


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
