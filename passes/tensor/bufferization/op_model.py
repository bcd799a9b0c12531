"""What each tensor operation reads, writes and aliases: the facts the in-place analysis is built on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import gcd
from typing import Any

from ....dialects.host import ir, linalg

# Operations whose only tensor result is another view of their first operand.
VIEWS = frozenset(
    {"tensor.extract_slice", "tensor.cast", "tensor.expand_shape", "tensor.collapse_shape", "tensor.reshape"}
)
# Operations that write operand 1 and give it back as their result.
INSERTIONS = frozenset({"tensor.insert_slice", "tensor.insert", "bufferization.materialize_in_destination"})
# Operations without destination that make a buffer for their result.
ALLOCATING = frozenset(
    {
        "tensor.empty", "tensor.pad", "tensor.concat", "tensor.splat", "tensor.generate",
        "tensor.from_elements", "arith.select", "scf.if", "func.call",
    }
)  # fmt: skip
INSERT_SLICES = frozenset({"tensor.insert_slice", "tensor.parallel_insert_slice"})


@dataclass(frozen=True)
class Write:
    """An operand that an operation overwrites.

    Attributes:
        index: the operand's position.
        result: the result that holds the new value; None for `tensor.parallel_insert_slice`.
        reads: whether the old contents matter to the operation.
    """

    index: int
    result: ir.Value | None
    reads: bool


def is_tensor(value: ir.Value) -> bool:
    """Whether the value is a ranked tensor."""
    return isinstance(value.type, ir.RankedTensorType)


def is_empty(value: ir.Value) -> bool:
    """Whether the value is a `tensor.empty`: unspecified contents in a buffer that nothing else uses."""
    return not isinstance(value.owner, ir.Block) and value.owner.operation.name == "tensor.empty"


# Structured operations without segment sizes, and how many destinations they have: the last operands.
_UNSEGMENTED: dict[str, Callable[[ir.Operation], int]] = {
    "linalg.transpose": lambda op: 1,
    "linalg.broadcast": lambda op: 1,
    "linalg.map": lambda op: 1,
    "linalg.softmax": lambda op: 1,
    "linalg.reduce": lambda op: len(op.operands) // 2,
}


def init_count(op: ir.Operation) -> int:
    """Number of destination operands of a structured linalg operation; they are its last operands."""
    if op.name in _UNSEGMENTED:
        return _UNSEGMENTED[op.name](op)
    return list(ir.DenseI32ArrayAttr(op.attributes["operandSegmentSizes"]))[-1]


def is_linalg(op: ir.Operation) -> bool:
    """A structured linalg operation whose operands are inputs followed by destinations."""
    if op.name in _UNSEGMENTED:
        return True
    if not op.name.startswith("linalg.") or "operandSegmentSizes" not in op.attributes:
        return False
    return len(list(ir.DenseI32ArrayAttr(op.attributes["operandSegmentSizes"]))) == 2


def reads_init(op: ir.Operation, number: int) -> bool:
    """Whether a structured operation uses the old contents of its destination `number`."""
    if len(op.regions) != 1 or len(op.regions[0].blocks) != 1:
        return True
    arguments = op.regions[0].blocks[0].arguments
    count = init_count(op)
    if len(arguments) < count:
        return True
    return any(True for _ in arguments[len(arguments) - count + number].uses)


def access_maps(op: ir.Operation) -> list[ir.AffineMap] | None:
    """Indexing maps of a structured operation, named ones included, one per operand; None if it has none."""
    if "indexing_maps" in op.attributes:
        attributes = op.attributes["indexing_maps"]
    elif len(op.regions) == 1:
        attributes = linalg.get_indexing_maps(op)  # pyright: ignore[reportAttributeAccessIssue]
    else:
        return None
    if attributes is None:
        return None
    return [ir.AffineMapAttr(a).value for a in ir.ArrayAttr(attributes)]


def loop_inits(op: ir.Operation) -> Iterator[tuple[int, ir.Value, ir.Value]]:
    """(operand index, body argument, result) of each loop-carried value; a while loop has no such results."""
    operands, results = len(op.operands), len(op.results)
    body = op.regions[0].blocks[0]
    if op.name == "scf.while":
        for index in range(operands):
            yield index, body.arguments[index], body.arguments[index]
    elif op.name in ("scf.for", "scf.forall"):
        first = len(body.arguments) - results
        for k in range(results):
            yield operands - results + k, body.arguments[first + k], op.results[k]


def writes_of(op: ir.Operation) -> list[Write]:
    """The tensor operands that `op` writes."""
    if is_linalg(op):
        first = len(op.operands) - init_count(op)
        return [
            Write(first + k, result, reads_init(op, k))
            for k, result in enumerate(op.results)
            if is_tensor(result)
        ]
    if op.name in INSERTIONS:
        result = op.results[0] if len(op.results) else None
        return [Write(1, result, op.name != "bufferization.materialize_in_destination")]
    if op.name == "tensor.parallel_insert_slice":
        return [Write(1, None, True)]
    if op.name in ("scf.for", "scf.forall", "scf.while"):
        return [Write(i, result, True) for i, _, result in loop_inits(op) if is_tensor(op.operands[i])]
    return []


def slice_key(op: ir.Operation) -> tuple:
    """Offsets, sizes and strides of a slice operation, comparable between operations of the same scope."""
    view: Any = op.opview
    mixed: list[object] = []
    for static, dynamic in (
        (view.static_offsets, view.offsets),
        (view.static_sizes, view.sizes),
        (view.static_strides, view.strides),
    ):
        values = iter(dynamic)
        for number in static:
            mixed.append(next(values) if number == ir.ShapedType.get_dynamic_size() else int(number))
    return tuple(mixed)


def disjoint_slices(left: tuple, right: tuple) -> bool:
    """Whether two slices (offsets, sizes, strides) of one tensor have no element in common; False if not known."""
    rank = len(left) // 3
    for d in range(rank):
        a, b = (key[d::rank] for key in (left, right))
        if all(isinstance(n, int) for n in (*a, *b)):
            (first, size, step), (other, count, stride) = a, b
            if first + (size - 1) * step < other or other + (count - 1) * stride < first:
                return True
            if (first - other) % gcd(step, stride):
                return True  # every second element from the first one on, and from the second one on
    return False
