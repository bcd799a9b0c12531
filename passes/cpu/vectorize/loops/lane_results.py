"""What vectors of partial results come to: each row's lanes are combined, those of several rows at once.

A vector of sixteen lanes takes four shuffles and additions to sum up. Sixteen of them take fifteen additions and thirty
shuffles together: each step combines two vectors, halves of which it keeps, and the last one has a sum in every lane.
"""

from collections.abc import Callable, Iterator, Sequence

from .....dialects.constants import splat
from .....dialects.host import ir, vector
from ....tensor.access import element_bits
from ....tensor.reductions import Combiner
from ..vector_body import vector_of

_BLOCK_BITS = 128  # within which processors shuffle elements of two vectors in one instruction

Shuffle = tuple[list[int], list[int]]  # lanes of two vectors that are combined


def neutral(combiner: Combiner, element: ir.Type, width: int) -> ir.Value:
    return splat(vector_of(element, width), combiner.neutral_attribute(element))


def combine(combiner: Combiner, a: ir.Value, b: ir.Value) -> ir.Value:
    return ir.Operation.create(combiner.operation, results=[a.type], operands=[a, b]).results[0]


def combine_all(combiner: Combiner, parts: Sequence[ir.Value]) -> ir.Value:
    """Pairs first, so that few operations wait for each other."""
    left = list(parts)
    while len(left) > 1:
        left = _pairwise(left, lambda a, b: combine(combiner, a, b)) + left[len(left) & ~1 :]
    return left[0]


def combine_lanes(combiner: Combiner, accumulator: ir.Value, lanes: ir.Value) -> ir.Value:
    """A scalar and all lanes of a vector."""
    if combiner.kind in ("maximumf", "minimumf"):  # LLVM's own form of these is long
        folded = _folded(combiner, lanes, 1)
        return combine(combiner, accumulator, vector.ExtractOp(folded, [], [0]).result)
    kind = ir.Attribute.parse(f"#vector.kind<{combiner.kind}>")
    reassociate = ir.Attribute.parse("#arith.fastmath<reassoc>")
    is_sum = combiner.operation in ("arith.addf", "arith.mulf")
    reduced = vector.ReductionOp(
        accumulator.type, kind, lanes, fastmath=reassociate if is_sum else None
    ).result
    return combine(combiner, accumulator, reduced)


def powers_of_two(count: int, most: int) -> Iterator[tuple[int, int]]:
    """(start, length) of parts of `count` rows whose lanes `combine_rows` takes together, the longest first."""
    at = 0
    while at < count:
        length = min(most, 1 << ((count - at).bit_length() - 1))
        yield at, length
        at += length


def combine_rows(combiner: Combiner, rows: Sequence[ir.Value]) -> ir.Value:
    """One vector with the combined lanes of each row; there are at most as many rows as lanes, both powers of two."""
    kind = ir.VectorType(rows[0].type)
    width, left = kind.shape[0], list(rows)
    block = max(1, min(width, _BLOCK_BITS // element_bits(kind.element_type)))
    period = 1  # each vector has results of so many rows, over and over
    while period < block and len(left) > 1:
        left = _combine_pairs(combiner, left, _interleaved(width, block, period))
        period *= 2
    width = period * len(left)
    left = [_folded(combiner, value, width) for value in left]
    size = width
    while len(left) > 1:
        left = _combine_pairs(combiner, left, _halves(width, size))
        size //= 2
    return left[0]


def _combine_pairs(combiner: Combiner, values: list[ir.Value], lanes: Shuffle) -> list[ir.Value]:
    low, high = lanes

    def both(a: ir.Value, b: ir.Value) -> ir.Value:
        return combine(combiner, vector.ShuffleOp(a, b, low).result, vector.ShuffleOp(a, b, high).result)

    return _pairwise(values, both)


def _pairwise(values: Sequence[ir.Value], both: Callable[[ir.Value, ir.Value], ir.Value]) -> list[ir.Value]:
    return [both(a, b) for a, b in zip(values[::2], values[1::2], strict=False)]


def _interleaved(width: int, block: int, group: int) -> Shuffle:
    """Groups of lanes of two vectors in turn: the first half of each block's, and the second half's."""
    half = block // 2
    low = [
        lane + vector_start
        for start in range(0, width, block)
        for first in range(start, start + half, group)
        for vector_start in (0, width)
        for lane in range(first, first + group)
    ]
    return low, [lane + half for lane in low]


def _halves(width: int, size: int) -> Shuffle:
    """The first half of each block of `size` lanes of two vectors, and the second half."""
    half = size // 2
    low = [start + lane for start in range(0, 2 * width, size) for lane in range(half)]
    return low, [lane + half for lane in low]


def _folded(combiner: Combiner, lanes: ir.Value, width: int) -> ir.Value:
    """The lower half of the lanes with the upper one, until `width` are left."""
    while (half := ir.VectorType(lanes.type).shape[0] // 2) >= width:
        low, high = (vector.ShuffleOp(lanes, lanes, list(range(at, at + half))).result for at in (0, half))
        lanes = combine(combiner, low, high)
    return lanes
