"""Values by name while an ONNX graph is traced, and what all graphs of a model share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from ...passes.infra.diagnostics import CompilerError
from .values import Unsupported, untraced


class InputsNeeded(Exception):
    """A node needs the elements of a value; `args[0]` are the names of the model's inputs that it comes from."""

    def __init__(self, names: frozenset[str], message: CompilerError) -> None:
        super().__init__(names)
        self.names, self.message = names, message


@dataclass
class Model:
    """What all graphs of a model share.

    Attributes:
        path: of the file, for messages.
        functions: that the model defines.
        opsets: version by domain.
    """

    path: str
    functions: Mapping[tuple[str, str], Any]
    opsets: Mapping[str, int]

    def opset(self, domain: str) -> int:
        """The version of a domain; that of ONNX's own operators where it is not named."""
        domain = "" if domain == "ai.onnx" else domain
        return self.opsets.get(domain, self.opsets.get("", 1))


@dataclass
class Scope:
    """Values by name, inside of one graph or function.

    Attributes:
        values: tensors, sizes, sequences (lists), None for an optional that is empty.
        unsigned: element types that are carried by wider signed ones.
        sources: for each value the names of the model's inputs and parameters that it is computed from.
    """

    model: Model
    outer: Scope | None = None
    values: dict[str, Any] = field(default_factory=dict)
    unsigned: dict[str, torch.dtype] = field(default_factory=dict)
    sources: dict[str, frozenset[str]] = field(default_factory=dict)

    def find(self, name: str) -> Scope | None:
        """The innermost scope that has a value of this name."""
        if name in self.values:
            return self
        return self.outer.find(name) if self.outer is not None else None

    def value(self, name: str) -> Any:
        """The value of a name, None for ""."""
        if not name:
            return None
        scope = self.find(name)
        if scope is None:
            raise Unsupported(f"the value '{name}', which no node before computes")
        return scope.values[name]

    def unsigned_type(self, name: str) -> torch.dtype | None:
        """The element type of a value that is carried by another."""
        scope = self.find(name)
        return scope.unsigned.get(name) if scope is not None else None

    def sources_of(self, names: Sequence[str]) -> frozenset[str]:
        """The model's inputs and parameters that values come from."""
        scopes = [(name, self.find(name)) for name in names]
        return frozenset().union(*(s.sources.get(n, frozenset()) for n, s in scopes if s is not None))

    def define(
        self, name: str, value: Any, sources: frozenset[str], unsigned: torch.dtype | None = None
    ) -> None:
        """Adds a value."""
        self.values[name], self.sources[name] = value, sources
        if unsigned is not None:
            self.unsigned[name] = unsigned

    def constant(self, value: Any, dtype: torch.dtype) -> torch.Tensor:
        """A known tensor."""
        with untraced():
            return torch.tensor(value, dtype=dtype)

    untraced = staticmethod(untraced)


def describe_node(node: Any, scope: Scope) -> str:
    """A node's place for people."""
    name = f"'{node.name}'" if node.name else f"that computes '{first_output(node)}'"
    return f"{scope.model.path}, node {name} ({node.op_type}, opset {scope.model.opset(node.domain)})"


def first_output(node: Any) -> str:
    """What a node without a name is called by."""
    return next((name for name in node.output if name), node.op_type)
