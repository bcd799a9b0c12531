"""`wse-tile-and-fuse`: softmax, normalisation and attention run on a few rows at a time, which stay in a cache."""

from __future__ import annotations

from math import ceil, lcm, prod

from ....dialects.affine.expressions import dim_position, divided_dim, used_dims
from ....dialects.affine.linear import linear
from ....dialects.host import ir
from ....dialects.structured import REDUCTION, Structured
from ...infra.pass_base import Pass, PassRun, option
from ...tensor.access import access_kind
from ...tensor.bufferization.arena import element_bytes
from ...tensor.contraction.form import contraction_form
from ..parallel.marks import next_nest
from ..processor import Processor, processor
from .facts import facts_of
from .outline import KERNEL_MARK
from .tiled.group import Group, SharedLoop, group_of
from .tiled.key_blocks import find_key_blocks
from .tiled.nest import GroupNest, is_possible

_MOST_ROWS = 64  # of attention: larger tiles gain nothing
_MOST_PLAIN_ROWS = 16
_OPEN_SIZE = 256  # what an open size is taken for
_POINT_COST = (
    10  # of one operand of an elementwise operation, in the operations that a product does meanwhile
)
_TRANSCENDENTAL_COST = 50
_LINE = 64  # bytes of a cache line
_MOST_LINES = 4  # of neighbouring rows, that are worth a tile


class TileAndFuse(Pass, name="wse-tile-and-fuse", anchor="func.func"):
    """Puts loops over tiles of rows around the operations of a kernel that have their outer loops in common.

    The parts of a softmax or a normalisation have the rows in common; attention's scores, softmax and product have
    batch, heads and rows. Buffers between the parts shrink to one tile. What lacks a loop, such as the packing of keys,
    which all rows use, comes before it. Kernels of one product and what follows it point by point stay as they are, and
    so do those whose buffers fit the first cache anyway.

        linalg.generic {scores} ins(%q, %k : ...) outs(%s : memref<12x128x128xf32>)
        linalg.generic {maximum of each row} ins(%s) outs(%m : memref<12x128xf32>)
        linalg.generic {exp} ins(%s, %m) outs(%s)
        linalg.generic {product} ins(%s, %v) outs(%o : memref<128x12x64xf32>)
    becomes
        %s = memref.alloca() : memref<64x128xf32>
        %m = memref.alloca() : memref<64xf32>
        scf.for %h = 0 to 12 step 1 {
          scf.for %r = 0 to 128 step 64 {
            linalg.generic {scores} ins(%q[%r, %h, 0] [64, 1, 64], %k[0, %h, 0] [128, 1, 64]) outs(%s)
            ...
          } {wse.parallel, wse.cost}
        } {wse.parallel, wse.cost}
    """

    cpu: str = option("", "processor that code is for, by LLVM's name; the one of this machine if empty")
    features: str = option("", "its switches, as in +avx2,-avx512f")
    threads: int = option(1, "threads that parallel loops are divided among", least=1)

    def run(self, op: ir.Operation, run: PassRun) -> None:
        if KERNEL_MARK not in op.attributes or not len(op.regions[0].blocks):
            return
        (block,) = op.regions[0].blocks
        group = group_of(block)
        if group is None or not _has_rows(group):
            return
        machine = processor(self.cpu, self.features)
        tiles = _tiles(group, machine)
        if tiles:
            cost = sum(_cost(view) for view in group.members)
            keys = find_key_blocks(group, tiles)
            GroupNest(group, tiles, next_nest(op), cost, self.threads > 1, keys).build()
            run.count("groups tiled")
            run.count("groups that pass over hidden keys", keys is not None)


def _has_rows(group: Group) -> bool:
    """Whether a group does more than what follows one product or one window point by point.

    It multiplies twice, or spreads sums of rows over the rows again; products of all rows with weights are not in it.
    """
    forms = [form for form in map(contraction_form, group.members) if form is not None]
    if any(not form.batch for form in forms):
        return False
    return len(forms) > 1 or any(_spreads(group, m) for m in range(len(group.members)))


def _spreads(group: Group, member: int) -> bool:
    """Whether a member reads results of a reduction once for several points."""
    view = group.members[member]
    reduced = [v for m in group.members[:member] if REDUCTION in m.iterators for v in m.inits]
    return any(
        value in reduced and len(access.results) < len(view.iterators)
        for value, access in zip(view.inputs, view.input_maps, strict=True)
    )


def _tiles(group: Group, machine: Processor) -> list[tuple[SharedLoop, int]]:
    """The loops to make, outermost first, with their steps; none if it does not pay."""
    if sum(_bytes(buffer) for buffer in group.written.values()) <= machine.l1_bytes // 2:
        return []
    chosen: list[SharedLoop] = []
    members = list(range(len(group.members)))
    for loop in group.loops:
        inside = [m for m in members if m in loop.iterators]
        if (
            loop.size in (0, 1)
            or not _has_all_reductions(group, loop)
            or not is_possible(group, members, loop)
        ):
            continue
        chosen.append(loop)
        members = inside
    if not chosen:
        return []
    return [*((loop, 1) for loop in chosen[:-1]), (chosen[-1], _rows(group, chosen, machine))]


