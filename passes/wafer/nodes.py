"""The operations of `@main` as nodes with choices: which layouts an operation can take and give, at what cost."""

from dataclasses import dataclass, field
from typing import Any, cast

from ...dialects.host import ir
from ...dialects.structured import REDUCTION, Structured, element_type, structured
from ...wse_target.image import DTYPE_BYTES, Combine, Dtype
from ..infra.diagnostics import PassFailure
from .cost import CostModel
from .layout_rules import (
    AXES,
    Axes,
    Grid,
    assignments,
    elements,
    is_local_map,
    operand_axes,
    reshape_axes,
    whole,
)
from .reduction_form import Accumulation, accumulations, combine_kind, is_neutral
from .scalar_body import Index, Operand, ScalarBody, Temp, dtype_name, restrict_to_results, translate_body
from .splat import is_undefined, splat_of
from .widening_reads import read_narrow


@dataclass(frozen=True)
class AllReduce:
    """A partial result that has to be combined along `axis` after the operation."""

    result: int
    axis: str
    kind: str


@dataclass(frozen=True)
class Option:
    """One way to distribute an operation.

    Attributes:
        needs: layout of each operand, None where any will do (it is not read, or is one number).
        gives: layout of each result.
        cycles: compute and all-reduce cycles; redistribution of operands comes on top.
        scratch: bytes of temporaries on a PE.
        algorithm: of the library, that computes the operation as a whole; "" when each PE computes its part.
        brought: operands that the host brings straight to where the algorithm wants them.
    """

    iterators: Axes
    needs: tuple[Axes | None, ...]
    gives: tuple[Axes, ...]
    cycles: float = 0.0
    scratch: int = 0
    reductions: tuple[AllReduce, ...] = ()
    algorithm: str = ""
    brought: frozenset[int] = frozenset()


@dataclass
class Node:
    """An operation of the tensor program with its options."""

    op: Any
    options: list[Option] = field(default_factory=list)


def shape_of(value: ir.Value) -> tuple[int, ...]:
    """The static shape of a tensor value."""
    return tuple(ir.RankedTensorType(value.type).shape)


def bytes_of(value: ir.Value, axes: Axes, grid: Grid) -> int:
    """Bytes of SRAM that the largest tile of `value` takes."""
    element = dtype_name(ir.RankedTensorType(value.type).element_type)
    return elements(grid.tile(shape_of(value), axes)) * DTYPE_BYTES.get(element, 4)


@dataclass(frozen=True)
class Compute:
    """A `linalg.generic` as PEs will run it: its body with dead results left out, and its reductions."""

    view: Structured
    body: ScalarBody
    accumulations: tuple[Accumulation | None, ...]
    used: tuple[bool, ...]
    has_reduction: bool

    @property
    def sizes(self) -> tuple[int, ...]:
        return tuple(s or 1 for s in self.view.loop_sizes())

    def combinable(self) -> bool:
        """Whether every live result is accumulated into by an operation that may be split over PEs."""
        return all(a is not None for a, used in zip(self.accumulations, self.used, strict=True) if used)

    def neutral_inits(self) -> bool:
        """Whether every live init is the neutral number of its accumulation."""
        for r, (found, init) in enumerate(zip(self.accumulations, self.view.inits, strict=True)):
            if not self.used[r] or found is None:
                continue
            number = splat_of(init)
            element = dtype_name(ir.RankedTensorType(init.type).element_type)
            if number is None or not is_neutral(found.kind, number, element):
                return False
        return True

    def reads(self, position: int) -> bool:
        """Whether the operand at `position` is read as a tensor (an init's value counts only if it is no splat)."""
        operand = Operand(position)
        read = any(operand in op.operands for op in self.body.ops) or operand in self.body.yielded
        value = self.view.operands[position]
        return read and splat_of(value) is None and not is_undefined(value)

    def dependencies(self) -> list[frozenset[int]]:
        """Per operation of the body, the iterators that its value depends on."""
        found: list[frozenset[int]] = []
        for op in self.body.ops:
            depends: frozenset[int] = frozenset()
            for operand in op.operands:
                if isinstance(operand, Operand):
                    depends |= self.operand_iterators(operand.position)
                elif isinstance(operand, Temp):
                    depends |= found[operand.index]
                elif isinstance(operand, Index):
                    depends |= {operand.dim}
            found.append(depends)
        return found

    def operand_iterators(self, position: int) -> frozenset[int]:
        """The iterators that index operand `position`."""
        if splat_of(self.view.operands[position]) is not None and position < len(self.view.inputs):
            return frozenset()
        amap = self.view.maps[position]
        return frozenset(e.position for e in amap.results if isinstance(e, ir.AffineDimExpr))


