"""Sums of products of bytes, modulo 2^32: what they multiply, and how they are written down again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from ....dialects.affine.expressions import dim_position, keep_dims
from ....dialects.affine.maps import compose_map, loops_inferable, map_dims, select_results
from ....dialects.host import arith, ir, tensor
from ....dialects.structured import (
    PARALLEL,
    REDUCTION,
    Structured,
    build_generic,
    element_type,
    rebuild_generic,
    structured,
)
from ...tensor.contraction.factors import Factor, product_factors
from ...tensor.sizes import sizes_of
from ...tensor.uniform import uniform_scalar
from ..vectorize.contraction.byte_factors import Byte, byte_of, flip
from .packing import PackedSource, look_through


@dataclass(frozen=True)
class ByteOperand:
    """One operand of a sum of products: a tensor of bytes, and the number that each of them stands for."""

    value: ir.Value
    amap: ir.AffineMap
    byte: Byte

    def with_signs(self) -> ByteOperand:
        """The same numbers as signed bytes; the tensor is computed anew if its bytes have none."""
        byte = self.byte.signed()
        if not byte.is_flipped:
            return replace(self, byte=byte)
        rank = ir.RankedTensorType(self.value.type).rank
        identity = ir.AffineMap.get_identity(rank)
        init = tensor.empty(sizes_of(self.value), ir.IntegerType.get_signless(8))
        flipped = build_generic(
            [self.value], [init], [identity] * 2, [PARALLEL] * rank, lambda x, _: [flip(x)]
        )
        return replace(self, value=flipped.results[0], byte=replace(byte, is_flipped=False))


def sides_of(view: Structured) -> tuple[ByteOperand, ByteOperand] | None:
    """Both operands of a sum of products of bytes; None when it is something else."""
    factors = product_factors(view)
    if factors is None:
        return None
    one, other = (_side(view, number, factor) for number, factor in enumerate(factors))
    return (one, other) if one is not None and other is not None else None


def _side(view: Structured, operand: int, factor: Factor) -> ByteOperand | None:
    """An operand, as far back as the elements of what it is computed from are bytes."""
    source: PackedSource | None = PackedSource(view.inputs[operand], view.maps[operand], factor.steps)
    found = None
    while source is not None:
        byte = byte_of(source.steps)
        if byte is not None and element_type(source.value.type) == ir.IntegerType.get_signless(8):
            found = ByteOperand(source.value, source.amap, byte)
        source = look_through(source)
    return found


def column_sums(view: Structured, side: ByteOperand, factor: int) -> tuple[ir.Value, tuple[int, ...]] | None:
    """`factor` times the sums of an operand over all reductions, and the iterators that are the sums' dimensions.

    None when they are not sums of each product's bytes alone, or of open size.
    """
    sizes = view.loop_sizes()
    used = sorted(map_dims(side.amap))
    kept = tuple(i for i in used if view.iterators[i] == PARALLEL)
    renamed = keep_dims(used, len(sizes))
    reads, writes = compose_map(side.amap, renamed), select_results(renamed, kept)
    reductions = {i for i, kind in enumerate(view.iterators) if kind != PARALLEL}
    if not reductions <= set(used) or not loops_inferable([reads, writes], len(used)):
        return None
    if any(sizes[i] is None for i in kept):
        return None
    word = ir.IntegerType.get_signless(32)
    empty = tensor.empty([sizes[i] or 0 for i in kept], word)
    zeros = fill(arith.constant(word, 0), empty)

    def body(x: ir.Value, total: ir.Value) -> list[ir.Value]:
        wide = Factor(x, side.byte.steps(word)).emit(x)
        return [arith.addi(total, arith.muli(wide, arith.constant(word, factor)))]

    kinds = [PARALLEL if i in kept else REDUCTION for i in used]
    return build_generic([side.value], [zeros], [reads, writes], kinds, body).results[0], kept


def with_sums(view: Structured, init: ir.Value, sums: ir.Value, kept: Sequence[int]) -> ir.Value:
    """What a contraction begins with, plus its column sums, in one operation."""
    rank = ir.RankedTensorType(init.type).rank
    identity = ir.AffineMap.get_identity(rank)
    places = [dim_position(e) for e in view.init_maps[0].results]
    along = ir.AffineMap.get(rank, 0, [ir.AffineDimExpr.get(places.index(i)) for i in kept])
    value, amap = _copied(init)
    out = tensor.empty(sizes_of(init), ir.IntegerType.get_signless(32))
    made = build_generic(
        [value, sums], [out], [amap, along, identity], [PARALLEL] * rank, lambda x, s, _: [arith.addi(x, s)]
    )
    return made.results[0]


def _copied(init: ir.Value) -> tuple[ir.Value, ir.AffineMap]:
    """What a tensor is a plain copy of, and how it reads that; itself when it is none."""
    identity = ir.AffineMap.get_identity(ir.RankedTensorType(init.type).rank)
    made = None if isinstance(init.owner, ir.Block) else structured(init.owner)
    if made is None or not made.is_copy() or len(made.inputs) != 1 or len(made.inits) != 1:
        return init, identity
    return (made.inputs[0], made.input_maps[0]) if made.init_maps[0] == identity else (init, identity)


def rebuild(view: Structured, sides: tuple[ByteOperand, ByteOperand], init: ir.Value) -> ir.Value:
    """The sum of products of other operands, in i32; takes over the attributes of the one that it replaces."""
    word = ir.IntegerType.get_signless(32)

    def body(x: ir.Value, y: ir.Value, total: ir.Value) -> list[ir.Value]:
        factors = (Factor(v, s.byte.steps(word)).emit(v) for v, s in zip((x, y), sides, strict=True))
        return [arith.addi(total, arith.muli(*factors))]

    maps = [*(side.amap for side in sides), view.init_maps[0]]
    made = rebuild_generic(view, [s.value for s in sides], [init], maps, body=body)
    return made.results[0]


def fill(scalar: ir.Value, out: ir.Value) -> ir.Value:
    """A tensor of one scalar."""
    rank = ir.RankedTensorType(out.type).rank
    maps = [ir.AffineMap.get(rank, 0, []), ir.AffineMap.get_identity(rank)]
    return build_generic([scalar], [out], maps, [PARALLEL] * rank, lambda x, _: [x]).results[0]


def narrow_init(init: ir.Value) -> ir.Value:
    """A tensor of wider integers modulo 2^32."""
    word = ir.IntegerType.get_signless(32)
    out = tensor.empty(sizes_of(init), word)
    scalar: Any = uniform_scalar(init)
    if scalar is not None:
        return fill(arith.trunci(word, scalar), out)
    rank = ir.RankedTensorType(init.type).rank
    maps = [ir.AffineMap.get_identity(rank)] * 2
    return build_generic(
        [init], [out], maps, [PARALLEL] * rank, lambda x, _: [arith.trunci(word, x)]
    ).results[0]
