"""Packs the rhs of a contraction: panels of as many columns as a register tile has, each in the order it is read in."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import prod
from typing import Any

from ....dialects.affine.expressions import dim_position, used_dims
from ....dialects.affine.maps import compose_map
from ....dialects.host import arith, ir, tensor
from ....dialects.structured import (
    PARALLEL,
    Structured,
    build_generic,
    clone_into,
    rebuild_generic,
    replace_op,
    structured,
)
from ...tensor.contraction.factors import WIDENINGS, Factor, FactorStep, factor_of
from ...tensor.contraction.form import ContractionForm
from ..vectorize.contraction.packing import ReductionGroup


@dataclass(frozen=True)
class PackedSource:
    """What a packed operand is made of.

    Attributes:
        value: a tensor; amap: from the contraction's iterators to its dimensions.
        steps: between its elements and those of the operand.
    """

    value: ir.Value
    amap: ir.AffineMap
    steps: tuple[FactorStep, ...] = ()


@dataclass(frozen=True)
class SharedBatches:
    """A source that several batches have in common, as heads of queries have heads of keys, with one batch for each.

    Attributes:
        source: with a plain iterator in place of `h floordiv 4`.
        sizes: of all iterators; of such a one as many as there are in the source.
        exprs: iterator -> what it stands for.
    """

    source: PackedSource
    sizes: tuple[int | None, ...]
    exprs: dict[int, ir.AffineExpr]

    @staticmethod
    def of(source: PackedSource, form: ContractionForm, sizes: tuple[int | None, ...]) -> SharedBatches:
        """Looks for quotients of batch iterators that are used nowhere else."""
        shape = ir.ShapedType(source.value.type)
        results, counted, found = list(source.amap.results), list(sizes), {}
        for d, expr in enumerate(source.amap.results):
            used = used_dims(expr)
            elsewhere = any(used & used_dims(e) for k, e in enumerate(source.amap.results) if k != d)
            if not isinstance(expr, ir.AffineFloorDivExpr) or len(used) != 1 or elsewhere:
                continue
            (iterator,) = used
            if iterator in form.batch and not shape.is_dynamic_dim(d):
                results[d] = ir.AffineDimExpr.get(iterator)
                counted[iterator], found[iterator] = shape.get_dim_size(d), expr
        amap = ir.AffineMap.get(source.amap.n_dims, 0, results)
        return SharedBatches(replace(source, amap=amap), tuple(counted), found)

    def restored(self, amap: ir.AffineMap) -> ir.AffineMap:
        """A map of the packed operand in which iterators stand for what they do again."""
        results = [self.exprs.get(i, e) if (i := dim_position(e)) is not None else e for e in amap.results]
        return ir.AffineMap.get(amap.n_dims, 0, results)


def source_of(view: Structured, operand: int) -> PackedSource:
    """Where an operand comes from; a copy that only makes its elements wider is looked through."""
    source = PackedSource(view.inputs[operand], view.maps[operand])
    before = look_through(source)
    return before if before is not None and all(s.name in WIDENINGS for s in before.steps) else source


def look_through(source: PackedSource) -> PackedSource | None:
    """What a tensor is computed from, element by element, in steps that contractions can take over."""
    value, amap = source.value, source.amap
    made = None if isinstance(value.owner, ir.Block) else structured(value.owner)
    if made is None or len(made.inputs) != 1 or len(made.inits) != 1 or not made.is_elementwise():
        return None
    factor = factor_of(made.yielded[0])
    if factor.argument != made.body.arguments[0] or not factor.steps:
        return None
    written = {dim_position(e): k for k, e in enumerate(made.init_maps[0].results)}
    iterators = [amap.results[written[i]] for i in range(len(made.iterators))]
    through = compose_map(made.input_maps[0], ir.AffineMap.get(amap.n_dims, 0, iterators))
    return PackedSource(made.inputs[0], through, (*factor.steps, *source.steps))


@dataclass(frozen=True)
class PackedLayout:
    """How an operand lies in panels: `[batch..., further columns..., panels, reduction..., columns of a panel]`.

    With a group there is one more dimension, `[..., columns of a panel, group]`, and a reduction is counted in groups.

    Attributes:
        outer / inner: iterators of the dimensions before the panels and of those inside, in order.
        column: the iterator that is divided into panels.
        width: columns of a panel.
        sizes: of all iterators.
        group: of the reduction that lies together in a column.
    """

    outer: tuple[int, ...]
    column: int
    inner: tuple[int, ...]
    width: int
    sizes: tuple[int | None, ...]
    group: ReductionGroup | None = None

    @staticmethod
    def of(
        view: Structured,
        form: ContractionForm,
        amap: ir.AffineMap,
        width: int,
        sizes: tuple[int | None, ...],
        group: ReductionGroup | None = None,
    ) -> PackedLayout:
        """That in which the reduction runs through the lhs as that lies in memory."""
        used = {i for e in amap.results for i in used_dims(e)}
        lhs = [used_dims(e) for e in view.maps[form.lhs].results]
        place = {i: next((k for k, dims in enumerate(lhs) if i in dims), len(lhs)) for i in form.reduction}
        outer = (*form.batch, *(i for i in form.columns if i != form.column))
        inner = sorted((i for i in form.reduction), key=lambda i: (place[i], i))
        return PackedLayout(
            tuple(i for i in outer if i in used),
            form.column,
            tuple(i for i in inner if i in used),
            width,
            sizes,
            group,
        )

    @property
    def panels(self) -> int:
        """How many panels there are; the last one may be padded."""
        return -(-self._size(self.column) // self.width)

    @property
    def shape(self) -> list[int]:
        """Dimensions behind the outer ones."""
        steps = self.group.steps(self.sizes) if self.group is not None else self.sizes
        group = [self.group.size] if self.group is not None else []
        return [self.panels, *(steps[i] or 0 for i in self.inner), self.width, *group]

    def missing(self) -> dict[int, int]:
        """Iterator -> points that are added to it, so that columns fill all panels and reductions all groups."""
        found = {self.column: self.panels * self.width - self._size(self.column)}
        if self.group is not None:
            found[self.group.iterator] = -self._size(self.group.iterator) % self.group.size
        return {i: points for i, points in found.items() if points}

    def _size(self, iterator: int) -> int:
        size = self.sizes[iterator]
        assert size is not None, "checked by is_static"
        return size

    @property
    def is_static(self) -> bool:
        """Whether all sizes but those of outer dimensions are known."""
        return all(self.sizes[i] is not None for i in (self.column, *self.inner))

    @property
    def points(self) -> int:
        """Elements of the operand that are packed, padding included; an open outer size counts as one."""
        return prod(self.sizes[i] or 1 for i in self.outer) * prod(self.shape)

    def dims(self) -> dict[int, ir.AffineExpr]:
        """Each iterator in terms of the packed operand's dimensions."""
        d = ir.AffineDimExpr.get
        panel = len(self.outer)
        lane = panel + 1 + len(self.inner)
        exprs: dict[int, ir.AffineExpr] = {i: d(k) for k, i in enumerate(self.outer)}
        exprs |= {i: d(panel + 1 + k) for k, i in enumerate(self.inner)}
        exprs[self.column] = _number(d(panel), self.width, d(lane))
        if self.group is not None:
            exprs[self.group.iterator] = _number(exprs[self.group.iterator], self.group.size, d(lane + 1))
        return exprs

    def map(self, loops: int) -> ir.AffineMap:
        """From the contraction's iterators to the packed operand: `(n floordiv 32, k, n mod 32)`."""
        quotient, remainder = ir.AffineExpr.get_floor_div, ir.AffineExpr.get_mod
        exprs: dict[int, ir.AffineExpr] = {i: ir.AffineDimExpr.get(i) for i in range(loops)}
        column = exprs[self.column]
        last = [remainder(column, self.width)]
        if self.group is not None:
            iterator, size = self.group.iterator, self.group.size
            last.append(remainder(exprs[iterator], size))
            exprs[iterator] = quotient(exprs[iterator], size)
        outer, inner = ([exprs[i] for i in part] for part in (self.outer, self.inner))
        return ir.AffineMap.get(loops, 0, [*outer, quotient(column, self.width), *inner, *last])


