"""From a model to linalg on tensors: `imported.import_model`, and the public `import_module`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ...dialects.host import ir


def import_module(
    model: Any,
    example_args: Sequence[Any] = (),
    kwargs: Mapping[str, Any] | None = None,
    *,
    dynamic_shapes: Any = None,
    context: ir.Context | None = None,
) -> ir.Module:
    """The IR of a model at stage `imported`, without what is needed to call it; see `imported.import_model`."""
    from .imported import import_model

    return import_model(model, example_args, kwargs, dynamic_shapes=dynamic_shapes, context=context).module


import_model = import_module  # `wse_mlir.import_model`