def analyse(op: Any) -> Compute:
    """Prepares a `linalg.generic`; raises `PassFailure` for what the wafer cannot do yet."""
    view = structured(op)
    if view is None:
        raise PassFailure(op, f"'{op.operation.name}' has no lowering to the wafer", hint="use target='cpu'")
    if not all(is_local_map(m) for m in view.maps):
        raise PassFailure(
            op,
            "this operation reads a window or a diagonal of its operand, which has no lowering to the wafer yet",
            hint="use target='cpu'",
        )
    whole_body = translate_body(view)
    used = tuple(any(True for _ in r.uses) for r in op.results)
    body = restrict_to_results(whole_body, used)
    while (needed := _running_values(view, body, used)) != used:
        used, body = needed, restrict_to_results(whole_body, needed)
    types = [dtype_name(element_type(v.type)) for v in view.operands]
    body = read_narrow(body, types, accumulations(body, len(view.inputs)))
    body = restrict_to_results(body, used)
    found = tuple(accumulations(body, len(view.inputs)))
    return Compute(view, body, found, used, REDUCTION in view.iterators)


def _running_values(view: Structured, body: ScalarBody, used: tuple[bool, ...]) -> tuple[bool, ...]:
    """`used`, and the results whose running value a live reduction reads (argmax reads the maximum so far)."""
    if REDUCTION not in view.iterators:
        return used
    read = {o.position for op in body.ops for o in op.operands if isinstance(o, Operand)}
    return tuple(u or len(view.inputs) + r in read for r, u in enumerate(used))


def compute_options(op: Any, grid: Grid, cost: CostModel) -> list[Option]:
    """Every distribution of a `linalg.generic` on `grid`."""
    compute = analyse(op)
    view = compute.view
    may_split_reductions = compute.combinable() and compute.neutral_inits()
    splittable = [i != REDUCTION or may_split_reductions for i in view.iterators]
    forced = "wse.iterators" in op.attributes
    choices = [_forced(op, splittable)] if forced else assignments(view, splittable, grid)
    depends = compute.dependencies()
    return [_compute_option(compute, depends, choice, grid, cost) for choice in choices]


def _forced(op: Any, splittable: list[bool]) -> Axes:
    """The split that an operation asks for itself; raises `PassFailure` when it makes no sense."""
    forced = tuple(ir.StringAttr(a).value for a in ir.ArrayAttr(op.attributes["wse.iterators"]))
    named = [axis for axis in forced if axis]
    if len(forced) != len(splittable) or not set(named) <= set(AXES) or len(named) != len(set(named)):
        raise PassFailure(
            op,
            f"wse.iterators = {list(forced)} for {len(splittable)} iterators",
            hint='give "x", "y" or "" for each iterator, each axis at most once',
        )
    for number, (axis, may) in enumerate(zip(forced, splittable, strict=True)):
        if axis and not may:
            raise PassFailure(
                op,
                f"wse.iterators splits iterator {number}, a reduction whose parts cannot be combined",
                hint="split a parallel iterator instead",
            )
    return forced


def _compute_option(
    compute: Compute, depends: list[frozenset[int]], choice: Axes, grid: Grid, cost: CostModel
) -> Option:
    view = compute.view
    needs = tuple(operand_axes(m, choice) if compute.reads(k) else None for k, m in enumerate(view.maps))
    gives = tuple(operand_axes(m, choice) for m in view.init_maps)
    tiles = [grid.block(size, axis) for size, axis in zip(compute.sizes, choice, strict=True)]
    skipped = {a.product for a in compute.accumulations if a is not None}
    cycles = 0.0
    for index, op in enumerate(compute.body.ops):
        if index in skipped:
            continue
        trips = sorted(tiles[d] for d in depends[index])
        fused = any(a is not None and a.at == index and a.product is not None for a in compute.accumulations)
        cycles += cost.vector("fma" if fused else op.kind, op.dtype, trips)
    for r, yielded in enumerate(compute.body.yielded):
        if compute.used[r] and not isinstance(yielded, Temp):
            cycles += cost.vector("copy", "f32", grid.tile(shape_of(view.inits[r]), gives[r]))
    reductions = tuple(
        AllReduce(r, choice[i], combine_kind(found.kind))
        for r, found in enumerate(compute.accumulations)
        if found is not None and compute.used[r]
        for i, iterator in enumerate(view.iterators)
        if iterator == REDUCTION and choice[i]
    )
    for reduction in reductions:
        result = op_result(view.op, reduction.result)
        cycles += cost.combined(
            elements(grid.tile(shape_of(result), gives[reduction.result])),
            cast(Dtype, dtype_name(ir.RankedTensorType(result.type).element_type)),
            cast(Combine, reduction.kind),
            grid.extent(reduction.axis),
            everywhere=not only_returned(result),
        )
    return Option(choice, needs, gives, cycles, _scratch(compute, depends, tiles), reductions)


