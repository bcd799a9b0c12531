"""What has a lowering to the wafer: each refusal of an operation for what it is, before anything is planned.

Refusals for want of memory, routes or layouts are no matter of this: they depend on a plan.
"""

from typing import Any

from ....dialects.host import ir
from ....wse_target.instructions import DTYPE_BYTES
from ..scalars.refusals import NoLowering
from ..scalars.splat import made_of
from .assemblies import cut_of, parts_of
from .nodes import analyse

RESHAPES = ("tensor.expand_shape", "tensor.collapse_shape")
SLICES = ("tensor.extract_slice", "tensor.insert_slice", "tensor.concat")
STREAMS = ("wse.stream_in", "wse.stream_out")
NO_NODE = ("tensor.empty", "arith.constant", "func.return", "linalg.fill")
_INDEX = "index"  # which PEs keep in 32 bits


def is_node(op: Any) -> bool:
    """Whether an operation of `@main` is something PEs do (splats, what is undefined, and the terminator are not)."""
    if op.operation.name in NO_NODE:
        return False
    return not (len(op.results) and all(made_of(r) is not None for r in op.results))


def is_stream(value: ir.Value) -> bool:
    """Whether a value comes from a neighbouring region, or goes to one."""
    return not isinstance(value.owner, ir.Block) and value.owner.name in STREAMS


def require_lowering(op: Any) -> None:
    """Passes what PEs can do, and what they need not do.

    Raises:
        PassFailure: the operation has no lowering to the wafer; says why.
    """
    require_static(op)
    name = op.operation.name
    if name == "linalg.fill" and made_of(op.results[0]) is None:
        raise NoLowering(op, "an operation uses a scalar that is computed outside of it")
    if not is_node(op):
        return
    _require_elements(op)
    if name == "linalg.generic":
        analyse(op).copied()
    elif name in SLICES:
        cut_of(op) if name == "tensor.extract_slice" else parts_of(op)
    elif name not in RESHAPES + STREAMS:
        raise no_lowering(op)


def no_lowering(op: Any) -> NoLowering:
    """The refusal of a kind of operation."""
    name = op.operation.name
    return NoLowering(op, f"'{name}' has no lowering to the wafer yet")


def require_static(op: Any) -> None:
    """Raises `PassFailure` for an operation on a tensor whose sizes are known only at run time."""
    for value in (*op.operands, *op.results):
        if isinstance(value.type, ir.RankedTensorType) and not value.type.has_static_shape:
            raise NoLowering(
                op,
                f"'{op.operation.name}' has the dynamic shape {value.type}, and a wafer program has fixed tiles",
            )


def _require_elements(op: Any) -> None:
    """Raises `PassFailure` for a tensor that no PE could hold a block of, or whose elements none can."""
    tensors = [v.type for v in (*op.operands, *op.results) if isinstance(v.type, ir.RankedTensorType)]
    if any(0 in tensor.shape for tensor in tensors):
        raise NoLowering(op, "a tensor without elements cannot be spread over the wafer")
    for tensor in tensors:
        if str(tensor.element_type) not in (*DTYPE_BYTES, _INDEX):
            raise NoLowering(
                op, f"'{op.operation.name}' takes or makes a {tensor}, and no PE holds such elements"
            )
