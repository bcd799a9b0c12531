"""What `tensor` and `memref` operations say that merge or split dimensions."""

from typing import Any

from .host import ir


def reassociation(op: Any) -> list[list[int]]:
    """For each dimension of the collapsed side, the dimensions of the expanded side that it consists of."""
    return dimension_groups(op.operation.attributes["reassociation"])


def dimension_groups(attribute: ir.Attribute) -> list[list[int]]:
    """The groups of dimensions that a `reassociation` attribute names."""
    return [[ir.IntegerAttr(dim).value for dim in ir.ArrayAttr(group)] for group in ir.ArrayAttr(attribute)]