def only_returned(value: ir.Value) -> bool:
    """Whether a value goes to the host alone, which takes one copy of it, the first PE's of each line."""
    return all(use.owner.operation.name == "func.return" for use in value.uses)


def _scratch(compute: Compute, depends: list[frozenset[int]], tiles: list[int]) -> int:
    """Most bytes of temporaries at once; what is computed straight into a result, or in place, takes none."""
    body = compute.body
    last: dict[int, int] = {}
    for index, op in enumerate(body.ops):
        last.update((o.index, index) for o in op.operands if isinstance(o, Temp))
    direct = {y.index for y in body.yielded if isinstance(y, Temp)}
    direct |= {a.product for a in compute.accumulations if a is not None and a.product is not None}
    live = peak = 0
    sizes = [
        0 if index in direct else elements([tiles[d] for d in depends[index]]) * DTYPE_BYTES.get(op.dtype, 4)
        for index, op in enumerate(body.ops)
    ]
    for index, op in enumerate(body.ops):
        ending = {o.index for o in op.operands if isinstance(o, Temp) and last[o.index] == index}
        in_place = any(sizes[e] == sizes[index] for e in ending)
        peak = max(peak, live + (0 if in_place else sizes[index]))
        live += sizes[index] - sum(sizes[e] for e in ending)
    return peak


def op_result(op: Any, index: int) -> ir.Value:
    """Result `index` of an operation."""
    return list(op.results)[index]


def all_layouts(shape: tuple[int, ...], grid: Grid) -> list[Axes]:
    """Every layout of a tensor on `grid`."""
    axes = [a for a in AXES if grid.extent(a) > 1]
    found: list[Axes] = [whole(len(shape))]
    for axis in axes:
        for base in list(found):
            for dim, size in enumerate(shape):
                if size > 1 and not base[dim]:
                    found.append((*base[:dim], axis, *base[dim + 1 :]))
    return found


def reshape_options(op: Any, grid: Grid) -> list[Option]:
    """Layouts of a reshape under which every PE's tile is the same memory before and after."""
    expand = op.operation.name == "tensor.expand_shape"
    groups = reassociation(op)
    source, target = shape_of(op.operands[0]), shape_of(op.results[0])
    found = []
    for axes in all_layouts(source, grid):
        result = reshape_axes(source, target, groups, axes, grid, expand=expand)
        if result is not None:
            found.append(Option((), (axes,), (result,)))
    return found


def reassociation(op: Any) -> list[list[int]]:
    """The groups of dimensions of an expand_shape or collapse_shape."""
    return [[ir.IntegerAttr(d).value for d in ir.ArrayAttr(g)] for g in op.attributes["reassociation"]]


def slice_options(op: Any, grid: Grid, cost: CostModel) -> list[Option]:
    """Layouts of slicing, inserting and concatenating: the dimensions that change size are whole on each PE."""
    result = op.results[0]
    rank = len(shape_of(result))
    operands = list(op.operands)
    if not all(isinstance(v.type, ir.RankedTensorType) for v in operands):
        raise PassFailure(
            op, f"'{op.operation.name}' at an offset known only at run time", hint="use target='cpu'"
        )
    changed = {d for v in operands for d in range(rank) if shape_of(v)[d] != shape_of(result)[d]}
    found = []
    for axes in all_layouts(shape_of(result), grid):
        if any(axes[d] for d in changed):
            continue
        tile = grid.tile(shape_of(result), axes)
        needs = tuple(None if splat_of(v) is not None or is_undefined(v) else axes for v in operands)
        found.append(Option((), needs, (axes,), cost.vector("copy", "f32", tile)))
    return found
