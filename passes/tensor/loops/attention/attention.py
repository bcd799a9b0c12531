"""Attention as maps and bodies show it: exp(x - max x) along keys, and the sums over the keys that it goes into.

    %peak = max over k of x(rows, k)
    %powers = exp(x(rows, k) - %peak(rows))
    %total = sum over k of %powers
    %mixed = sum over k of %powers * %values

Scores may be anything that is computed alike for the maximum and for the powers. Between the powers and a sum there may
be reshapes of rows, and an operation that multiplies or divides by what is the same for all keys of a row.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .....dialects.affine.expressions import dim_position
from .....dialects.affine.maps import depends_on, distinct_dims, results_along
from .....dialects.constants import constant_number
from .....dialects.host import ir
from .....dialects.reshapes import reassociation
from .....dialects.structured import PARALLEL, REDUCTION, Structured, outer_operands, structured
from ...traversal import made_by
from ...uniform import uniform_scalar
from .scalar_trees import combined, depends, is_proportional, is_same, maker_named

_RESHAPES = ("tensor.expand_shape", "tensor.collapse_shape")


@dataclass(frozen=True)
class RowReshape:
    """A reshape that leaves keys alone.

    Attributes:
        key: the keys' dimension behind it.
        groups / shape: of the dimensions of rows, the keys' left out.
    """

    op: Any
    key: int
    groups: list[list[int]]
    shape: list[int]


@dataclass(frozen=True)
class RowFactors:
    """An operation that multiplies powers by what belongs to their rows.

    Attributes:
        position: of the powers among its operands.
        rows: iterators over rows, in the order of the powers' dimensions.
    """

    view: Structured
    position: int
    rows: tuple[int, ...]


PathStep = RowReshape | RowFactors


@dataclass(frozen=True)
class KeySum:
    """A sum over the keys.

    Attributes:
        position: of the powers, or of what became of them, among its operands.
        path: what is between the powers and it.
        rows: for each dimension of a row, as it is behind the path, the dimension of the result.
    """

    view: Structured
    position: int
    path: tuple[PathStep, ...]
    rows: tuple[int, ...]

    @property
    def result(self) -> ir.Value:
        """What it makes."""
        return self.view.op.results[0]

    @property
    def factors(self) -> RowFactors | None:
        """What its rows are multiplied with on the way, if anything."""
        return next((step for step in self.path if isinstance(step, RowFactors)), None)


@dataclass(frozen=True)
class Attention:
    """A softmax along keys and what it is summed up for.

    Attributes:
        peak / peak_key: the greatest score of each row, and its iterator over keys.
        powers / powers_key / peak_position: the exponentials, their iterator over keys, and where they read the peaks.
        guard: what a peak is at least where it is subtracted; None where it may be minus infinity.
        size: number of keys.
        sums: in program order.
    """

    peak: Structured
    peak_key: int
    powers: Structured
    powers_key: int
    peak_position: int
    guard: float | None
    size: int
    sums: tuple[KeySum, ...]

    @property
    def operations(self) -> list[Any]:
        """All operations from the peak to the last sum."""
        steps = [
            step.view.op if isinstance(step, RowFactors) else step.op for s in self.sums for step in s.path
        ]
        return [self.peak.op, self.powers.op, *dict.fromkeys(steps), *(s.view.op for s in self.sums)]


def find_attention(op: Any) -> Attention | None:
    """The attention whose greatest scores an operation finds, where nothing else reads its powers; None for others."""
    peak, score = structured(op), _score(op)
    keys = [d for d, kind in enumerate(peak.iterators) if kind == REDUCTION] if peak is not None else []
    if peak is None or score is None or len(keys) != 1 or not _starts_at(peak.inits[0], float("-inf")):
        return None
    readers = list(op.results[0].uses)
    powers = structured(readers[0].owner) if len(readers) == 1 else None
    if powers is None or not powers.is_parallel() or len(powers.inits) != 1:
        return None
    position = readers[0].operand_number
    if position >= len(powers.inputs) or powers.op.operation.block != op.operation.block:
        return None
    matched = _iterators(peak, keys[0], powers, position)
    guard = _power(powers, position, (peak, score), matched) if matched is not None else None
    size = peak.loop_sizes()[keys[0]]
    if matched is None or guard is None or size is None:
        return None
    powers_key = matched[keys[0]]
    sums = _sums(powers, powers_key)
    found = Attention(peak, keys[0], powers, powers_key, position, guard[0], size, tuple(sums or ()))
    return found if sums and _in_order(found) else None


def finds_greatest(op: Any) -> bool:
    """Whether an operation finds the greatest of something."""
    return _score(op) is not None


def _score(op: Any) -> ir.Value | None:
    view = structured(op)
    return None if view is None else combined(view, "arith.maximumf")


def _starts_at(init: ir.Value, number: float) -> bool:
    scalar = uniform_scalar(init)
    return constant_number(init if scalar is None else scalar) == number


def _iterators(peak: Structured, key: int, powers: Structured, position: int) -> dict[int, int] | None:
    """For each iterator of the peaks that of the powers; None where the rows of one are no rows of the other."""
    made, read = distinct_dims(peak.init_maps[0].results), distinct_dims(powers.maps[position].results)
    written = distinct_dims(powers.init_maps[0].results)
    rank = len(powers.iterators)
    if (
        made is None
        or read is None
        or written is None
        or not len(made) == len(read) == rank - 1 == len(written) - 1
    ):
        return None
    (powers_key,) = set(range(rank)) - set(read)
    rows_in_order = [d for d in written if d != powers_key]
    if rows_in_order != read or len(made) != len(peak.iterators) - 1:
        return None
    return {**dict(zip(made, read, strict=True)), key: powers_key}


def _power(
    powers: Structured, position: int, score: tuple[Structured, ir.Value], iterators: dict[int, int]
) -> tuple[float | None] | None:
    """The guard of exp(score - peak), times constants, if that is what an operation yields."""
    value = powers.yielded[0]
    while product := maker_named(value, "arith.mulf"):
        factors = [v for v in product.operands if constant_number(v) is None]
        if len(factors) != 1:
            return None
        value = factors[0]
    power = maker_named(value, "math.exp")
    difference = None if power is None else maker_named(power.operands[0], "arith.subf")
    if difference is None:
        return None
    shifted, peak = difference.operands
    argument = powers.body.arguments[position]
    if depends(shifted, {argument}) or not is_same(score, (powers, shifted), iterators):
        return None
    if peak == argument:
        return (None,)
    greater = maker_named(peak, "arith.maximumf", "arith.maxnumf")
    bounds = [constant_number(v) for v in greater.operands if v != argument] if greater is not None else []
    return (float(bounds[0]),) if len(bounds) == 1 and bounds[0] is not None else None


@dataclass(frozen=True)
class _Along:
    """What became of the powers.

    Attributes:
        key: its dimension of keys.
    """

    value: ir.Value
    key: int
    path: tuple[PathStep, ...]


def _sums(powers: Structured, key: int) -> list[KeySum] | None:
    """All that the powers go into; None where that is anything but sums over the keys."""
    dims = [dim_position(expr) for expr in powers.init_maps[0].results]
    todo, found = [_Along(powers.op.results[0], dims.index(key), ())], list[KeySum]()
    while todo:
        at = todo.pop()
        for use in at.value.uses:
            step = _step(at, use.owner, use.operand_number)
            if step is None:
                return None
            if isinstance(step, KeySum):
                found.append(step)
            else:
                todo.append(step)
    block = list(powers.op.operation.block.operations)
    return sorted(found, key=lambda s: block.index(s.view.op)) if found else None


def _step(at: _Along, user: Any, position: int) -> _Along | KeySum | None:
    """What a reader makes of the powers; None for what cannot go on block by block."""
    if user.operation.block != made_by(at.value).block:  # type: ignore[union-attr]
        return None
    if user.operation.name in _RESHAPES:
        return _reshaped(at, user)
    view = structured(user)
    dims = distinct_dims(view.maps[position].results) if view is not None else None
    if view is None or dims is None or position >= len(view.inputs) or len(view.inits) != 1:
        return None
    if len(dims) != len(view.maps[position].results):
        return None
    reductions = [d for d, kind in enumerate(view.iterators) if kind == REDUCTION]
    if reductions == [dims[at.key]]:
        return _sum(at, view, position, dims)
    return _with_factors(at, view, position, dims) if not reductions else None


def _reshaped(at: _Along, op: Any) -> _Along | None:
    groups, shape = reassociation(op), list(ir.RankedTensorType(op.results[0].type).shape)
    expands = op.operation.name == _RESHAPES[0]
    number = at.key if expands else next(n for n, group in enumerate(groups) if at.key in group)
    if len(groups[number]) != 1:
        return None
    (inner,) = groups[number]
    rows = [[d - (d > inner) for d in group] for n, group in enumerate(groups) if n != number]
    key = inner if expands else number
    rows_shape = [size for d, size in enumerate(shape) if d != key]
    return _Along(op.results[0], key, (*at.path, RowReshape(op, key, rows, rows_shape)))


def _sum(at: _Along, view: Structured, position: int, dims: Sequence[int]) -> KeySum | None:
    term = combined(view, "arith.addf")
    made = distinct_dims(view.init_maps[0].results)
    argument = view.body.arguments[position]
    if term is None or made is None or not _starts_at(view.inits[0], 0.0):
        return None
    if not is_proportional(term, argument) or list(view.inputs).count(at.value) != 1:
        return None
    rows = tuple(made.index(d) for n, d in enumerate(dims) if n != at.key)
    return KeySum(view, position, at.path, rows) if len(made) == len(view.init_maps[0].results) else None


def _with_factors(at: _Along, view: Structured, position: int, dims: Sequence[int]) -> _Along | None:
    """Behind an operation that scales rows, of which there may be one."""
    key, argument = dims[at.key], view.body.arguments[position]
    others = [m for k, m in enumerate(view.maps) if k not in (position, len(view.inputs))]
    if any(isinstance(step, RowFactors) for step in at.path) or view.maps[position] != view.init_maps[0]:
        return None
    if any(depends_on(m, key) for m in others) or view.reads(len(view.inputs)):
        return None
    if len(view.iterators) != len(dims) or not is_proportional(view.yielded[0], argument):
        return None
    rows = tuple(d for d in dims if d != key)
    return _Along(view.op.results[0], at.key, (*at.path, RowFactors(view, position, rows)))


def _in_order(found: Attention) -> bool:
    """Whether nothing that a sum reads beside the powers is computed from another sum."""
    waiting = {v for op in readers_between(found) for v in op.results} | {s.result for s in found.sums}
    return not any(v in waiting for s in found.sums for k, v in enumerate(s.view.operands) if k != s.position)


def readers_between(found: Attention) -> Iterator[Any]:
    """Operations in front of the last sum that read sums, or what is computed from them."""
    own = [op.operation for op in found.operations]
    block = list(found.peak.op.operation.block.operations)
    first, last = (block.index(s.view.op) for s in (found.sums[0], found.sums[-1]))
    tainted = {s.result for s in found.sums}
    for op in block[first:last]:
        if op.operation not in own and any(v in tainted for v in outer_operands(op.operation)):
            tainted.update(op.results)
            yield op


def is_cut_along(view: Structured, iterator: int) -> bool:
    """Whether an operation may run for some iterations of a loop alone: its operands' parts are slices then."""
    if view.iterators[iterator] not in (PARALLEL, REDUCTION):
        return False
    if any(inner.operation.name == "tensor.extract" for inner in view.body_operations()):
        return False
    for access in view.maps:
        along = results_along(access, iterator)
        if len(along) > 1 or any(dim_position(access.results[d]) is None for d in along):
            return False
    return True
