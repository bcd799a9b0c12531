"""Transposes a square of vector registers by shuffles that vector units have.

Elements move inside of blocks of 128 bits first and whole blocks move afterwards: shuffles that cross blocks in smaller
pieces are several instructions on most processors.
"""

from collections.abc import Sequence

from .....dialects.host import ir, vector
from ....tensor.access import element_bits

_BLOCK_BITS = 128


def transpose(rows: Sequence[ir.Value]) -> list[ir.Value]:
    """The columns of a square: n vectors of n elements, n a power of two.

    a0 a1 | b0 b1   becomes   a0 b0 | a1 b1
    """
    count = len(rows)
    block = min(count, _BLOCK_BITS // element_bits(ir.VectorType(rows[0].type).element_type))
    groups = [_inside_blocks(rows[at : at + block], block) for at in range(0, count, block)]
    columns: list[ir.Value] = [rows[0]] * count
    for c in range(block):
        for number, column in enumerate(_between_blocks([group[c] for group in groups], block)):
            columns[number * block + c] = column
    return columns


def _inside_blocks(rows: Sequence[ir.Value], block: int) -> list[ir.Value]:
    """Every block of the results holds a column of the same block of the rows: interleaves pairs of them."""
    lists, unit = [[row] for row in rows], 1
    while len(lists) > 1:
        merged = []
        for first, second in zip(lists[::2], lists[1::2], strict=True):
            pairs = zip(first, second, strict=True)
            merged.append([_unpack(a, b, block, unit, high) for a, b in pairs for high in (False, True)])
        lists, unit = merged, unit * 2
    return lists[0]


def _unpack(a: ir.Value, b: ir.Value, block: int, unit: int, high: bool) -> ir.Value:
    """Interleaves the lower or upper halves of all blocks, `unit` elements at a time."""
    width = ir.VectorType(a.type).shape[0]
    mask = []
    for start in range(0, width, block):
        half = start + (block // 2 if high else 0)
        for at in range(half, half + block // 2, unit):
            mask += [*range(at, at + unit), *range(width + at, width + at + unit)]
    return vector.ShuffleOp(a, b, mask).result


def _between_blocks(rows: list[ir.Value], block: int) -> list[ir.Value]:
    """Transposes a square of blocks: result k holds block k of every row."""
    if len(rows) == 1:
        return rows
    pairs = list(zip(rows[::2], rows[1::2], strict=True))
    even = _between_blocks([_take_blocks(a, b, block, 0) for a, b in pairs], block)
    odd = _between_blocks([_take_blocks(a, b, block, 1) for a, b in pairs], block)
    return [row for pair in zip(even, odd, strict=True) for row in pair]


def _take_blocks(a: ir.Value, b: ir.Value, block: int, first: int) -> ir.Value:
    """Every second block of a, then of b."""
    width = ir.VectorType(a.type).shape[0]
    mask = []
    for start in range(first * block, 2 * width, 2 * block):
        mask += range(start, start + block)
    return vector.ShuffleOp(a, b, mask).result
