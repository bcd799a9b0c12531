"""What attributes of `@main` say of its arguments and results."""

from __future__ import annotations

from typing import Any

from ....dialects.host import ir
from ...infra.diagnostics import PassFailure

BOUND = ("parameter", "prepared", "constant")  # kinds of arguments that are brought in once, before all calls


def argument_attributes(main: Any, name: str, default: str) -> list[str]:
    """Attribute `wse.<name>` of every argument."""
    count = len(list(main.body.blocks[0].arguments))
    if "arg_attrs" not in main.attributes:
        return [default] * count
    found = []
    for attributes in ir.ArrayAttr(main.attributes["arg_attrs"]):
        found.append(_text(main, ir.DictAttr(attributes), f"wse.{name}", default))
    return found


def result_attributes(main: Any, name: str, default: str) -> list[str]:
    """Attribute `wse.<name>` of every result."""
    count = len(main.type.results)
    if "res_attrs" not in main.attributes:
        return [default] * count
    found = []
    for attributes in ir.ArrayAttr(main.attributes["res_attrs"]):
        found.append(_text(main, ir.DictAttr(attributes), f"wse.{name}", default))
    return found


def _text(main: Any, attributes: ir.DictAttr, name: str, default: str) -> str:
    if name not in attributes:
        return default
    value = attributes[name]
    if not isinstance(value, ir.StringAttr):
        raise PassFailure(main, f"attribute '{name}' of @main is no string: {value}")
    return value.value


def arguments_named(main: Any) -> list[str]:
    """`wse.kind` of every argument: "input", "parameter", "prepared", "state" or "constant"."""
    return argument_attributes(main, "kind", "input")
