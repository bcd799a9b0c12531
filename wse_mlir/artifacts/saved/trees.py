"""Structures of arguments and results as text, in PyTorch's own format for pytrees, read without running foreign code.

PyTorch's reader imports the module of an enum, or of a `defaultdict`'s factory, by the name that is in the text. A file
must not be able to choose what is imported, so neither is written or read here.
"""

from __future__ import annotations

import json
from typing import Any

from torch.utils import _pytree as pytree

from ...passes.infra.diagnostics import CompilerError

_IMPORTING = "collections.defaultdict"
_DEEPEST = 100


def tree_text(spec: pytree.TreeSpec, what: str) -> str:
    """A structure as text.

    Args:
        what: names it in messages, e.g. "the arguments".

    Raises:
        CompilerError: it holds containers that cannot be read back by name.
    """
    try:
        text = pytree.treespec_dumps(spec)
        same = read_tree(text) == spec
    except (NotImplementedError, TypeError, ValueError, CompilerError) as error:
        reason = str(error).split(". ")[0].rstrip(".")
        raise CompilerError(
            f"the structure of {what} cannot be stored: {reason}",
            hint="use tuples, lists, dicts with text keys, or a class registered by "
            "torch.export.register_dataclass(..., serialized_type_name=...)",
        ) from error
    if not same:
        raise CompilerError(
            f"the structure of {what} cannot be stored: it reads back as another one",
            hint="keys of dicts must be text or numbers",
        )
    return text


def read_tree(text: str) -> pytree.TreeSpec:
    """The structure that `tree_text` wrote.

    Raises:
        CompilerError: it holds a class that is not known in this process.
        ValueError: it is no such text.
    """
    try:
        _, schema = json.loads(text)
        _check(schema, _DEEPEST)
        return pytree.treespec_loads(text)
    except NotImplementedError as error:
        name = str(error).removeprefix("Deserializing ").split(" in pytree")[0]
        raise CompilerError(
            f"the model takes or returns objects of '{name}', which this process does not know",
            hint="import the class and register it by torch.export.register_dataclass(..., "
            f"serialized_type_name='{name}') before the model is loaded",
        ) from error
    except (TypeError, KeyError, AttributeError, AssertionError, RecursionError) as error:
        raise ValueError("not a structure") from error


def _check(node: Any, depth: int) -> None:
    """Refuses what makes PyTorch import something, and what is no structure."""
    if not isinstance(node, dict) or depth == 0:
        raise ValueError("not a structure")
    if node["type"] == _IMPORTING:
        raise ValueError("a defaultdict is not supported")
    if isinstance(node["context"], str):
        json.loads(node["context"], object_hook=_no_enum)
    for child in node["children_spec"]:
        _check(child, depth - 1)


def _no_enum(found: dict[str, Any]) -> dict[str, Any]:
    if "__enum__" in found:
        raise ValueError("an enum as a key is not supported")
    return found
