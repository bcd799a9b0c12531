"""`wse-block-scans`: long running sums go in blocks."""

from __future__ import annotations

import math

from ....dialects.host import ir, tensor
from ....dialects.structured import PARALLEL, build_generic, replace_op, structured
from ...infra.pass_base import Pass, PassRun, option
from ...tensor.loops.scan_loops import ScanParts
from ...tensor.loops.scans import is_sum, scan_of, steps, zeros
from ...tensor.traversal import collect


class BlockScans(Pass, name="wse-block-scans", anchor="func.func"):
    """Cuts the lines of running sums into about as many blocks as a block has elements.

    Steps of all blocks are taken side by side, which PEs may share; what came to before a block is a scan of the
    blocks' sums, and is added last. A line of 4,096 elements takes 64 steps and 64 steps. Products stay as they are:
    those of a block alone may overflow where the whole line's do not.

        %r = running sums of %x : tensor<6x100xf32>
    becomes
        %b = tensor.expand_shape %x : tensor<6x10x10xf32>
        %inside, %totals = running sums of %b along its last dimension
        %before = running sums of %totals, each without its own
        %r = tensor.collapse_shape (%inside + %before)
    """

    shorter: int = option(16, "lines of up to this many elements stay", least=1)

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for found in collect(op, lambda inner: inner.name == "linalg.generic"):
            view = structured(found)
            scan = None if view is None else scan_of(view)
            if view is None or scan is None or not is_sum(view) or not self._is_long(scan):
                continue
            with found.location, ir.InsertionPoint(found):
                made = _in_blocks(scan)
            replace_op(found, made)
            run.count("scans blocked")

    def _is_long(self, scan: ScanParts) -> bool:
        kind = ir.RankedTensorType(scan.source.type)
        return kind.has_static_shape and kind.shape[scan.dimension] > self.shorter


def _in_blocks(scan: ScanParts) -> list[ir.Value]:
    kind = ir.RankedTensorType(scan.source.type)
    scanned, size, element = scan.dimension, kind.shape[scan.dimension], kind.element_type
    block = _block_of(size)
    count = -(-size // block)
    front, behind = list(kind.shape)[:scanned], list(kind.shape)[scanned + 1 :]
    padded, blocked = [*front, count * block, *behind], [*front, count, block, *behind]
    groups = [*([d] for d in range(scanned)), [scanned, scanned + 1]]
    groups += [[d + 1] for d in range(scanned + 1, kind.rank)]

    source = scan.source
    if count * block != size:
        source = _inserted(source, zeros(tensor.EmptyOp(padded, element).result))
    split = tensor.ExpandShapeOp(
        ir.RankedTensorType.get(blocked, element), source, groups, [], blocked
    ).result
    inits = [
        tensor.EmptyOp(blocked, element).result,
        zeros(tensor.EmptyOp([*front, count, *behind], element).result),
    ]
    inside, totals = steps(split, inits, scanned + 1, scan.combine)
    inits = [tensor.EmptyOp([*front, count, *behind], element).result, scan.accumulator]
    before, last = steps(totals, inits, scanned, scan.combine, exclusive=True)
    added = _added(inside, before, scanned + 1, scan)
    joined = tensor.CollapseShapeOp(ir.RankedTensorType.get(padded, element), added, groups).result
    return [joined if padded == list(kind.shape) else _cut(joined, list(kind.shape)), last]


def _added(inside: ir.Value, before: ir.Value, dimension: int, scan: ScanParts) -> ir.Value:
    """The running sums of blocks, and what came to before each block, which lacks `dimension`."""
    kind = ir.RankedTensorType(inside.type)
    dims = [ir.AffineDimExpr.get(d) for d in range(kind.rank)]
    everywhere = ir.AffineMap.get(kind.rank, 0, dims)
    blocks = ir.AffineMap.get(kind.rank, 0, [*dims[:dimension], *dims[dimension + 1 :]])
    return build_generic(
        [inside, before],
        [tensor.EmptyOp(list(kind.shape), kind.element_type).result],
        [everywhere, blocks, everywhere],
        [PARALLEL] * kind.rank,
        lambda within, earlier, _: [scan.combine(earlier, within)],
    ).results[0]


def _block_of(size: int) -> int:
    """Elements of a block: a divisor of the line's length if one is near to its root."""
    root = math.isqrt(size - 1) + 1
    near = sorted(range(max(1, root // 2), 2 * root + 1), key=lambda n: abs(n - root))
    return next((n for n in near if size % n == 0), root)


def _inserted(part: ir.Value, whole: ir.Value) -> ir.Value:
    shape = list(ir.RankedTensorType(part.type).shape)
    return tensor.insert_slice(part, whole, [], [], [], [0] * len(shape), shape, [1] * len(shape))


def _cut(whole: ir.Value, shape: list[int]) -> ir.Value:
    kind = ir.RankedTensorType.get(shape, ir.RankedTensorType(whole.type).element_type)
    return tensor.extract_slice(kind, whole, [], [], [], [0] * len(shape), shape, [1] * len(shape))
