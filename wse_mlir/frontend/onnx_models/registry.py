"""The table of ONNX operators: a function on PyTorch tensors each, whose keywords are the operator's attributes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from .values import Unsupported

# Given to functions that ask for them by keyword; none is the name of an attribute.
_OFFERED = frozenset({"opset", "scope", "outputs", "types"})


@dataclass(frozen=True)
class OnnxOperator:
    """How an operator is computed.

    Attributes:
        function: takes the inputs, None for those left out, and attributes by keyword; returns a value or a tuple.
            It may ask for `opset` (version of the operator's domain), `scope` (values that subgraphs see), `types` (of
            the inputs in the model, where unsigned ones have their own) and `outputs` (how many are asked for).
        keywords: that it takes; `takes_all` for any.
        folds: whether a node of known inputs is computed once, when the model is imported.
    """

    function: Callable[..., Any]
    keywords: frozenset[str]
    takes_all: bool
    folds: bool


_OPERATORS: dict[tuple[str, str], OnnxOperator] = {}


def operator(*names: str, domain: str = "", folds: bool = True) -> Callable[[Any], Any]:
    """Registers a function as the meaning of ONNX operators."""

    def register(function: Callable[..., Any]) -> Callable[..., Any]:
        parameters = list(inspect.signature(function).parameters.values())
        takes_all = any(p.kind == p.VAR_KEYWORD for p in parameters)
        named = (p.name for p in parameters if p.kind in (p.KEYWORD_ONLY, p.POSITIONAL_OR_KEYWORD))
        entry = OnnxOperator(function, frozenset(named), takes_all, folds)
        for name in names:
            _OPERATORS[domain, name] = entry
        return function

    return register


def find_operator(domain: str, name: str) -> OnnxOperator | None:
    """The function of an operator, None when there is none."""
    return _OPERATORS.get(("" if domain == "ai.onnx" else domain, name))


def call_operator(
    entry: OnnxOperator, inputs: Sequence[Any], attributes: dict[str, Any], offered: dict[str, Any]
) -> Any:
    """Computes a node.

    Raises:
        Unsupported: an attribute that the function does not know.
        ValueNeeded: the elements of an input decide a size.
    """
    unknown = () if entry.takes_all else attributes.keys() - entry.keywords
    if unknown:
        listed = ", ".join(f"'{name}'" for name in sorted(unknown))
        raise Unsupported(f"the attribute {listed}")
    given = {name: offered[name] for name in _OFFERED & entry.keywords}
    return entry.function(*inputs, **attributes, **given)
