"""The lit cases of a pass as programs that run: every function on arrays, in one element type or another.

What a pass rewrites is written down once, in its lit file; tests of numbers take it from there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.dialects.parsing import parse_module
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.verify.completion import ArraySignature, signature_of

_LIT = Path(__file__).parents[1] / "lit"
_SPECIAL = {  # infinities and NaN, which IR spells by their bits
    "f16": {"0xFF800000": "0xFC00", "0x7F800000": "0x7C00", "0x7FC00000": "0x7E00"},
    "bf16": {"0xFF800000": "0xFF80", "0x7F800000": "0x7F80", "0x7FC00000": "0x7FC0"},
}


@dataclass(frozen=True)
class LitCase:
    """A section of a lit file.

    Attributes:
        name: of the file, and the number of the section in it.
        functions: those that can be called with arrays; `in_place` says which arguments hold states once there are
            buffers.
    """

    name: str
    text: str
    functions: dict[str, ArraySignature]


def lit_cases(name: str, element: str = "f32") -> Iterator[LitCase]:
    """The sections of a pass's lit files that are whole programs on tensors of known sizes.

    Args:
        element: takes the place of f32; sections that make no sense then are left out.
    """
    for path in sorted(_LIT.glob(f"*/{name}*.mlir")):
        if path.stem != name and not path.stem.startswith(f"{name}-"):
            continue
        for number, text in enumerate(path.read_text().split("// -----")):
            changed = _in_type(text, element)
            if (element != "f32" and changed == text) or "expected-error" in text:
                continue
            functions = _functions(changed)
            if functions:
                yield LitCase(f"{path.name}, {number}", changed, functions)


def _in_type(text: str, element: str) -> str:
    for bits, others in _SPECIAL.get(element, {}).items():
        text = text.replace(bits, others)
    return re.sub(r"(?<![A-Za-z0-9_%@.])f32\b|(?<=[0-9?]x)f32\b", element, text)


def _functions(text: str) -> dict[str, ArraySignature]:
    try:
        module = parse_module(text, create_context())
    except CompilerError:
        return {}
    found = {}
    for function in module.body.operations:
        if function.operation.name == "func.func" and function.regions[0].blocks:
            signature = _signature(function)
            if signature is not None:
                found[ir.StringAttr(function.attributes["sym_name"]).value] = signature
    return found


def _signature(function: Any) -> ArraySignature | None:
    try:
        signature = signature_of(function)
    except CompilerError:
        return None
    known = all(-1 not in shape for shape, _ in (*signature.arguments, *signature.results))
    return replace(signature, in_place=_states(function)) if known and signature.results else None


def _states(function: Any) -> tuple[int | None, ...]:
    """Of each result, the state argument that holds it once there are buffers; None for others."""
    count = len(function.type.results)
    if "arg_attrs" not in function.attributes or "res_attrs" not in function.attributes:
        return (None,) * count
    takes, gives = (
        map(_state_name, ir.ArrayAttr(function.attributes[n])) for n in ("arg_attrs", "res_attrs")
    )
    known = {name: k for k, name in enumerate(takes) if name}
    return tuple(map(known.get, gives))


def _state_name(given: Any) -> str:
    attributes = ir.DictAttr(given)
    if "wse.kind" not in attributes or ir.StringAttr(attributes["wse.kind"]).value != "state":
        return ""
    return ir.StringAttr(attributes["wse.name"]).value


def keep_only(module: ir.Module, names: Any) -> None:
    """Erases functions that nothing is asked of, and that no other calls."""
    text = str(module)
    for function in list(module.body.operations):
        name = ir.StringAttr(function.attributes["sym_name"]).value
        if name not in names and f"call @{name}" not in text:
            function.operation.erase()
