"""An operation reads what its operands were copied from, by other maps and, if need be, with split iterators."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from .....dialects.affine.expressions import dim_position, used_dims
from .....dialects.affine.maps import depends_on, has_plain_results, loops_inferable
from .....dialects.host import affine, arith, ir, linalg, tensor
from .....dialects.structured import (
    PARALLEL,
    Structured,
    build_generic,
    clone_into,
    element_type,
    rebuild_generic,
)
from ....infra.pass_base import PassRun
from ...contraction.form import ContractionForm, contraction_form
from ...uniform import uniform_scalar
from .digits import iterator_form
from .read_chain import Read, index_forms, read_chain, shape_of
from .segments import Segments, find_segments
from .views import Crop, ViewPlan, collapse, expand, open_part, plan_crop, plan_view


def absorb_reads(view: Structured, run: PassRun, *, plain: bool = False) -> bool:
    """Makes an operation read past copies; False when there is nothing that it can read past.

    Of a contraction only the batch is split: a copy of a result that is summed over may well go into its producer.

    Args:
        plain: only by maps whose results are iterators and constants.
    """
    if view.is_copy():
        return False  # who reads the copy will read past it
    form = contraction_form(view)
    kept = () if form is None else (*form.rows, *form.columns, *form.reduction)
    return _absorb(view, form, kept, run, plain)


def absorb_split_reads(view: Structured, run: PassRun, *, plain: bool = False) -> bool:
    """The same, splitting all but a contraction's columns, whose vectors run along them."""
    if view.is_copy():
        return False
    form = contraction_form(view)
    return _absorb(view, form, () if form is None else form.columns, run, plain)


def absorb_copied_copies(view: Structured, run: PassRun, *, plain: bool = False) -> bool:
    """Makes one copy of several in a row."""
    return view.is_copy() and _absorb(view, None, (), run, plain)


def _absorb(
    view: Structured, form: ContractionForm | None, kept: Sequence[int], run: PassRun, plain: bool
) -> bool:
    sizes = view.loop_sizes()
    loops = [iterator_form(i, s) for i, s in enumerate(sizes)]
    starts: dict[int, Read] = {}
    for k, (value, access) in enumerate(zip(view.inputs, view.input_maps, strict=True)):
        index = index_forms(access, loops)
        if index is not None and isinstance(value.type, ir.RankedTensorType):
            starts[k] = Read(value, tuple(index))
    chosen = _choose(view, starts, form, sizes)
    while chosen:
        plan = _plan(view, starts, chosen, kept, sizes, at_begins=plain and form is not None)
        if isinstance(plan, _Plan) and plain:
            plan = next((k for k in chosen if not has_plain_results(plan.maps[k])), plan)
        if isinstance(plan, _Plan):
            plan.build()
            run.count("copies absorbed", sum(read.copies for read in chosen.values()))
            return True
        del chosen[plan if plan in chosen else next(iter(chosen))]
    return False


def _choose(
    view: Structured, starts: dict[int, Read], form: ContractionForm | None, sizes: Sequence[int | None]
) -> dict[int, Read]:
    """For each operand with copies above it the place behind the last of them.

    The batch of a contraction is split where an operand has it as several dimensions: they are loops of their own
    in the operations around it.
    """
    widening = form is not None and starts_from_zero(view)
    chosen: dict[int, Read] = {}
    for k, start in starts.items():
        chain = read_chain(start, widening=widening)
        best = max(chain, key=lambda read: read.copies)  # the first of the highest
        if best.copies:
            chosen[k] = best
        elif form is not None:
            batch = [read for read in chain[1:] if _splits_only(read, form.batch, sizes)]
            if batch:
                chosen[k] = batch[0]
    return chosen


def _splits_only(read: Read, iterators: Sequence[int], sizes: Sequence[int | None]) -> bool:
    segments = find_segments(read.index, sizes)
    return (
        segments is not None
        and bool(segments.split_iterators())
        and all(i in iterators for i in segments.split_iterators())
    )