def pack(source: PackedSource, layout: PackedLayout) -> ir.Value:
    """The packed operand, computed at the insertion point; what is not there is zero."""
    value = _padded(source, layout)
    dims = layout.dims()
    rank = len(layout.outer) + len(layout.shape)
    iterators = [dims.get(i, ir.AffineConstantExpr.get(0)) for i in range(source.amap.n_dims)]
    reads = compose_map(source.amap, ir.AffineMap.get(rank, 0, iterators))
    open_sizes = _open_sizes(source, layout)
    sizes: list[int | ir.Value] = [open_sizes.get(i) or layout.sizes[i] or 0 for i in layout.outer]
    sizes += layout.shape
    init = tensor.empty(sizes, ir.RankedTensorType(value.type).element_type)
    maps = [reads, ir.AffineMap.get_identity(rank)]
    return build_generic([value], [init], maps, [PARALLEL] * rank, lambda x, _: [x]).results[0]


def _open_sizes(source: PackedSource, layout: PackedLayout) -> dict[int, ir.Value]:
    """The sizes of outer iterators that are known only at run time; they are dimensions of the source."""
    found: dict[int, ir.Value] = {}
    for position, expr in enumerate(source.amap.results):
        iterator = dim_position(expr)
        if iterator in layout.outer and layout.sizes[iterator] is None:
            found[iterator] = tensor.dim(source.value, arith.constant(ir.IndexType.get(), position))
    return found


