"""The operations of `@main` as nodes with choices: which layouts an operation can take and give, at what cost."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, cast

from ....dialects.affine.maps import distinct_dims
from ....dialects.host import ir
from ....dialects.structured import REDUCTION, Structured, element_type, structured
from ....wse_target.instructions import DTYPE_BYTES, Combine, Dtype
from ....wse_target.layout.mesh import Mesh
from ....wse_target.layout.tensor_layout import TensorLayout
from ...infra.diagnostics import PassFailure
from ..communicate import Movement
from ..emit.yields import copy_order
from ..scalars.body import dtype_name, restrict_to_results, translate_body
from ..scalars.reduction_form import OWNED, Accumulation, accumulations, combine_kind, is_neutral
from ..scalars.refusals import NoLowering
from ..scalars.splat import is_undefined, splat_of
from ..scalars.values import Operand, ScalarBody, ScalarValue, Temp
from ..scalars.widening_reads import read_narrow
from .around_body import AroundBody
from .cost import CostModel
from .dependencies import dependencies, divided_iterators, iterators_of, operand_iterators
from .finer_loops import finer_loops
from .indirect import GATHER, gather_cycles
from .layout_rules import elements
from .merged_loops import MergedLoops, steps_through
from .one_by_one import loops_one_by_one
from .operand_layouts import halo_loops, loop_layouts, operand_layouts
from .owned import owned_cycles, with_owned
from .scatters import SCATTERS, scatter_cycles, with_scatter


@dataclass(frozen=True)
class AllReduce:
    """A partial result that has to be combined along `axis`, one of a mesh's lines, on all PEs or in blocks."""

    result: int
    axis: str
    kind: Combine


@dataclass(frozen=True)
class Option:
    """One way to distribute an operation.

    Attributes:
        loops: where the operation's loops are; None for what has none, or is the library's.
        needs: layout of each operand, None where any will do (it is not read, or is one number).
        gives: layout of each result.
        cycles: of computing, and of combining its results; movements of operands come on top.
        scratch: bytes of temporaries on a PE.
        scattering: combines partial values of the one result that has any, and leaves blocks; None: one all-reduce for
            each of `reductions` does that.
        algorithm: of the library, that computes the operation as a whole; "" when each PE computes its part.
        brought: operands that the host brings straight to where the algorithm wants them.
    """

    loops: TensorLayout | None
    needs: tuple[TensorLayout | None, ...]
    gives: tuple[TensorLayout, ...]
    cycles: float = 0.0
    scratch: int = 0
    reductions: tuple[AllReduce, ...] = ()
    scattering: Movement | None = None
    algorithm: str = ""
    brought: frozenset[int] = frozenset()


@dataclass
class Node:
    """An operation of the tensor program with its options."""

    op: Any
    options: list[Option] = field(default_factory=list)

    @cached_property
    def operands(self) -> tuple[ir.Value, ...]:
        """Kept: plans ask for them all the time."""
        return tuple(self.op.operands)

    @cached_property
    def results(self) -> tuple[ir.Value, ...]:
        """Kept as well."""
        return tuple(self.op.results)


def shape_of(value: ir.Value) -> tuple[int, ...]:
    """The static shape of a tensor value."""
    return tuple(ir.RankedTensorType(value.type).shape)


def dtype_of(value: ir.Value) -> Dtype:
    """The element type of a tensor value, of which PEs hold tiles."""
    element = dtype_name(ir.RankedTensorType(value.type).element_type)
    return cast(Dtype, element if element in DTYPE_BYTES else "f32")


