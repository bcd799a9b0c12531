"""Writes at computed places: `tensor.insert` and `tensor.insert_slice`, alone or in loops, as data."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ....dialects.host import ir
from ..scalars.splat import scalar_constant

_DYNAMIC = ir.ShapedType.get_dynamic_stride_or_offset()
UNIT_RESHAPES = ("tensor.collapse_shape", "tensor.expand_shape")
_SCALAR_ROOMS = ("arith.", "math.")


@dataclass
class LoopedWrite:
    """Loops around one write into a tensor that they carry.

    Attributes:
        root: what the result belongs to: the outermost loop, or the write itself.
        loops: variable and trips of each loop, outermost first.
        target: the tensor before the first write; carried: its names inside.
        op: the write.
    """

    root: Any
    op: Any
    target: ir.Value
    loops: list[tuple[ir.Value, int]] = field(default_factory=list)
    carried: set[ir.Value] = field(default_factory=set)

    @property
    def sizes(self) -> list[int]:
        """Of the part that is written: 1 along each dimension for an element."""
        if self.op.operation.name == "tensor.insert":
            return [1] * ir.RankedTensorType(self.target.type).rank
        return list(ir.DenseI64ArrayAttr(self.op.attributes["static_sizes"]))

    @property
    def places(self) -> list[ir.Value | int]:
        """Where along each dimension the part begins."""
        if self.op.operation.name == "tensor.insert":
            return list(self.op.operation.operands)[2:]
        return mixed_offsets(self.op, 2)


def mixed_offsets(op: Any, behind: int) -> list[ir.Value | int]:
    """Offsets of a slice; `behind`: the number of operands in front of those that are not static."""
    dynamic = iter(list(op.operation.operands)[behind:])
    static = ir.DenseI64ArrayAttr(op.operation.attributes["static_offsets"])
    return [next(dynamic) if offset == _DYNAMIC else offset for offset in static]


def find_write(root: Any) -> LoopedWrite | None:
    """The write that an operation is, or is loops around; None for another form, or at places that are static."""
    loops: list[tuple[ir.Value, int]] = []
    carried: list[ir.Value] = []
    target: ir.Value | None = None
    current = root
    while current.operation.name == "scf.for":
        trips, body = _trips(current), current.operation.regions[0].blocks[0]
        arguments, operations = list(body.arguments), list(body.operations)
        begins = current.operation.operands[3] if trips is not None and len(arguments) == 2 else None
        if trips is None or begins is None or (carried and begins != carried[-1]):
            return None
        target = target if carried else begins
        loops.append((arguments[0], trips))
        carried.append(arguments[1])
        owner = operations[-1].operation.operands[0].owner
        inner = [op for op in operations[:-1] if op.operation == owner]
        if not inner or not all(op.operation == owner or _is_scalar(op) for op in operations[:-1]):
            return None
        current = inner[0]
    name = current.operation.name
    if name not in ("tensor.insert", "tensor.insert_slice"):
        return None
    into = current.operation.operands[1]
    if carried and into != carried[-1]:
        return None
    found = LoopedWrite(
        root, current, target if carried and target is not None else into, loops, set(carried)
    )
    return found if _is_computed(found) and _has_static_form(current) else None


def _is_computed(write: LoopedWrite) -> bool:
    return bool(write.loops) or any(
        isinstance(p, ir.Value) and scalar_constant(p) is None for p in write.places
    )


def _has_static_form(op: Any) -> bool:
    """Whether sizes and steps of a slice are numbers, and every tensor has a static shape."""
    tensors = [v.type for v in op.operation.operands if isinstance(v.type, ir.RankedTensorType)]
    if not all(ir.RankedTensorType(t).has_static_shape for t in tensors):
        return False
    attributes = op.operation.attributes
    if op.operation.name == "tensor.insert":
        return True
    sizes, strides = (ir.DenseI64ArrayAttr(attributes[f"static_{n}"]) for n in ("sizes", "strides"))
    return _DYNAMIC not in list(sizes) and all(stride == 1 for stride in strides)


def _trips(loop: Any) -> int | None:
    """Of a loop from 0 in steps of 1."""
    low, high, step = (scalar_constant(v) for v in list(loop.operation.operands)[:3])
    if (low, step) != (0, 1) or high is None or len(list(loop.operation.results)) != 1:
        return None
    return int(high)


def _is_scalar(op: Any) -> bool:
    """Whether an operation can be part of a body: it computes a number, or names a part of a tensor."""
    name = op.operation.name
    return name.startswith(_SCALAR_ROOMS) or name in (
        "tensor.extract",
        "tensor.extract_slice",
        *UNIT_RESHAPES,
    )
