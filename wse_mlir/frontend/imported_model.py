"""What comes of importing a model: linalg on tensors, and how it is called."""

from __future__ import annotations

from dataclasses import dataclass

from ..dialects.host import ir
from .call_interface import CallInterface
from .signature import Argument, Result


@dataclass(frozen=True)
class ImportedModel:
    """A model at stage `imported`, and the structure of its calls.

    Attributes:
        module: holds `func.func @main` on builtin tensors; see docs/architecture.md.
        interface: how @main is called.
        context: that the module lives in.
    """

    module: ir.Module
    interface: CallInterface
    context: ir.Context

    @property
    def arguments(self) -> tuple[Argument, ...]:
        """The arguments of @main, in order."""
        return self.interface.arguments

    @property
    def results(self) -> tuple[Result, ...]:
        """The results of @main, in order."""
        return self.interface.results

    @property
    def inputs(self) -> tuple[Argument, ...]:
        """The arguments that are given at each call."""
        return self.interface.inputs