def bytes_of(value: ir.Value, layout: TensorLayout) -> int:
    """Bytes of SRAM that the largest tile of `value` takes."""
    return layout.elements * DTYPE_BYTES[dtype_of(value)]


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
        return self.view.fixed_sizes()

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

    def accumulated(self) -> dict[int, Accumulation]:
        """Results that each PE adds up by itself, in any order of the elements that it has."""
        if not self.has_reduction or not self.combinable():
            return {}
        pairs = enumerate(zip(self.accumulations, self.used, strict=True))
        return {r: found for r, (found, used) in pairs if used and found is not None}

    def copied(self) -> list[int]:
        """The other results, in an order in which none is overwritten that another one still takes over.

        Raises:
            PassFailure: there is no such order.
        """
        results = set(range(len(self.view.inits))) - self.accumulated().keys()
        order = copy_order(self.body.yielded, len(self.view.inputs), results)
        if order is None:
            raise NoLowering(self.view.op, "a step exchanges running values: no lowering to the wafer yet")
        return order

    def copies(self) -> list[int]:
        """The live results that no operation of the body is computed straight into."""
        return [
            r
            for r, yielded in enumerate(self.body.yielded)
            if self.used[r] and (not isinstance(yielded, Temp) or (self.serial and self.starts_from_init(r)))
        ]

    def reads(self, position: int) -> bool:
        """Whether the operand at `position` is read as a tensor (an init's value counts only if it is no splat)."""
        operand = Operand(position)
        read = any(operand in op.operands for op in self.body.ops) or operand in self.body.yielded
        value = self.view.operands[position]
        return read and splat_of(value) is None and not is_undefined(value)

    def dependencies(self) -> list[frozenset[int]]:
        """Per operation of the body, the iterators that its value depends on."""
        return dependencies(self.view, self.body)

    def iterators_of(self, value: ScalarValue, depends: Sequence[frozenset[int]]) -> frozenset[int]:
        """The iterators that a value of the body depends on; `depends`: those of operations in front of it."""
        return iterators_of(self.view, value, depends)

    def operand_iterators(self, position: int) -> frozenset[int]:
        """The iterators that index operand `position`."""
        return operand_iterators(self.view, position)

    @property
    def serial(self) -> bool:
        """Whether a PE takes the reduction's loops step by step."""
        return self.has_reduction and not self.accumulated() and not self.scatters

    def starts_from_init(self, r: int) -> bool:
        """Whether a result's tile holds its init first: not where a reduction's steps write elements of their own."""
        if not self.has_reduction and not self.scatters:
            return False
        written = self.operand_iterators(len(self.view.inputs) + r)
        reductions = {i for i, kind in enumerate(self.view.iterators) if kind == REDUCTION}
        return self.scatters or not reductions <= written or self.reads(len(self.view.inputs) + r)

    @property
    def scatters(self) -> bool:
        """Whether the result is its init with elements changed at indices that are data."""
        return any(op.kind in SCATTERS for op in self.body.ops)

    def looped(self, depends: list[frozenset[int]], tiles: Sequence[int]) -> frozenset[int]:
        """The loops that a PE takes one iteration at a time.

        Those are reductions whose steps keep their order, loops of which a quotient says where an operand is read, and
        others for want of memory; none of these around places from data.
        """
        reductions = {i for i, kind in enumerate(self.view.iterators) if kind == REDUCTION and self.serial}
        stepwise = frozenset(reductions) | divided_iterators(self.view.maps)
        if any(op.kind in SCATTERS or op.kind in OWNED or op.kind == GATHER for op in self.body.ops):
            return stepwise
        left = [1 if i in stepwise else trips for i, trips in enumerate(tiles)]
        return stepwise | loops_one_by_one(left, lambda kept: _scratch(self, depends, kept))


def analyse(op: Any) -> Compute:
    """Prepares a `linalg.generic`; raises `PassFailure` for what the wafer cannot do yet."""
    view = structured(op)
    if view is None:
        raise NoLowering(op, f"'{op.operation.name}' has no lowering to the wafer")
    if any(distinct_dims(amap.results) is None for amap in view.init_maps):
        raise NoLowering(
            op,
            "this operation writes its result at sums of its loops' indices, which has no lowering to the wafer",
        )
    whole_body = translate_body(view)
    used = tuple(any(True for _ in r.uses) for r in op.results)
    body = restrict_to_results(whole_body, used)
    while (needed := _running_values(view, body, used)) != used:
        used, body = needed, restrict_to_results(whole_body, needed)
    types = [dtype_name(element_type(v.type)) for v in view.operands]
    body = with_owned(view, with_scatter(view, body))
    body = read_narrow(body, types, accumulations(body, len(view.inputs)))
    body = restrict_to_results(body, used)
    found = tuple(accumulations(body, len(view.inputs)))
    return Compute(view, body, found, used, REDUCTION in view.iterators)


def _running_values(view: Structured, body: ScalarBody, used: tuple[bool, ...]) -> tuple[bool, ...]:
    """`used`, and the results whose running value a live reduction reads or hands on (sums that run)."""
    if REDUCTION not in view.iterators:
        return used
    values = [o for op in body.ops for o in op.operands]
    values += [y for y, kept in zip(body.yielded, used, strict=True) if kept]
    read = {o.position for o in values if isinstance(o, Operand)}
    return tuple(u or len(view.inputs) + r in read for r, u in enumerate(used))


def compute_options(
    op: Any,
    mesh: Mesh,
    cost: CostModel,
    wanted: Sequence[Sequence[TensorLayout]] = (),
    along: Sequence[tuple[str, ...]] | None = None,
) -> list[Option]:
    """Every distribution of a `linalg.generic` over a mesh; `shard.results` tells what becomes of partial results.

    Args:
        wanted: for each result, layouts beside blocks that readers ask for: PEs may compute what several of them need.
        along: what loops shall be split over, if any other way is of no interest.
    """
    compute = analyse(op)
    view = compute.view
    may_split_reductions = compute.combinable() and compute.neutral_inits()
    splittable = [i != REDUCTION or may_split_reductions for i in view.iterators]
    forced = "wse.iterators" in op.attributes
    choices = [_forced(op, compute, splittable, mesh)] if forced else loop_layouts(view, splittable, mesh)
    if not forced:
        choices += halo_loops(view, wanted)
    if along is not None:
        choices = [c for c in choices if tuple(dim.axes for dim in c.dims) == tuple(along)] or choices
    depends = compute.dependencies()
    starts = [r for r, live in enumerate(compute.used) if live and compute.starts_from_init(r)]
    around = AroundBody.of(view, compute.body, starts, compute.copies())
    found = [_compute_option(compute, depends, around, choice, cost) for choice in choices]
    options = [option for option in found if option is not None]
    if not forced and REDUCTION not in view.iterators:
        finer = [
            more
            for option in options
            if option.loops is not None
            for more in finer_loops(option.loops, option.cycles, mesh, cost)
        ]
        again = [_compute_option(compute, depends, around, choice, cost) for choice in finer]
        options += [option for option in again if option is not None]
    if forced and not options:
        raise PassFailure(
            op,
            f"wse.iterators = {[' '.join(dim.axes) for dim in choices[0].dims]}: no layout can describe which "
            "part of an operand a PE reads then",
            hint="split other iterators",
        )
    return options


