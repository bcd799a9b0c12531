"""`wse_mlir.import_model`: a model as a plain MLIR module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ...dialects.host import ir
from . import imported


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
    return imported.import_model(model, example_args, kwargs, dynamic_shapes=dynamic_shapes).module
