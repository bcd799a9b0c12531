"""Tensors of the torch dialect, whose integers have signs, and the builtin ones that stand for them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..dialects.host import ir, tensor

OPEN = ir.ShapedType.get_dynamic_size()
_VALUE_TENSOR = re.compile(r"!torch\.vtensor<\[([\d,?]*)\],(\w+)>")
_SIGN = re.compile(r"^[su]i(?=\d)")


@dataclass(frozen=True)
class TensorType:
    """What is known of a tensor of torch's.

    Attributes:
        shape: its sizes, `OPEN` where they are not known.
        element: its elements as torch-mlir writes them, "si8", "ui8", "i1", "f32".
    """

    shape: tuple[int, ...]
    element: str

    @staticmethod
    def of(kind: ir.Type) -> TensorType | None:
        """None for what is no tensor of a known rank and element type."""
        if isinstance(kind, ir.RankedTensorType):
            return TensorType(tuple(kind.shape), str(kind.element_type))
        found = _VALUE_TENSOR.fullmatch(str(kind))
        if found is None:
            return None
        sizes = (OPEN if size == "?" else int(size) for size in found[1].split(",") if size)
        return TensorType(tuple(sizes), found[2])

    def builtin(self, context: ir.Context) -> ir.RankedTensorType:
        """The same without signs."""
        element = ir.Type.parse(_SIGN.sub("i", self.element), context)
        return ir.RankedTensorType.get(self.shape, element)


def builtin_type(kind: ir.Type) -> ir.RankedTensorType | None:
    """The builtin type of a tensor of torch's; None where rank or elements are not known."""
    known = TensorType.of(kind)
    return None if known is None else known.builtin(kind.context)


def converted(value: ir.Value, kind: ir.Type) -> ir.Value:
    """A tensor in another type of the same elements: torch's or builtin, of which more or fewer sizes are known."""
    if value.type == kind:
        return value
    if not isinstance(value.type, ir.RankedTensorType):
        value = _to_builtin(value)
    wanted = kind if isinstance(kind, ir.RankedTensorType) else builtin_type(kind)
    if value.type != wanted:
        assert wanted is not None
        value = tensor.CastOp(wanted, value).result
    return value if value.type == kind else _create("torch_c.from_builtin_tensor", value, kind)


def _to_builtin(value: ir.Value) -> ir.Value:
    kind = builtin_type(value.type)
    owner = value.owner
    if not isinstance(owner, ir.Block) and owner.name == "torch_c.from_builtin_tensor":
        given = owner.operands[0]
        if given.type == kind:
            return given
    assert kind is not None
    return _create("torch_c.to_builtin_tensor", value, kind)


def _create(conversion: str, value: ir.Value, kind: ir.Type) -> ir.Value:
    return ir.Operation.create(conversion, [kind], [value]).result