def starts_from_zero(view: Structured) -> bool:
    """Whether a contraction starts from zeros of a wide float, so that a divisor of an operand is one of the result."""
    wide = isinstance(element_type(view.inits[0].type), (ir.F32Type, ir.F64Type))
    scalar = uniform_scalar(view.inits[0])
    constant: Any = None if scalar is None else scalar.owner
    return wide and isinstance(constant, arith.ConstantOp) and ir.FloatAttr(constant.value).value == 0.0


@dataclass(frozen=True)
class _Plan:
    """What the operation becomes.

    Attributes:
        reads: what each input reads in the end (as it stands where the input stays).
        views: how inputs are seen; None where they are read as they are.
        maps: indexing maps of all operands.
    """

    view: Structured
    segments: Segments
    reads: tuple[Read | None, ...]
    views: tuple[ViewPlan | Crop | None, ...]
    maps: tuple[ir.AffineMap, ...]

    def build(self) -> None:
        """Replaces the operation."""
        view = self.view
        with ir.InsertionPoint(view.op), view.op.location:
            inputs = [self._input(k) for k in range(len(view.inputs))]
            inits = [_split_init(view, k, self.segments) for k in range(len(view.inits))]
            op = rebuild_generic(
                view,
                inputs,
                inits,
                self.maps,
                [view.iterators[s.iterator] for parts in self.segments.parts for s in parts],
                self._body,
            )
            for k, old in enumerate(view.op.results):
                groups = _groups(view.init_maps[k], self.segments)
                old.replace_all_uses_with(collapse(op.results[k], groups, old.type))
        view.op.operation.erase()

    def _input(self, k: int) -> ir.Value:
        read, plan = self.reads[k], self.views[k]
        value = self.view.inputs[k] if read is None else read.value
        return value if plan is None else plan.build(value)

    def _body(self, *scalars: ir.Value) -> list[ir.Value]:
        values = list(scalars)
        for k, read in enumerate(self.reads):
            if read is not None and read.widened is not None:
                values[k] = arith.extf(read.widened, values[k])
        mapping: dict[ir.Value, ir.Value] = dict(zip(self.view.body.arguments, values, strict=True))
        for op in self.view.body_operations():
            if op.operation.name == "linalg.index":
                mapping[op.result] = self._index(ir.IntegerAttr(op.attributes["dim"]).value)
            else:
                clone_into([op], mapping)
        return [mapping.get(v, v) for v in self.view.yielded]

    def _index(self, iterator: int) -> ir.Value:
        first, count = self.segments.first(iterator), len(self.segments.parts[iterator])
        if count == 1:
            return linalg.IndexOp(first).result
        expr: Any = ir.AffineExpr.get_constant(0)
        for k, part in enumerate(self.segments.parts[iterator]):
            expr = ir.AffineExpr.get_add(expr, ir.AffineExpr.get_dim(k) * part.low)
        return affine.apply(
            ir.AffineMap.get(count, 0, [expr]), [linalg.IndexOp(first + k).result for k in range(count)]
        )


def _plan(
    view: Structured,
    starts: dict[int, Read],
    chosen: dict[int, Read],
    kept: Sequence[int],
    sizes: Sequence[int | None],
    *,
    at_begins: bool,
) -> _Plan | int:
    """The plan with the chosen reads, or the number of an operand that prevents it; `kept` iterators stay whole."""
    segments = find_segments([f for read in chosen.values() for f in read.index], sizes, at_begins=at_begins)
    first = next(iter(chosen))
    if segments is None:
        return first
    split = set(segments.split_iterators())
    if split & set(kept):
        return _culprit(chosen, kept, sizes)
    if not _plain_results(view, split):
        return first
    reads: list[Read | None] = []
    views: list[ViewPlan | Crop | None] = []
    maps: list[ir.AffineMap] = []
    for k, access in enumerate(view.input_maps):
        read = chosen.get(k, starts.get(k))
        moved = k in chosen or (read is not None and any(f.iterators() & split for f in read.index))
        if read is None and any(depends_on(access, i) for i in split):
            return first
        seen = _see(read, segments) if moved and read is not None else (None, segments.remap(access))
        if seen is None:
            return k if k in chosen else first
        reads.append(read)
        views.append(seen[0])
        maps.append(seen[1])
    maps += [_split_map(access, segments) for access in view.init_maps]
    if not loops_inferable(maps, segments.count):
        return first
    return _Plan(view, segments, tuple(reads), tuple(views), tuple(maps))


