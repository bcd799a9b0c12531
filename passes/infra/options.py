"""Typed options of passes: declared as dataclass fields, read and printed in MLIR's textual syntax."""

from __future__ import annotations

import dataclasses
import functools
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, Union, get_args, get_origin

from .diagnostics import CompilerError


def option(default: Any, help: str, *, least: int | None = None) -> Any:
    """Declares one option of a pass.

    Args:
        default: value when the option is not given; its field's annotation gives the type, one of
            `int`, `float`, `bool`, `str`, `Literal[...]`, `tuple[int, ...]`, `tuple[str, ...]`, and `| None` of these.
        help: one sentence for `--help`.
        least: the smallest number, or element of a tuple, that text may give.
    """
    return dataclasses.field(default=default, metadata={"help": help, "least": least})


def option_name(field_name: str) -> str:
    """The textual name of an option: `max_uses` is written `max-uses`."""
    return field_name.replace("_", "-")


def _strip_none(annotation: Any) -> tuple[Any, bool]:
    if get_origin(annotation) in (Union, types.UnionType):
        inner = [a for a in get_args(annotation) if a is not type(None)]
        return inner[0], True
    return annotation, False


def parse_value(text: str, annotation: Any) -> Any:
    """Parses an option's text as `annotation`; raises `ValueError` that says what was expected."""
    annotation, optional = _strip_none(annotation)
    if optional and text in ("", "none"):
        return None
    origin = get_origin(annotation)
    if origin is Literal:
        if text not in get_args(annotation):
            raise ValueError(f"expected one of {', '.join(get_args(annotation))}")
        return text
    if origin is tuple:
        element = get_args(annotation)[0]
        return tuple(parse_value(part.strip(), element) for part in text.split(",") if part.strip())
    if annotation is bool:
        if text.lower() in ("true", "1", ""):
            return True
        if text.lower() in ("false", "0"):
            return False
        raise ValueError("expected true or false")
    if annotation in (int, float):
        try:
            return annotation(text)
        except ValueError:
            raise ValueError("expected an integer" if annotation is int else "expected a number") from None
    return text


def print_value(value: Any) -> str:
    """The text that `parse_value` reads back; values with spaces or braces are quoted."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return ",".join(print_value(v) for v in value)
    text = str(value)
    if not any(c in text for c in " {}\"'"):
        return text
    return f'"{text}"' if '"' not in text else f"'{text}'" if "'" not in text else f"{{{text}}}"


def describe_type(annotation: Any) -> str:
    """A short name of an option's type for `--help`, e.g. `int,...` or `for|forall`."""
    annotation, _ = _strip_none(annotation)
    origin = get_origin(annotation)
    if origin is Literal:
        return "|".join(get_args(annotation))
    if origin is tuple:
        return f"{describe_type(get_args(annotation)[0])},..."
    return getattr(annotation, "__name__", str(annotation))


def fields_of(cls: type) -> tuple[dataclasses.Field[Any], ...]:
    """The option fields of a pass class, in order of declaration."""
    return dataclasses.fields(cls)


@functools.cache
def annotations_of(cls: type) -> Mapping[str, Any]:
    """Resolved annotations of the option fields of a pass class, in order of declaration.

    Raises:
        CompilerError: one is not a type that options may have.
    """
    try:
        hints = typing.get_type_hints(cls)
    except (NameError, SyntaxError, TypeError) as error:
        raise CompilerError(f"the options of pass class {cls.__qualname__}: {error}") from None
    for field in fields_of(cls):
        if not _is_option_type(hints[field.name]):
            raise CompilerError(
                f"option '{field.name}' of pass class {cls.__qualname__} cannot be read from text",
                hint="its type is one of int, float, bool, str, Literal[...], tuple[int, ...] or tuple[str, ...]",
            )
    return {f.name: hints[f.name] for f in fields_of(cls)}


def _is_option_type(annotation: Any) -> bool:
    annotation, _ = _strip_none(annotation)
    if get_origin(annotation) is tuple:
        arguments = get_args(annotation)
        return len(arguments) == 2 and arguments[1] is Ellipsis and _is_option_type(arguments[0])
    return get_origin(annotation) is Literal or annotation in (int, float, bool, str)


def build_from_text(cls: type, texts: dict[str, str], *, pass_name: str) -> Any:
    """Makes an instance of pass class `cls` from textual options.

    Raises:
        CompilerError: an unknown option or a value of the wrong type; names the options there are.
    """
    known = {option_name(n): (n, a) for n, a in annotations_of(cls).items()}
    least = {field.name: field.metadata.get("least") for field in fields_of(cls)}
    values: dict[str, Any] = {}
    for name, text in texts.items():
        entry = known.get(name) or known.get(option_name(name))
        if entry is None:
            listed = ", ".join(known) or "none"
            raise CompilerError(
                f"pass '{pass_name}' has no option '{name}'", hint=f"its options are: {listed}"
            )
        try:
            values[entry[0]] = _in_range(parse_value(text, entry[1]), least[entry[0]])
        except ValueError as error:
            raise CompilerError(f"option '{name}' of pass '{pass_name}': {error}, got '{text}'") from None
    return cls(**values)


def _in_range(value: Any, least: int | None) -> Any:
    numbers = value if isinstance(value, tuple) else (value,)
    if least is not None and any(number is not None and not number >= least for number in numbers):
        raise ValueError(f"expected {'numbers' if isinstance(value, tuple) else 'a number'} >= {least}")
    return value
