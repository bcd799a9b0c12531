"""Slices that leave dimensions of size one out, as slices of one rank and reshapes: PEs move blocks of one rank."""

from typing import Any

from .....dialects.host import ir, tensor
from .....dialects.structured import replace_op
from ...bufferization.layouts import dropped_dimensions
from ...unit_reshape import unit_groups


def keep_rank(op: Any) -> None:
    """Rewrites a `tensor.extract_slice` or `tensor.insert_slice` whose two sides differ in rank; others stay.

    %1 = tensor.extract_slice %0[2, 0] [1, 4] [1, 1] : tensor<5x4xf32> to tensor<4xf32>
    becomes a slice to tensor<1x4xf32>, and a collapse of that.
    """
    name = op.operation.name
    if name == "tensor.extract_slice":
        part, whole = op.results[0], op.operands[0]
    elif name == "tensor.insert_slice":
        part, whole = op.operands[0], op.operands[1]
    else:
        return
    narrow, wide = ir.RankedTensorType(part.type), ir.RankedTensorType(whole.type)
    sizes = list(ir.DenseI64ArrayAttr(op.attributes["static_sizes"]))
    if narrow.rank == wide.rank or ir.ShapedType.get_dynamic_size() in sizes:
        return
    dropped = dropped_dimensions(sizes, list(narrow.shape))
    groups = unit_groups([d for d in range(wide.rank) if d not in dropped], wide.rank)
    full = ir.RankedTensorType.get(sizes, wide.element_type)
    with ir.InsertionPoint(op), op.location:
        if name == "tensor.extract_slice":
            taken = _same(op, full, list(op.operands))
            result = tensor.CollapseShapeOp(narrow, taken, groups).result
        else:
            source = tensor.ExpandShapeOp(full, part, groups, [], sizes).result
            result = _same(op, wide, [source, *list(op.operands)[1:]])
    replace_op(op, [result])


def _same(op: Any, kind: ir.Type, operands: list[ir.Value]) -> ir.Value:
    attributes = {name: op.attributes[name] for name in op.attributes}
    made = ir.Operation.create(op.operation.name, results=[kind], operands=operands, attributes=attributes)
    return made.results[0]
