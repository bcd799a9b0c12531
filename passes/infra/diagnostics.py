"""What passes tell the user: failures at a place in the model's source, and remarks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ...wse_target.errors import CompilerError as CompilerError
from ...wse_target.errors import shown as shown

if TYPE_CHECKING:
    from ...dialects.host import ir


class PassFailure(CompilerError):
    """Raised by a pass to fail with a message located at an operation.

    The pass manager turns it into an MLIR diagnostic at `location`, so that `--verify-diagnostics`
    sees it, and into a `CompilerError` that names the pass and the model's source line.
    """

    def __init__(self, at: ir.Operation | ir.OpView | ir.Location, message: str, *, hint: str = "") -> None:
        super().__init__(message, hint=hint)
        self.location: ir.Location = at if not hasattr(at, "location") else at.location  # type: ignore[assignment]


@dataclass(frozen=True)
class Remark:
    """One thing a pass did or declined to do, for people who ask why."""

    pass_name: str
    message: str
    location: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass
class Remarks:
    """Collects remarks over a pipeline's run."""

    items: list[Remark] = field(default_factory=list)
