"""From a model to linalg on tensors: `imported.import_model`, and `wse_mlir.import_model`, which gives the IR alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..dialects.host import ir


def import_model(
    model: Any,
    example_args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    dynamic_shapes: Any = None,
) -> ir.Module:
    """Imports a model to linalg on tensors.

    Parameters and state are arguments of `@main`, described by the attributes `wse.kind` and `wse.name`;
    locations name the layer and the line of the model's source. See `wse_mlir.compile` for the arguments.

    Raises:
        CompilerError: the model cannot be imported; names operator, layer and source line.
    """
    from . import imported

    return imported.import_model(model, example_args, kwargs, dynamic_shapes=dynamic_shapes).module
