"""`wse-bound-allocations`: sizes of buffers that no number of bytes can hold are sizes that nobody can allocate."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import prod
from typing import Any

from ....dialects.host import arith, ir
from ...infra.pass_base import Pass, PassRun
from ...tensor.bufferization.lifetimes import allocations

_MOST = 1 << 62  # bytes; more are no allocation on any machine


class BoundAllocations(Pass, name="wse-bound-allocations", anchor="func.func"):
    """Keeps the bytes of an allocation from wrapping around.

    Bytes are a product of 64-bit numbers. Where sizes are known only at run time, it may exceed them, and what is left
    of it be small: the program would write behind a small buffer. Such an allocation gets sizes of about 2^62 bytes
    instead, so that it fails as every allocation does for which there is not enough memory. A size that is itself a
    product counts as its factors.

    Before:
        %0 = memref.alloc(%n, %m) : memref<?x?xf32>
    After, where %huge says that 4 * %n * %m is 2^62 or more:
        %n1 = arith.select %huge, %c1152921504606846976, %n
        %m1 = arith.select %huge, %c1, %m
        %0 = memref.alloc(%n1, %m1) : memref<?x?xf32>
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for allocation in allocations(op):
            sizes: Sequence[ir.Value] = list(allocation.operands)
            factors = [factor for size in sizes for factor in _factors(size)]
            if len(factors) < 2:  # one size is that of a tensor that there is
                continue
            with ir.InsertionPoint(allocation), allocation.location:
                self._bound(allocation, sizes, factors)
            run.count("allocations bounded")

    def _bound(
        self, allocation: ir.Operation, sizes: Sequence[ir.Value], factors: Sequence[ir.Value]
    ) -> None:
        known = _known_bytes(ir.MemRefType(allocation.results[0].type))
        huge = _is_huge(known, factors)
        index = ir.IndexType.get()
        for position, size in enumerate(sizes):
            instead = arith.constant(index, max(_MOST // max(known, 1), 1) if position == 0 else 1)
            allocation.operands[position] = arith.select(huge, instead, size)


def _factors(size: ir.Value) -> Iterator[ir.Value]:
    """What a size is the product of."""
    maker: Any = None if isinstance(size, ir.BlockArgument) else size.owner
    if maker is not None and maker.name == "arith.muli":
        for operand in maker.operands:
            yield from _factors(operand)
    else:
        yield size


def _known_bytes(kind: ir.MemRefType) -> int:
    """Bytes of one element times all sizes that are known."""
    element = kind.element_type
    bits = getattr(element, "width", 64)  # an index has 64
    known = prod(kind.get_dim_size(d) for d in range(kind.rank) if not kind.is_dynamic_dim(d))
    return known * -(-bits // 8)


def _is_huge(known: int, factors: Sequence[ir.Value]) -> ir.Value:
    """Whether the product is no number of bytes to allocate."""
    i64 = ir.IntegerType.get_signless(64)
    product: Any = arith.constant(i64, known)
    beyond: Any = arith.constant(i64, 0)
    for factor in factors:
        extended = arith.MulUIExtendedOp(product, arith.index_cast(i64, factor))
        product, beyond = extended.low, arith.ori(beyond, extended.high)
    has_more = arith.cmpi(arith.CmpIPredicate.ne, beyond, arith.constant(i64, 0))
    is_more = arith.cmpi(arith.CmpIPredicate.uge, product, arith.constant(i64, _MOST))
    return arith.ori(has_more, is_more)
