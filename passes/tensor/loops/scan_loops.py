"""Scans as loops that carry the running value: what a CPU runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from ....dialects.host import arith, ir, scf, tensor
from ....dialects.structured import PARALLEL, build_generic, inline_body
from ..sizes import constant_index, size_value


@dataclass(frozen=True)
class ScanParts:
    """What a scan is made of.

    Attributes:
        output / accumulator: where running values, and the last of each line, are written.
        dimension: that it runs along.
        inclusive: whether an element's own value is part of its running value; else lines begin with `accumulator`.
        combine: makes the next running value of the one before and an element.
        started: whether what `accumulator` holds counts where elements' own values do; not if it changes nothing.
    """

    source: ir.Value
    output: ir.Value
    accumulator: ir.Value
    dimension: int
    inclusive: bool
    combine: Callable[[ir.Value, ir.Value], ir.Value]
    started: bool = False

    @staticmethod
    def of_tm_tensor(op: ir.Operation) -> ScanParts:
        """Those of a `tm_tensor.scan`."""
        source, output, accumulator = op.operands
        body = op.regions[0].blocks[0]
        return ScanParts(
            source,
            output,
            accumulator,
            ir.IntegerAttr(op.attributes["dimension"]).value,
            ir.BoolAttr(op.attributes["inclusive"]).value,
            lambda running, given: inline_body(body, [running, given])[0],
        )


def scan_loops(scan: ScanParts) -> list[ir.Value]:
    """A scan's results, by loops; over rows where the last dimension is not scanned."""
    source, output, accumulator = scan.source, scan.output, scan.accumulator
    scanned, inclusive = scan.dimension, scan.inclusive
    rank = ir.RankedTensorType(source.type).rank
    outer = [d for d in range(rank) if d != scanned]
    if ir.RankedTensorType(source.type).shape[scanned] == 0:
        return [output, accumulator]
    if scanned < rank - 1 and any(n != 1 for n in ir.RankedTensorType(source.type).shape[scanned + 1 :]):
        return _scan_rows(scan)

    def scan_line(ivs: Sequence[ir.Value], carried: Sequence[ir.Value]) -> list[ir.Value]:
        def at(position: ir.Value) -> list[ir.Value]:
            return [*ivs[:scanned], position, *ivs[scanned:]]

        def step(line: Sequence[ir.Value], state: Sequence[ir.Value]) -> list[ir.Value]:
            position = arith.addi(line[0], constant_index(1))
            read = position if inclusive else line[0]
            running = scan.combine(state[1], tensor.extract(source, at(read)))
            return [tensor.insert(running, state[0], at(position)), running]

        def first_value() -> ir.Value:
            if not inclusive:
                return tensor.extract(carried[1], list(ivs))
            given = tensor.extract(source, at(constant_index(0)))
            return scan.combine(tensor.extract(carried[1], list(ivs)), given) if scan.started else given

        first = first_value()
        started = tensor.insert(first, carried[0], at(constant_index(0)))
        steps = arith.subi(size_value(source, scanned), constant_index(1))
        scanned_line, last = loop_nest([steps], [started, first], step)
        return [scanned_line, tensor.insert(last, carried[1], list(ivs))]

    return loop_nest([size_value(source, d) for d in outer], [output, accumulator], scan_line)


def _scan_rows(scan: ScanParts) -> list[ir.Value]:
    """A scan whose running values are slices of the dimensions behind the scanned one, read from the result."""
    source, output, accumulator = scan.source, scan.output, scan.accumulator
    scanned, inclusive = scan.dimension, scan.inclusive
    rank = ir.RankedTensorType(source.type).rank - scanned - 1

    def combine(previous: ir.Value, given: ir.Value, place: ir.Value) -> ir.Value:
        maps = [ir.AffineMap.get_identity(rank)] * 3
        return build_generic(
            [previous, given], [place], maps, [PARALLEL] * rank, lambda a, b, _: [scan.combine(a, b)]
        ).results[0]

    def scan_block(ivs: Sequence[ir.Value], carried: Sequence[ir.Value]) -> list[ir.Value]:
        def step(line: Sequence[ir.Value], state: Sequence[ir.Value]) -> list[ir.Value]:
            position = arith.addi(line[0], constant_index(1))
            given = _row(source, [*ivs, position if inclusive else line[0]])
            made = combine(_row(state[0], [*ivs, line[0]]), given, _row(state[0], [*ivs, position]))
            return [_with_row(state[0], [*ivs, position], made)]

        begin = [*ivs, constant_index(0)]
        first = _row(source, begin) if inclusive else _row(carried[1], ivs)
        if scan.started and inclusive:
            first = combine(_row(carried[1], ivs), first, _row(carried[0], begin))
        started = _with_row(carried[0], begin, first)
        steps = arith.subi(size_value(source, scanned), constant_index(1))
        (filled,) = loop_nest([steps], [started], step)
        return [filled, _with_row(carried[1], ivs, _row(filled, [*ivs, steps]))]

    return loop_nest([size_value(source, d) for d in range(scanned)], [output, accumulator], scan_block)


def _row(value: ir.Value, position: Sequence[ir.Value]) -> ir.Value:
    """The slice at a position along the first dimensions."""
    kind = ir.RankedTensorType(value.type)
    shape = list(kind.shape)[len(position) :]
    sizes = [size_value(value, d) for d in range(len(position), kind.rank) if kind.is_dynamic_dim(d)]
    offsets, ones = _slice_of(position, kind.rank)
    return tensor.extract_slice(
        ir.RankedTensorType.get(shape, kind.element_type), value, position, sizes, [],
        offsets, [*[1] * len(position), *shape], ones,
    )  # fmt: skip


def _with_row(value: ir.Value, position: Sequence[ir.Value], row: ir.Value) -> ir.Value:
    """A tensor with another slice at a position along the first dimensions."""
    kind = ir.RankedTensorType(value.type)
    sizes = [size_value(value, d) for d in range(len(position), kind.rank) if kind.is_dynamic_dim(d)]
    offsets, ones = _slice_of(position, kind.rank)
    shape = [*[1] * len(position), *list(kind.shape)[len(position) :]]
    return tensor.insert_slice(row, value, position, sizes, [], offsets, shape, ones)


def _slice_of(position: Sequence[ir.Value], rank: int) -> tuple[list[int], list[int]]:
    """(offsets, strides) of a slice at a position that is known only at run time."""
    unknown = ir.ShapedType.get_dynamic_stride_or_offset()
    return [unknown] * len(position) + [0] * (rank - len(position)), [1] * rank


def loop_nest(
    bounds: Sequence[ir.Value],
    carried: Sequence[ir.Value],
    body: Callable[[Sequence[ir.Value], Sequence[ir.Value]], list[ir.Value]],
    ivs: tuple[ir.Value, ...] = (),
) -> list[ir.Value]:
    """Loops `0 <= iv < bound`, outermost first, that carry values through `body(ivs, carried)`."""
    if not bounds:
        return body(ivs, carried)
    loop: Any = scf.ForOp(constant_index(0), bounds[0], constant_index(1), list(carried))
    with ir.InsertionPoint(loop.body):
        inner = loop_nest(bounds[1:], list(loop.inner_iter_args), body, (*ivs, loop.induction_variable))
        scf.yield_(inner)
    return list(loop.results)
