"""Where the loops of an operation are, as `wse.iterators` says."""

from typing import Any

from ....dialects.structured import structured
from ....dialects.wse import LayoutAttr, read
from ....wse_target.layout.tensor_layout import TensorLayout
from ...infra.diagnostics import PassFailure


def loops_of(op: Any) -> TensorLayout:
    """The layout of an operation's loops.

    Raises:
        PassFailure: `wse.iterators` only names axes, as a user may before the operation is distributed.
    """
    attribute, view = op.attributes["wse.iterators"], structured(op)
    if not isinstance(attribute, LayoutAttr) or view is None:
        raise PassFailure(op, "this operation is not distributed", hint="run wse-partition first")
    return read.layout(attribute, view.fixed_sizes())
