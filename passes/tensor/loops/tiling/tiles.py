"""What a tile of a structured operation covers: its operands' slices and the smaller operation itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from .....dialects.affine.linear import IndexSum, linear
from .....dialects.affine.maps import plain_dims
from .....dialects.host import arith, ir, memref, tensor
from .....dialects.structured import PARALLEL, REDUCTION, clone_into, structured
from ...bufferization.layouts import DYNAMIC, subview_type
from ...bufferization.op_model import access_maps, init_count, is_linalg
from .index_math import IndexOrValue, as_value, dim_size, weighted_sum


@dataclass(frozen=True)
class Tileable:
    """A structured operation, named or generic, as tiling sees it.

    Attributes:
        op: the operation.
        maps: the indexing map of every operand, inputs first.
        iterators: "parallel" or "reduction" per loop.
        inits: the number of destinations, the last operands.
    """

    op: ir.Operation
    maps: tuple[ir.AffineMap, ...]
    iterators: tuple[str, ...]
    inits: int

    @property
    def rank(self) -> int:
        return len(self.iterators)

    @property
    def on_tensors(self) -> bool:
        """Whether the operation has value semantics."""
        return len(self.op.results) > 0

    def is_shaped(self, operand: int) -> bool:
        """Whether an operand is a tensor or memref that can be sliced (scalars cannot)."""
        return isinstance(self.op.operands[operand].type, ir.RankedTensorType | ir.MemRefType)

    def init_positions(self) -> range:
        """Operand positions of the destinations."""
        return range(len(self.op.operands) - self.inits, len(self.op.operands))

    def access(self, operand: int) -> list[IndexSum | None]:
        """For each dimension of an operand, how the iterators index it; None where not linear."""
        return [linear(expr) for expr in self.maps[operand].results]

    def loop_sizes(self) -> list[IndexOrValue | None]:
        """Trip count of every iterator at the current insertion point, static if any operand tells.

        None where no operand has a dimension indexed by the iterator alone.
        """
        sizes: list[IndexOrValue | None] = [None] * self.rank
        places: list[tuple[int, int] | None] = [None] * self.rank
        for operand in range(len(self.maps)):
            if not self.is_shaped(operand):
                continue
            kind = ir.ShapedType(self.op.operands[operand].type)
            for dim, access in enumerate(self.access(operand)):
                iterator = access.plain_dim() if access is not None else None
                if iterator is None:
                    continue
                places[iterator] = places[iterator] or (operand, dim)
                if sizes[iterator] is None and not kind.is_dynamic_dim(dim):
                    sizes[iterator] = kind.get_dim_size(dim)
        for iterator, place in enumerate(places):
            if sizes[iterator] is None and place is not None:
                sizes[iterator] = dim_size(self.op.operands[place[0]], place[1])
        return sizes


def tileable(op: ir.Operation) -> Tileable | None:
    """The view of a structured linalg operation; None for anything else."""
    if not is_linalg(op):
        return None
    maps = access_maps(op)
    if not maps:
        return None
    generic = structured(op)
    if generic is not None:
        iterators = generic.iterators
    else:
        written = plain_dims(maps[-init_count(op) :])
        iterators = tuple(PARALLEL if d in written else REDUCTION for d in range(maps[0].n_dims))
    return Tileable(op, tuple(maps), iterators, init_count(op))


def refusal(op: Tileable, tiled: Sequence[int]) -> str | None:
    """Why the iterators `tiled` cannot be tiled; None if they can."""
    for operand in range(len(op.maps)):
        for expr, access in zip(op.maps[operand].results, op.access(operand), strict=True):
            if access is None:
                hidden = [d for d in tiled if f"d{d}" in str(expr)]
                if hidden:
                    return f"iterator {hidden[0]} is used in '{expr}', whose tiles are no slices"
            elif any(access.factor(d) < 0 for d in tiled) or access.constant < 0:
                return f"the index '{expr}' runs backwards"
    return None


@dataclass(frozen=True)
class Slice:
    """A window into a tensor or memref.

    Attributes:
        steps: between elements of the window, along each dimension; 1 along all where there are none.
    """

    offsets: tuple[IndexOrValue, ...]
    sizes: tuple[IndexOrValue, ...]
    steps: tuple[int, ...] = ()


def operand_slice(
    op: Tileable,
    operand: int,
    tiled: Sequence[int],
    offsets: Sequence[IndexOrValue],
    sizes: Sequence[IndexOrValue | None],
) -> Slice | None:
    """The part of an operand that the tile at `offsets` with iterator `sizes` touches; None if all of it.

    Index `c0 * d0 + c1 * d1 + k` starts at `c0 * o0 + c1 * o1` and covers `c0 * (s0 - 1) + c1 * (s1 - 1) + k + 1`.
    """
    value = op.op.operands[operand]
    accesses = op.access(operand)
    if not any(a is not None and any(d in tiled for d in a.dims) for a in accesses):
        return None
    starts: list[IndexOrValue] = []
    extents: list[IndexOrValue] = []
    for dim, access in enumerate(accesses):
        if access is None or not any(d in tiled for d in access.dims):
            starts.append(0)
            extents.append(dim_size(value, dim))
            continue
        terms = [(access.factor(d), d) for d in access.dims]
        starts.append(weighted_sum([(c, offsets[d]) for c, d in terms if d in tiled]))
        known = [(c, size) for c, d in terms if (size := sizes[d]) is not None]
        extents.append(weighted_sum(known, 1 + access.constant - sum(c for c, _ in known)))
    return Slice(tuple(starts), tuple(extents))


def split(values: Sequence[IndexOrValue]) -> tuple[list[ir.Value], list[int]]:
    """(dynamic values, static numbers with the dynamic marker), as slice operations take them."""
    dynamic = [v for v in values if isinstance(v, ir.Value)]
    return dynamic, [v if isinstance(v, int) else DYNAMIC for v in values]


def take_slice(value: ir.Value, part: Slice) -> ir.Value:
    """Extracts a window: an `extract_slice` of a tensor, a `subview` of a memref."""
    steps = list(part.steps) or [1] * len(part.offsets)
    offsets, static_offsets = split(part.offsets)
    sizes, static_sizes = split(part.sizes)
    numbers = (offsets, sizes, [], static_offsets, static_sizes, steps)
    if isinstance(value.type, ir.RankedTensorType):
        kind = ir.RankedTensorType.get(static_sizes, value.type.element_type)
        return tensor.ExtractSliceOp(kind, value, *numbers).result
    kind = subview_type(ir.MemRefType(value.type), static_offsets, static_sizes, steps, static_sizes)
    return memref.SubViewOp(kind, value, *numbers).result


def put_slice(tile: ir.Value, whole: ir.Value, part: Slice, *, parallel: bool = False) -> ir.Value | None:
    """Inserts a tile into its tensor; in a parallel loop's terminator there is no result."""
    offsets, static_offsets = split(part.offsets)
    sizes, static_sizes = split(part.sizes)
    numbers = (offsets, sizes, [], static_offsets, static_sizes, list(part.steps) or [1] * len(part.offsets))
    if parallel:
        tensor.ParallelInsertSliceOp(tile, whole, *numbers)
        return None
    return tensor.InsertSliceOp(tile, whole, *numbers).result


