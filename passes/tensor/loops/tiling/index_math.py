"""Index arithmetic that folds: numbers stay Python integers as long as they can."""

from __future__ import annotations

from collections.abc import Sequence

from .....dialects.host import affine, arith, ir, memref, tensor

IndexOrValue = int | ir.Value


def weighted_sum(terms: Sequence[tuple[int, IndexOrValue]], constant: int = 0) -> IndexOrValue:
    """`sum of weight * value + constant`, folded; an `affine.apply` if anything is left."""
    values: list[tuple[int, ir.Value]] = []
    for weight, value in terms:
        known = constant_index(value)
        if known is not None:
            constant += weight * known
        elif weight and isinstance(value, ir.Value):
            values.append((weight, value))
    if not values:
        return constant
    if len(values) == 1 and values[0][0] == 1 and constant == 0:
        return values[0][1]
    expr = ir.AffineConstantExpr.get(constant)
    for position, (weight, _) in enumerate(values):
        expr = ir.AffineAddExpr.get(expr, ir.AffineDimExpr.get(position) * weight)
    return affine.apply(ir.AffineMap.get(len(values), 0, [expr]), [v for _, v in values])


def tile_extent(offset: IndexOrValue, tile: int, size: IndexOrValue) -> IndexOrValue:
    """How much of a dimension of `size` the tile at `offset` covers: less than `tile` only at the end."""
    if isinstance(size, int) and size % tile == 0:
        return tile
    iv = ir.AffineDimExpr.get(0)
    end = ir.AffineConstantExpr.get(size) if isinstance(size, int) else ir.AffineSymbolExpr.get(0)
    rest = ir.AffineAddExpr.get(end, iv * -1)
    symbols = [] if isinstance(size, int) else [size]
    bounds = ir.AffineMap.get(1, len(symbols), [rest, ir.AffineConstantExpr.get(tile)])
    return affine.min(bounds, [as_value(offset), *symbols])


def constant_index(value: IndexOrValue) -> int | None:
    """The number if it is known."""
    if isinstance(value, int):
        return value
    if isinstance(value.owner, ir.Block) or value.owner.operation.name != "arith.constant":
        return None
    return ir.IntegerAttr(value.owner.operation.attributes["value"]).value


def as_value(value: IndexOrValue) -> ir.Value:
    """The number as an SSA value."""
    return arith.constant(ir.IndexType.get(), value) if isinstance(value, int) else value


def dim_size(shaped: ir.Value, dim: int) -> IndexOrValue:
    """The size of a dimension of a tensor or memref."""
    kind = ir.ShapedType(shaped.type)
    if not kind.is_dynamic_dim(dim):
        return kind.get_dim_size(dim)
    take = tensor.dim if isinstance(shaped.type, ir.RankedTensorType) else memref.dim
    return take(shaped, as_value(dim))