def _forced(op: Any, compute: Compute, splittable: list[bool], mesh: Mesh) -> TensorLayout:
    """The split that an operation asks for itself; raises `PassFailure` when it makes no sense."""
    asked = op.attributes["wse.iterators"]
    if not isinstance(asked, ir.ArrayAttr):
        raise PassFailure(op, "this operation is distributed already", hint="run wse-partition once")
    forced = tuple(ir.StringAttr(a).value for a in asked)
    named = [axis for split in forced for axis in split.split()]
    if len(forced) != len(splittable) or not set(named) <= set(mesh.names) or len(named) != len(set(named)):
        raise PassFailure(
            op,
            f"wse.iterators = {list(forced)} for {len(splittable)} iterators",
            hint='give "x", "y", "x y" or "" for each iterator, each axis at most once',
        )
    for number, (axis, may) in enumerate(zip(forced, splittable, strict=True)):
        if axis and not may:
            raise PassFailure(
                op,
                f"wse.iterators splits iterator {number}, a reduction whose parts cannot be combined",
                hint="split a parallel iterator instead",
            )
    return TensorLayout.blocks(compute.sizes, forced, mesh)


def _compute_option(
    compute: Compute,
    depends: list[frozenset[int]],
    around: AroundBody,
    loops: TensorLayout,
    cost: CostModel,
) -> Option | None:
    """None where loops laid out like that read what no layout of an operand says."""
    view = compute.view
    layouts = operand_layouts(view, loops)
    needs = tuple(layout if compute.reads(k) else None for k, layout in enumerate(layouts))
    gives = tuple(layout for layout in layouts[len(view.inputs) :] if layout is not None)
    if any(layout is None and compute.reads(k) for k, layout in enumerate(layouts)):
        return None
    tiles = list(loops.tile_shape)
    looped = compute.looped(depends, tiles)
    again = math.prod(tiles[i] for i in looped)
    skipped = {a.product for a in compute.accumulations if a is not None}
    accesses = (steps_through(m, at.tile_shape) for m, at in zip(view.maps, layouts, strict=True) if at)
    merged = MergedLoops.of(tiles, list(accesses))
    cycles = around.cycles(cost, loops, gives, looped)
    for index, op in enumerate(compute.body.ops):
        if index in skipped:
            continue
        if op.kind == GATHER:
            numbers = [compute.iterators_of(o, depends) for o in op.operands]
            cycles += gather_cycles(cost, op, numbers, {d: tiles[d] for d in depends[index]})
            continue
        if op.kind in OWNED:
            cycles += owned_cycles(cost, view, op, depends, tiles)
            continue
        if op.kind in SCATTERS:
            cycles += scatter_cycles(cost, view, op, depends, tiles)
            continue
        trips = merged.among(depends[index] - looped)
        summed = next((a for a in compute.accumulations if a is not None and a.at == index), None)
        kind = "fma" if summed is not None and summed.product is not None else op.kind
        into_one = summed is not None and math.prod(gives[0].tile_shape) == 1
        cycles += again * cost.vector(kind, op.dtype, trips, into_one=into_one)
    for r in around.copied:
        loops_of_result = operand_iterators(view, len(view.inputs) + r) - looped
        cycles += again * cost.vector("copy", dtype_of(view.op.results[r]), merged.among(loops_of_result))
    reduced = [loops.dims[i].axes for i, kind in enumerate(view.iterators) if kind == REDUCTION]
    lines = loops.mesh.joined([axis for axes in reduced for axis in axes])
    reductions = tuple(
        AllReduce(r, line, combine_kind(found.kind))
        for r, found in enumerate(compute.accumulations)
        if found is not None and compute.used[r]
        for line in lines
    )
    kept = [1 if i in looped else trips for i, trips in enumerate(tiles)]
    return Option(loops, needs, gives, cycles, _scratch(compute, depends, kept), reductions)


def only_returned(value: ir.Value) -> bool:
    """Whether a value goes to the host alone, which takes one copy of it, the first PE's of each line."""
    return all(use.owner.operation.name == "func.return" for use in value.uses)


def _scratch(compute: Compute, depends: list[frozenset[int]], tiles: Sequence[int]) -> int:
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
