"""Running sums and products as `linalg.generic`: the scanned loop is a reduction whose steps leave what it has come to.

    %sums, %last = linalg.generic {maps = [(d, k) -> (d, k), (d, k) -> (d, k), (d, k) -> (d)],
                                   iterators = ["parallel", "reduction"]}
      ins(%x) outs(%empty, %zeros) {
    ^bb0(%given, %out, %running):
      %sum = arith.addf %running, %given
      linalg.yield %sum, %sum
    }

Steps of such a reduction are taken in their order. Nothing may evaluate it element by element, and its parts cannot be
combined, for each element wants the steps before it alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ....dialects.host import arith, ir, linalg
from ....dialects.structured import PARALLEL, REDUCTION, Structured, build_generic, element_type, inline_body
from ..uniform import is_constant_scalar, uniform_scalar
from .scan_loops import ScanParts

_ADDITIONS = ("arith.addf", "arith.addi")
_PRODUCTS = ("arith.mulf", "arith.muli")
_ZEROS, _ONES = ("0", "0.000000e+00"), ("1", "1.000000e+00")


def running_values(op: ir.Operation) -> list[ir.Value] | None:
    """A `tm_tensor.scan` as a generic, which is built before it; None for one that neither adds up nor multiplies."""
    scan = ScanParts.of_tm_tensor(op)
    element = element_type(scan.source.type)
    if not scan.inclusive or any(element_type(v.type) != element for v in (scan.output, scan.accumulator)):
        return None
    names = [inner.operation.name for inner in op.regions[0].blocks[0].operations]
    if len(names) != 2 or names[0] not in (*_ADDITIONS, *_PRODUCTS):
        return None
    if not _changes_nothing(scan.accumulator, names[0]):
        return None
    return steps(scan.source, [scan.output, scan.accumulator], scan.dimension, scan.combine)


def steps(
    source: ir.Value,
    inits: Sequence[ir.Value],
    scanned: int,
    combine: Callable[[ir.Value, ir.Value], ir.Value],
    *,
    exclusive: bool = False,
) -> list[ir.Value]:
    """(running values, those at the end of each line), which start from the second init; `exclusive`: running values
    leave out an element's own."""
    rank = ir.RankedTensorType(source.type).rank
    dims = [ir.AffineDimExpr.get(d) for d in range(rank)]
    everywhere = ir.AffineMap.get(rank, 0, dims)
    lines = ir.AffineMap.get(rank, 0, [*dims[:scanned], *dims[scanned + 1 :]])
    iterators = [REDUCTION if d == scanned else PARALLEL for d in range(rank)]

    def step(given: ir.Value, _: ir.Value, running: ir.Value) -> list[ir.Value]:
        combined = combine(running, given)
        return [running if exclusive else combined, combined]

    maps = [everywhere, everywhere, lines]
    return list(build_generic([source], list(inits), maps, iterators, step).results)


def scan_of(view: Structured) -> ScanParts | None:
    """The parts of a generic of the form above; None for any other operation."""
    reductions = [d for d, kind in enumerate(view.iterators) if kind == REDUCTION]
    if len(view.inputs) != 1 or len(view.inits) != 2 or len(reductions) != 1:
        return None
    scanned = reductions[0]
    given, output, last = view.maps
    dims = list(given.results)
    expected = ir.AffineMap.get_identity(len(view.iterators))
    if given != expected or output != expected or list(last.results) != dims[:scanned] + dims[scanned + 1 :]:
        return None
    sums, carried = view.yielded
    (combining, *others) = view.body_operations() or [None]
    if others or combining is None or sums != carried:
        return None
    if combining.operation.name not in (*_ADDITIONS, *_PRODUCTS):
        return None
    element, _, running = view.body.arguments
    if set(combining.operation.operands) != {element, running} or sums != combining.operation.results[0]:
        return None
    body = view.body

    def combine(before: ir.Value, value: ir.Value) -> ir.Value:
        return inline_body(body, [value, value, before])[0]

    started = not _changes_nothing(view.inits[1], combining.operation.name)
    return ScanParts(view.inputs[0], view.inits[0], view.inits[1], scanned, True, combine, started)


def is_sum(view: Structured) -> bool:
    """Whether a scan adds up: what comes to in blocks is then as good as what comes to in a row."""
    return view.body_operations()[0].operation.name in _ADDITIONS


def _changes_nothing(value: ir.Value, combining: str) -> bool:
    """Whether a tensor holds what adding, or multiplying, does nothing with."""
    texts = _ZEROS if combining in _ADDITIONS else _ONES
    scalar = uniform_scalar(value)
    if scalar is None or not is_constant_scalar(scalar):
        return False
    assert isinstance(scalar.owner, arith.ConstantOp)
    return str(scalar.owner.attributes["value"]).split(" ")[0] in texts


def zeros(value: ir.Value) -> ir.Value:
    """A tensor of positive zeros in the form of an empty one."""
    element = element_type(value.type)
    zero = arith.constant(element, 0 if isinstance(element, ir.IntegerType) else 0.0)
    return linalg.fill(zero, outs=[value])
