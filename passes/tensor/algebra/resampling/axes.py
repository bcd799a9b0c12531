"""A gathering operation as a product of interpolations along single dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .....dialects.host import ir
from .....dialects.structured import Structured
from .reading import Array, Reading
from .sampling_line import SamplingLine, find_positions

_MOST_WEIGHTS = 1 << 24
_MOST_TAPS = 8  # neighbours of one dimension that are read one by one
_TOLERANCE = 1e-5  # between a weight and the product of the weights along each dimension


@dataclass(frozen=True)
class ResampledAxis:
    """An interpolation along one dimension of a tensor.

    Attributes:
        dim: the dimension of the source.
        line: where the first of the neighbours lies that a point is computed from.
        weights: (neighbours, points); NaN where a neighbour is not read for a point.
        spoilt: points whose neighbour is also read with the weight zero, so that an infinity becomes NaN.
    """

    dim: int
    line: SamplingLine
    weights: Array
    spoilt: Array

    @property
    def is_copy(self) -> bool:
        return len(self.weights) == 1 and bool((self.weights == 1).all()) and not self.spoilt.any()


@dataclass(frozen=True)
class Resampling:
    """Attributes:
    source: the tensor whose elements are gathered.
    root: the value in the body that is the resampled element.
    loops: the loop of each of the source's dimensions.
    axes: the dimensions along which elements are not taken as they lie.
    """

    reading: Reading
    source: ir.Value
    root: ir.Value
    loops: tuple[int, ...]
    axes: tuple[ResampledAxis, ...]


def find_resampling(view: Structured) -> Resampling | None:
    """What the operation resamples, or None. Raises `NotEvaluable` for bodies that cannot be computed here."""
    sizes = view.loop_sizes()
    known = tuple(s for s in sizes if s)
    if len(known) != len(sizes) or not view.is_parallel():
        return None
    reading = Reading(view, known)
    reading.read()
    root = reading.root()
    if root is None or len({tap.operands[0] for tap in reading.taps}) != 1:
        return None
    source = reading.taps[0].operands[0]
    shape = ir.ShapedType(source.type)
    if not isinstance(source.type, ir.RankedTensorType) or not shape.has_static_shape or 0 in shape.shape:
        return None
    tables = [[reading.array(v) for v in tap.operands[1:]] for tap in reading.taps]
    loops = _loops(tables, known, tuple(shape.shape))
    if loops is None:
        return None
    axes = _axes(reading, root, [[_flat(t) for t in row] for row in tables], loops, tuple(shape.shape))
    return None if axes is None else Resampling(reading, source, root, loops, axes)


def _flat(table: Array | None) -> Array:
    assert table is not None
    return table.reshape(-1)


def _loops(
    tables: list[list[Array | None]], sizes: tuple[int, ...], shape: tuple[int, ...]
) -> tuple[int, ...] | None:
    """The loop along which each dimension of the source is walked; each has one of its own, or there is no answer."""
    found: list[int | None] = []
    for dim in range(len(shape)):
        depends: set[int] = set()
        for row in tables:
            table = row[dim]
            assert table is not None
            depends |= {loop for loop, n in enumerate(table.shape) if n > 1}
            if table.min() < 0 or table.max() >= shape[dim]:
                return None
        if len(depends) > 1:
            return None
        found.append(min(depends) if depends else None)
    free = [loop for loop, n in enumerate(sizes) if n == 1]
    for dim, loop in enumerate(found):
        if loop is None:
            if shape[dim] != 1 or not free:
                return None
            found[dim] = free.pop(0)
    loops = tuple(loop for loop in found if loop is not None)
    return loops if len(set(loops)) == len(loops) else None


def _axes(
    reading: Reading,
    root: ir.Value,
    tables: list[list[Array]],
    loops: tuple[int, ...],
    shape: tuple[int, ...],
) -> tuple[ResampledAxis, ...] | None:
    sizes = reading.sizes
    rows = [[np.broadcast_to(row[d], sizes[loop]) for d, loop in enumerate(loops)] for row in tables]
    dims = [
        d
        for d, loop in enumerate(loops)
        if sizes[loop] != shape[d] or any((row[d] != np.arange(shape[d])).any() for row in rows)
    ]
    places = {d: _distinct([row[d] for row in rows]) for d in dims}
    counts = [len(places[d][0]) for d in dims]
    points = [sizes[loops[d]] for d in dims]
    if not dims or np.prod(counts) * np.prod(points) > _MOST_WEIGHTS:
        return None
    total = np.zeros((*counts, *points))
    for tap, weight in reading.sums[root].items():
        if any(n > 1 and loop not in [loops[d] for d in dims] for loop, n in enumerate(weight.shape)):
            return None
        order = [loops[d] for d in dims] + [k for k in range(len(sizes)) if k not in [loops[d] for d in dims]]
        plain = weight.transpose(order).reshape([weight.shape[loops[d]] for d in dims])
        total[tuple(places[d][1][tap] for d in dims)] += plain
    parts = _factors(total, len(dims))
    if parts is None:
        return None
    axes = [
        _axis(
            d,
            np.stack(places[d][0]),
            part,
            shape[d],
            _zeros(reading, root, rows, d, loops[d]),
        )
        for d, part in zip(dims, parts, strict=True)
    ]
    found = tuple(axis for axis in axes if axis is not None)
    return found if len(found) == len(dims) else None


def _distinct(tables: list[Array]) -> tuple[list[Array], list[int]]:
    """Different tables, and which of them each one is."""
    names = [table.tobytes() for table in tables]
    first = list(dict.fromkeys(names))
    return [tables[names.index(name)] for name in first], [first.index(name) for name in names]


def _zeros(
    reading: Reading, root: ir.Value, rows: list[list[Array]], dim: int, loop: int
) -> list[tuple[Array, Array]]:
    """(positions along a dimension, points at which they are read with the weight zero) of every tap.

    Taps that lie together in all other dimensions are told apart by this one; where all of them weigh nothing, it is
    another dimension that says so.
    """
    sums = reading.sums[root]
    together: dict[tuple[bytes, ...], list[int]] = {}
    for tap in sums:
        others = tuple(row.tobytes() for d, row in enumerate(rows[tap]) if d != dim)
        together.setdefault(others, []).append(tap)
    found: list[tuple[Array, Array]] = []
    for taps in together.values():
        if all((sums[tap] == 0).all() for tap in taps):
            continue
        for tap in taps:
            is_zero = (sums[tap] == 0) | reading.hidden.get(tap, np.zeros((), bool))
            along = is_zero.all(axis=tuple(k for k in range(is_zero.ndim) if k != loop))
            found.append((rows[tap][dim], np.broadcast_to(along, rows[tap][dim].shape)))
    return found


def _factors(total: Array, count: int) -> list[Array] | None:
    """Weights (taps..., points...) as the product of weights (taps, points) along each dimension."""
    parts: list[Array] = []
    for d in range(count):
        others = tuple(k for k in range(count) if k != d)
        summed = total.sum(axis=others)  # the weights along the other dimensions add up to one
        parts.append(summed[(slice(None), *(slice(None) if k == d else 0 for k in range(count)))])
    product = np.ones((1,) * (2 * count))
    for d, part in enumerate(parts):
        shape = [part.shape[0] if k == d else 1 for k in range(count)]
        shape += [part.shape[1] if k == d else 1 for k in range(count)]
        product = product * part.reshape(shape)
    return parts if bool(np.abs(product - total).max() <= _TOLERANCE) else None


def _axis(
    dim: int, places: Array, weights: Array, size: int, zeros: list[tuple[Array, Array]]
) -> ResampledAxis | None:
    """The interpolation by neighbours that lie side by side from a straight line on."""
    first, last = places.min(axis=0), places.max(axis=0)
    fewest = int((last - first).max()) + 1
    for taps in range(fewest, min(fewest + 1, size, _MOST_TAPS) + 1):
        line = find_positions(last - taps + 1, first, size - taps)
        if line is None or (taps > 1 and fewest == 1 and bool((weights.sum(axis=0) == 1).all())):
            continue  # copies stay copies: an infinite neighbour must not matter
        start = line.positions()
        moved = np.zeros((taps, places.shape[1]))
        spoilt = np.zeros(places.shape[1], bool)
        for k in range(taps):
            here = places == start + k
            moved[k] = np.where(here.any(axis=0), (weights * here).sum(axis=0), np.nan)
            for place, is_zero in zeros:
                spoilt |= is_zero & (place == start + k) & (moved[k] != 0)
        return ResampledAxis(dim, line, moved, spoilt)
    return None