def tile_op(op: Tileable, operands: Sequence[ir.Value], offsets: Sequence[IndexOrValue]) -> ir.Operation:
    """The same operation on slices; `linalg.index` in its body still counts from the whole operation's start."""
    results = [operands[p].type for p in op.init_positions()] if op.on_tensors else []
    attributes = {name: op.op.attributes[name] for name in op.op.attributes}
    new = ir.Operation.create(
        op.op.name,
        results,
        list(operands),
        attributes=attributes,
        regions=len(op.op.regions),
        loc=op.op.location,
    )
    for old_region, region in zip(op.op.regions, new.regions, strict=True):
        for old in old_region.blocks:
            arguments: Any = old.arguments
            block = region.blocks.append(
                *[a.type for a in arguments], arg_locs=[a.location for a in arguments]
            )
            mapping: dict[Any, Any] = dict(zip(arguments, block.arguments, strict=True))
            clone_into(old.operations, mapping, ir.InsertionPoint(block))
            shift_indices(block, offsets)
    return new


def shift_indices(block: ir.Block, offsets: Sequence[IndexOrValue], steps: Sequence[int] = ()) -> None:
    """Lets indices in a body count from where a tile begins, by `steps`, which are 1 where there are none."""
    for inner in list(block.operations):
        op = inner.operation
        if op.name != "linalg.index":
            continue
        dim = ir.IntegerAttr(op.attributes["dim"]).value
        offset, step = offsets[dim], steps[dim] if steps else 1
        if offset == 0 and step == 1:
            continue
        uses = [(use.owner.operation, use.operand_number) for use in op.results[0].uses]
        with op.location, ir.InsertionPoint.after(op):
            index = op.results[0] if step == 1 else arith.muli(op.results[0], as_value(step))
            shifted = arith.addi(index, as_value(offset))
        for user, number in uses:
            user.operands[number] = shifted
