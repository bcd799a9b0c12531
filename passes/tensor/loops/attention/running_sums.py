"""Sums over keys that run on from block to block: how they begin, go on with another greatest score, and end."""

from __future__ import annotations

from dataclasses import dataclass

from .....dialects.affine.maps import compose_map
from .....dialects.constants import splat_number
from .....dialects.host import arith, ir, tensor
from .....dialects.reshapes import reassociation
from .....dialects.structured import PARALLEL, REDUCTION, build_generic, inline_body
from .attention import KeySum, RowFactors, RowReshape
from .key_block import KeyBlock, reshape
from .scalar_trees import without_casts


@dataclass(frozen=True)
class RunningSum:
    """What a sum over keys has come to, before what its rows are multiplied with; half types run on in f32."""

    total: KeySum

    def start(self) -> ir.Value:
        """Zeros."""
        kind = ir.RankedTensorType(self.total.result.type)
        element = kind.element_type
        is_half = isinstance(element, ir.F16Type | ir.BF16Type)
        return splat_number(
            ir.RankedTensorType.get(kind.shape, ir.F32Type.get() if is_half else element), 0.0
        )

    def of_block(self, block: KeyBlock, powers: ir.Value) -> ir.Value:
        """A block's part of the sum."""
        for step in self.total.path:
            if isinstance(step, RowFactors):
                powers = _converted(powers, ir.RankedTensorType(step.view.op.results[0].type).element_type)
            else:
                shape = [
                    block.size if d == step.key else size
                    for d, size in enumerate(ir.RankedTensorType(step.op.results[0].type).shape)
                ]
                powers = reshape(powers, reassociation(step.op), shape)
        view = self.total.view
        return block.clone(view, view.iterators.index(REDUCTION), {self.total.position: powers})

    def updated(self, before: ir.Value, scale: ir.Value, of_block: ir.Value) -> ir.Value:
        """The sum so far, scaled row by row, and a block's part of it."""
        kind = ir.RankedTensorType(before.type)

        def body(so_far: ir.Value, factor: ir.Value, more: ir.Value, _: ir.Value) -> list[ir.Value]:
            scaled = arith.mulf(so_far, _cast(factor, so_far.type))
            return [arith.addf(scaled, _cast(more, so_far.type))]

        whole, rows = self._maps()
        given = [before, self._along(scale, self.total.path), of_block]
        init = tensor.empty(list(kind.shape), kind.element_type)
        iterators = [PARALLEL] * kind.rank
        return build_generic(given, [init], [whole, rows, whole, whole], iterators, body).results[0]

    def finished(self, value: ir.Value, empty: ir.Value | None) -> ir.Value:
        """What the sum comes to: times its rows' factors, in its own type.

        Args:
            empty: NaN for rows whose sum is none, 0 for others; None where there are no such rows.
        """
        kind, path = ir.RankedTensorType(self.total.result.type), self.total.path
        factors, given = self.total.factors, list[ir.Value]()
        if factors is not None:
            given.append(self._along(_factors_of_rows(factors), path[path.index(factors) + 1 :]))
        if empty is not None:
            given.append(self._along(empty, path))
        if not given and value.type == kind:
            return value

        def body(so_far: ir.Value, *rows: ir.Value) -> list[ir.Value]:
            scalars = [_cast(row, so_far.type) for row in rows[:-1]]
            if factors is not None:
                so_far = arith.mulf(so_far, scalars.pop(0))
            if scalars:
                so_far = arith.addf(so_far, scalars.pop())
            return [_cast(so_far, kind.element_type)]

        whole, rows = self._maps()
        init = tensor.empty(list(kind.shape), kind.element_type)
        maps = [whole, *([rows] * len(given)), whole]
        return build_generic([value, *given], [init], maps, [PARALLEL] * kind.rank, body).results[0]

    def _along(self, rows: ir.Value, path: tuple[RowReshape | RowFactors, ...]) -> ir.Value:
        """A number for each row, in the shape that rows have behind a path."""
        for step in path:
            if isinstance(step, RowReshape):
                rows = reshape(rows, step.groups, step.shape)
        return rows

    def _maps(self) -> tuple[ir.AffineMap, ir.AffineMap]:
        """How loops over the result read that, and how they read what belongs to rows."""
        rank = ir.RankedTensorType(self.total.result.type).rank
        rows = ir.AffineMap.get(rank, 0, [ir.AffineDimExpr.get(d) for d in self.total.rows])
        return ir.AffineMap.get_identity(rank), rows


def _factors_of_rows(factors: RowFactors) -> ir.Value:
    """What an operation multiplies the powers of each row with: what it makes of ones."""
    view, rank = factors.view, len(factors.rows)
    operands = list(view.op.operands)  # as they are by now
    inputs = [k for k in range(len(view.inputs)) if k != factors.position]
    dims: list[ir.AffineExpr] = [ir.AffineConstantExpr.get(0)] * len(view.iterators)
    for number, iterator in enumerate(factors.rows):
        dims[iterator] = ir.AffineDimExpr.get(number)
    onto = ir.AffineMap.get(rank, 0, dims)
    power = view.body.arguments[factors.position]
    element = without_casts(view.yielded[0]).type
    sizes = view.fixed_sizes()

    def body(*scalars: ir.Value) -> list[ir.Value]:
        arguments: list[ir.Value] = [arith.constant(power.type, 1.0)] * len(view.operands)
        for k, scalar in zip(inputs, scalars, strict=False):
            arguments[k] = scalar
        return [without_casts(made) for made in inline_body(view.body, arguments)]

    init = tensor.empty([sizes[d] for d in factors.rows], element)
    maps = [*(compose_map(view.maps[k], onto) for k in inputs), ir.AffineMap.get_identity(rank)]
    values = [operands[k] for k in inputs]
    return build_generic(values, [init], maps, [PARALLEL] * rank, body).results[0]


def _converted(value: ir.Value, element: ir.Type) -> ir.Value:
    """A tensor's elements in another type."""
    kind = ir.RankedTensorType(value.type)
    if kind.element_type == element:
        return value
    init = tensor.empty(list(kind.shape), element)
    maps = [ir.AffineMap.get_identity(kind.rank)] * 2
    made = build_generic([value], [init], maps, [PARALLEL] * kind.rank, lambda x, _: [_cast(x, element)])
    return made.results[0]


def _cast(value: ir.Value, kind: ir.Type) -> ir.Value:
    """A float in another type."""
    if value.type == kind:
        return value
    widths = [ir.FloatType(t).width for t in (value.type, kind)]
    return (arith.extf if widths[0] < widths[1] else arith.truncf)(kind, value)
