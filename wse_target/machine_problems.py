"""What pydantic finds wrong with a machine's numbers, in the words of a person who writes the file."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel

_LONGEST_VALUE = 100  # of what a message repeats


def describe_problem(item: Any, schema: type[BaseModel]) -> str:
    """One validation problem in words: key path, what is expected of it by a schema, what is there."""
    path = [str(part) for part in item["loc"]]
    key, kind, given = ".".join(path), item["type"], item["input"]
    if kind == "missing":
        return f"{key}: missing"
    if kind == "extra_forbidden":
        close = get_close_matches(path[-1], _keys_at(path[:-1], schema), n=3, cutoff=0.5)
        near = f"; did you mean {' or '.join(repr(c) for c in close)}?" if close else ""
        return f"{key}: unknown key{near}"
    if kind == "quantity":
        return f"{key}: {item['msg']}, got {_keys_of(given) if isinstance(given, dict) else _toml(given)}"
    if isinstance(given, dict) and "value" in given:
        given = given["value"]
    if kind == "room":
        return f"{key}: {item['msg']}, got {_toml(given)}"
    if kind in ("unit", "source", "rates"):
        return f"{key}: {item['msg']}"
    return f"{key}: {_expected(kind, item.get('ctx', {}))}, got {_toml(given)}"


def _expected(kind: str, context: dict[str, Any]) -> str:
    """What pydantic wanted, in the words of a person who writes the file."""
    noun = {"int": "a whole number", "float": "a number", "string": "text", "bool": "true or false"}
    if kind == "greater_than_equal":
        return f"expected a number >= {context['ge']:g}"
    if kind == "greater_than":
        return f"expected a number > {context['gt']:g}"
    if kind == "less_than_equal":
        return f"expected a number <= {context['le']}"
    if kind.split("_")[0] in noun:
        return f"expected {noun[kind.split('_')[0]]}"
    if kind == "finite_number":
        return "expected a finite number"
    if kind.startswith(("tuple", "too_short")):
        return "expected a list of whole numbers"
    return "expected a table" if kind.startswith(("model", "dict")) else f"expected {kind.replace('_', ' ')}"


def _keys_of(table: dict[str, Any]) -> str:
    return f"a table of {', '.join(table)}" if table else "an empty table"


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST_VALUE else f"{text[:_LONGEST_VALUE]}..."


def _keys_at(path: Sequence[str], schema: type[BaseModel]) -> list[str]:
    """Keys that the schema knows below `path`."""
    model: Any = schema
    for part in path:
        fields = {f.alias or n: f.annotation for n, f in model.model_fields.items()}
        model = fields.get(part)
        if not (isinstance(model, type) and issubclass(model, BaseModel)):
            return []
    return [f.alias or n for n, f in model.model_fields.items()]