def _has_all_reductions(group: Group, loop: SharedLoop) -> bool:
    return all(m in loop.iterators for m, view in enumerate(group.members) if REDUCTION in view.iterators)


def _rows(group: Group, loops: list[SharedLoop], machine: Processor) -> int:
    """How many rows to take at a time: as many as the buffers between members fit, and tiles of equal size."""
    row = sum(_row_bytes(view, m, loops, group) for m, view in enumerate(group.members))
    products = any(contraction_form(view) is not None for view in group.members)
    budget = machine.l2_bytes // 8 if products else machine.l1_bytes // 2
    most = max(1, min(_MOST_ROWS if products else _MOST_PLAIN_ROWS, budget // max(1, row)))
    # fewer rows than 8 would read keys and values too often
    most = max(most, 8 if products else _side_by_side(group, loops[-1], machine))
    size, grain = loops[-1].size, _grain(group, loops[-1])
    if grain is None:
        return 1
    if size is None:
        return most // grain * grain or 1
    even = [rows for rows in range(min(most, size), most // 2, -1) if size % rows == rows % grain == 0]
    return even[0] if even else ceil(size / ceil(size / most)) // grain * grain or 1


def _side_by_side(group: Group, loop: SharedLoop, machine: Processor) -> int:
    """How many rows whose elements lie side by side are worth a tile: what fills cache lines, and vectors.

    So lie the channels of an image that is normalised channel by channel; the tile stays in the second cache. 1 where
    rows lie one after the other.
    """
    most = 1
    for m, iterator in sorted(loop.iterators.items()):
        view = group.members[m]
        reduced = prod(_OPEN_SIZE if n is None else n for n, kind in _loops(view) if kind == REDUCTION)
        for value, access in zip(view.inputs, view.input_maps, strict=True):
            kind = ir.MemRefType(value.type) if isinstance(value.type, ir.MemRefType) else None
            if (
                kind is None
                or REDUCTION not in view.iterators
                or access_kind(value, access, iterator) != "contiguous"
            ):
                continue
            size = max(1, element_bytes(kind.element_type))
            lines = max(1, min(_MOST_LINES, machine.l2_bytes // 2 // (_LINE * max(1, reduced))))
            most = max(most, lines * _LINE // size)
    return most


def _loops(view: Structured) -> list[tuple[int | None, str]]:
    """The size and the kind of each loop."""
    return list(zip(view.loop_sizes(), view.iterators, strict=True))


def _grain(group: Group, loop: SharedLoop) -> int | None:
    """What tiles of a loop must be multiples of: query heads share keys, `h floordiv 4`; None for more than that."""
    found = 1
    for m, iterator in sorted(loop.iterators.items()):
        for access in group.members[m].maps:
            for expr in access.results:
                if iterator in used_dims(expr) and linear(expr) is None:
                    block = divided_dim(expr)
                    if block is None:
                        return None
                    found = lcm(found, block[1])
    return found


def _row_bytes(view: Structured, member: int, loops: list[SharedLoop], group: Group) -> int:
    """Bytes that a member writes for one iteration of the chosen loops; what is written twice is counted once."""
    cut = {loop.iterators[member] for loop in loops if member in loop.iterators}
    if loops[-1].iterators.get(member) is None:
        return 0
    sizes = [_OPEN_SIZE if s is None else s for s in view.loop_sizes()]
    total = 0
    for k, (init, access) in enumerate(zip(view.inits, view.init_maps, strict=True)):
        earlier = any(init in v.inits for v in group.members[:member])
        if earlier or not isinstance(init.type, ir.MemRefType):
            continue
        dims = [d for d in map(dim_position, access.results) if d is not None]
        kind = ir.MemRefType(view.inits[k].type)
        total += prod(sizes[d] for d in dims if d not in cut) * element_bytes(kind.element_type)
    return total


def _bytes(buffer: ir.Value) -> int:
    kind = ir.MemRefType(buffer.type)
    sizes = [_OPEN_SIZE if kind.is_dynamic_dim(d) else kind.get_dim_size(d) for d in range(kind.rank)]
    return prod(sizes) * element_bytes(kind.element_type)


def _cost(view: Structured) -> int:
    """An estimate of a member's time, in operations of a product."""
    facts = facts_of(view.op.operation)
    points = 1 if facts is None else facts.points
    if contraction_form(view) is not None:
        return 2 * points
    dear = sum(op.operation.name.startswith("math.") for op in view.body_operations())
    return points * (_POINT_COST * len(view.operands) + _TRANSCENDENTAL_COST * dear)