def _culprit(chosen: dict[int, Read], kept: Sequence[int], sizes: Sequence[int | None]) -> int:
    """The operand that would split an iterator that is to stay whole."""
    for k, read in chosen.items():
        segments = find_segments(read.index, sizes)
        if segments is None or set(segments.split_iterators()) & set(kept):
            return k
    return next(iter(chosen))


def _see(read: Read, segments: Segments) -> tuple[ViewPlan | Crop | None, ir.AffineMap] | None:
    """(the view of the read's value, the map into it)."""
    shape = shape_of(read.value)
    index = [segments.cut(f) for f in read.index]
    plan = plan_view(shape, index)
    if plan is not None:
        exprs = [segments.expression(d) for d in plan.digits]
        return plan, ir.AffineMap.get(segments.count, 0, exprs)
    if any(d.count is None for f in index for d in f.digits):
        return None
    access = ir.AffineMap.get(segments.count, 0, [segments.linear_expression(f) for f in read.index])
    return plan_crop(shape, access, [part.size for parts in segments.parts for part in parts]), access


# -- results ----------------------------------------------------------------------------------------------------


def _plain_results(view: Structured, split: set[int]) -> bool:
    """Whether split iterators index results by themselves only."""
    for access in view.init_maps:
        for expr in access.results:
            if dim_position(expr) is None and not split.isdisjoint(used_dims(expr)):
                return False
    return True


def _split_map(access: ir.AffineMap, segments: Segments) -> ir.AffineMap:
    """The map of a result whose dimensions are split as their iterators are."""
    exprs: list[ir.AffineExpr] = []
    remapped = segments.remap(access)
    for expr, new in zip(access.results, remapped.results, strict=True):
        i = dim_position(expr)
        if i is None or not segments.is_split(i):
            exprs.append(new)
        else:
            first = segments.first(i)
            exprs += [ir.AffineExpr.get_dim(first + k) for k in range(len(segments.parts[i]))]
    return ir.AffineMap.get(segments.count, 0, exprs)


def _groups(access: ir.AffineMap, segments: Segments) -> list[list[int]]:
    groups: list[list[int]] = []
    for expr in access.results:
        i = dim_position(expr)
        first = sum(len(g) for g in groups)
        groups.append(list(range(first, first + (1 if i is None else len(segments.parts[i])))))
    return groups


def _split_init(view: Structured, k: int, segments: Segments) -> ir.Value:
    """The destination with split dimensions; made anew where its elements are all one or do not matter."""
    init, access = view.inits[k], view.init_maps[k]
    groups = _groups(access, segments)
    if all(len(g) == 1 for g in groups):
        return init
    sizes: list[int | ir.Value] = []
    for d, (expr, group) in enumerate(zip(access.results, groups, strict=True)):
        i = dim_position(expr)
        if len(group) == 1 or i is None:
            size = shape_of(init)[d]
            sizes.append(open_part(init, d, 1) if size is None else size)
            continue
        parts = segments.parts[i]
        inner = prod(p.size for p in parts if p.size is not None)
        sizes += [open_part(init, d, inner) if p.size is None else p.size for p in parts]
    scalar = uniform_scalar(init)
    if view.reads(len(view.inputs) + k) and scalar is None:
        return expand(init, groups, sizes)
    return fresh_init(init, sizes, view.reads(len(view.inputs) + k))


def fresh_init(init: ir.Value, sizes: Sequence[int | ir.Value], filled: bool) -> ir.Value:
    """A new destination of other sizes, filled with the scalar that fills `init` if wanted."""
    scalar = uniform_scalar(init) if filled else None
    return tensor.empty(list(sizes), element_type(init.type)) if scalar is None else fill(scalar, sizes)


def fill(scalar: ir.Value, sizes: Sequence[int | ir.Value]) -> ir.Value:
    """A new tensor of one scalar throughout."""
    empty, rank = tensor.empty(list(sizes), scalar.type), len(sizes)
    maps = [ir.AffineMap.get(rank, 0, []), ir.AffineMap.get_identity(rank)]
    return build_generic([scalar], [empty], maps, [PARALLEL] * rank, lambda x, _: [x]).results[0]