def _padded(source: PackedSource, layout: PackedLayout) -> ir.Value:
    """The source with zeros behind its last columns and points of the reduction, as many as the layout needs."""
    kind = ir.RankedTensorType(source.value.type)
    missing = layout.missing()
    if not missing:
        return source.value
    high = [missing.get(-1 if (i := dim_position(e)) is None else i, 0) for e in source.amap.results]
    shape = [
        ir.ShapedType.get_dynamic_size() if kind.is_dynamic_dim(d) else kind.get_dim_size(d) + high[d]
        for d in range(kind.rank)
    ]
    made = tensor.PadOp(
        ir.RankedTensorType.get(shape, kind.element_type), source.value, [], [], [0] * kind.rank, high
    )
    block = made.regions[0].blocks.append(
        *[ir.IndexType.get()] * kind.rank, arg_locs=[made.location] * kind.rank
    )
    with ir.InsertionPoint(block):
        zero = 0.0 if isinstance(kind.element_type, ir.FloatType) else 0
        tensor.YieldOp(arith.constant(kind.element_type, zero))
    return made.results[0]


def can_pack(source: PackedSource, layout: PackedLayout) -> bool:
    """Whether the operand can be brought to this layout: sizes are known, and what lacks can be padded."""
    known = layout.is_static and all(
        layout.sizes[i] != 0 for i in (*layout.outer, layout.column, *layout.inner)
    )
    plain = {dim_position(e) for e in source.amap.results}
    opened = all(i in plain for i in layout.outer if layout.sizes[i] is None)
    return known and opened and all(_is_plain(source.amap, i) for i in layout.missing())


def _is_plain(amap: ir.AffineMap, iterator: int) -> bool:
    """Whether an iterator is one dimension as it stands and appears nowhere else."""
    return [dim_position(e) for e in amap.results if iterator in used_dims(e)] == [iterator]


def read_packed(
    view: Structured, operand: int, source: PackedSource, packed: ir.Value, amap: ir.AffineMap
) -> Any:
    """The contraction with a packed operand, in front of the one it replaces, which is erased."""
    op = view.op
    inputs = [packed if k == operand else v for k, v in enumerate(view.inputs)]
    maps = [amap if k == operand else m for k, m in enumerate(view.maps)]
    old = list(view.body.arguments)

    def body(*arguments: ir.Value) -> list[ir.Value]:
        mapping: dict[ir.Value, ir.Value] = dict(zip(old, arguments, strict=True))
        mapping[old[operand]] = Factor(arguments[operand], source.steps).emit(arguments[operand])
        clone_into(view.body_operations(), mapping)
        return [mapping.get(v, v) for v in view.yielded]

    with op.location, ir.InsertionPoint(op):
        made = rebuild_generic(view, inputs, maps=maps, body=body)
    replace_op(op, made.results)
    return made


def _number(quotient: ir.AffineExpr, divisor: int, remainder: ir.AffineExpr) -> ir.AffineExpr:
    return ir.AffineExpr.get_add(ir.AffineExpr.get_mul(quotient, divisor), remainder)
