"""Constants whose elements are all one number: reading and making them, of scalars, vectors and tensors alike."""

from __future__ import annotations

from typing import Any

from .host import arith, ir


def constant_attribute(value: ir.Value) -> ir.Attribute | None:
    """What an `arith.constant` has in every element, as the attribute of a scalar; None when that is not one number."""
    owner: Any = value.owner
    if isinstance(owner, ir.Block) or owner.operation.name != "arith.constant":
        return None
    element = value.type.element_type if isinstance(value.type, ir.ShapedType) else value.type
    if isinstance(element, ir.ComplexType):  # the bindings have no class for the attribute of several
        return None
    attribute = owner.operation.attributes["value"]
    if isinstance(attribute, ir.DenseElementsAttr):
        return attribute.get_splat_value() if attribute.is_splat else None
    return None if isinstance(value.type, ir.ShapedType) else attribute


def constant_number(value: ir.Value) -> float | int | None:
    """The number that an `arith.constant` has in every element, 1 for a bit that is set; None when there is not one."""
    attribute = constant_attribute(value)
    if isinstance(attribute, ir.BoolAttr):
        return int(attribute.value)
    if not isinstance(attribute, (ir.FloatAttr, ir.IntegerAttr)):
        return None
    return abs(int(attribute.value)) if str(attribute.type) == "i1" else attribute.value


def splat_attribute(value: ir.Value) -> ir.Attribute | None:
    """The element of a tensor's or vector's constant whose elements are all equal, as an attribute."""
    return constant_attribute(value) if isinstance(value.type, ir.ShapedType) else None


def splat(kind: ir.Type, element: Any) -> ir.Value:
    """A constant of a scalar type, or of a shaped one with the same attribute in every element."""
    attribute: Any = (
        ir.DenseElementsAttr.get_splat(kind, element) if isinstance(kind, ir.ShapedType) else element
    )
    return arith.ConstantOp(kind, attribute).result


def splat_number(kind: ir.Type, number: float) -> ir.Value:
    """A constant of a scalar or shaped type with the same number in every element."""
    element = kind.element_type if isinstance(kind, ir.ShapedType) else kind
    make: Any = ir.FloatAttr.get if isinstance(element, ir.FloatType) else ir.IntegerAttr.get
    return splat(kind, make(element, number))


def zeros(kind: ir.Type) -> ir.Value:
    """A constant 0 of a scalar or shaped type."""
    is_float = isinstance(kind.element_type if isinstance(kind, ir.ShapedType) else kind, ir.FloatType)
    return splat_number(kind, 0.0 if is_float else 0)
