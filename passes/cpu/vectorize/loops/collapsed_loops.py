"""Rewrites a `linalg.generic` on buffers with as few iterators as it can do with.

Vectors are filled along one iterator, so neighbouring dimensions that are walked alike should be one: rows of 7 x 7
points leave half of a vector empty where rows of 49 fill three.
"""

from collections.abc import Sequence

from .....dialects.affine.expressions import dim_position, used_dims
from .....dialects.host import arith, ir, linalg, memref
from .....dialects.structured import Structured, build_generic, clone_into, replace_op, structured
from ....tensor.traversal import collect

LoopChain = tuple[int, ...]  # iterators that become one, outermost first


def collapse_loops(view: Structured) -> Structured:
    """Drops iterators of one step and merges those that all operands have as neighbouring dimensions.

    Returns:
        A view of the operation that replaces `view.op`, or `view` itself when there is nothing to gain.
    """
    sizes = view.loop_sizes()
    units = frozenset(i for i, size in enumerate(sizes) if size == 1)
    chains = _chains(view, sizes, units)
    if len(chains) == len(view.iterators):
        return view
    renamed = {i: k for k, chain in enumerate(chains) for i in chain}
    with view.op.location, ir.InsertionPoint(view.op):
        operands, maps = [], []
        for value, amap in zip(view.operands, view.maps, strict=True):
            groups = _groups(amap, chains)
            operands.append(_collapsed(value, groups) if isinstance(value.type, ir.MemRefType) else value)
            maps.append(_renamed_map(amap, groups, renamed, len(chains)))
        count = len(view.inputs)
        kinds = [view.iterators[chain[0]] for chain in chains]

        def body(*scalars: ir.Value) -> list[ir.Value]:
            mapping: dict[ir.Value, ir.Value] = dict(zip(view.body.arguments, scalars, strict=True))
            clone_into(view.body_operations(), mapping)
            return [mapping.get(v, v) for v in view.yielded]

        op = build_generic(operands[:count], operands[count:], maps, kinds, body)
    _rename_indices(op.operation, renamed)
    view.op.operation.erase()
    collapsed = structured(op)
    assert collapsed is not None
    return collapsed


def _chains(view: Structured, sizes: Sequence[int | None], units: frozenset[int]) -> list[LoopChain]:
    """The iterators that take more than one step, merged where that is possible, in their old order."""
    kept = [i for i in range(len(view.iterators)) if i not in units]
    asked_for = _indexed(view.op.operation)
    follower: dict[int, int] = {}
    for first in kept:
        for second in kept:
            alike = view.iterators[first] == view.iterators[second] and first != second
            if alike and not asked_for & {first, second} and _adjacent(view, first, second, units):
                follower[first] = second
    later = set(follower.values())
    chains = []
    for first in kept:
        if first not in later:
            chain = [first]
            while chain[-1] in follower:
                chain.append(follower[chain[-1]])
            chains.append(tuple(chain))
    return chains


def _adjacent(view: Structured, first: int, second: int, units: frozenset[int]) -> bool:
    """Whether one step of `first` is, in every operand, as far as all the steps of `second`."""
    seen = False
    for value, amap in zip(view.operands, view.maps, strict=True):
        touched = [p for p, e in enumerate(amap.results) if used_dims(e) & {first, second}]
        if not touched:
            continue
        seen = True
        if [dim_position(amap.results[p]) for p in touched] != [first, second]:
            return False
        between = amap.results[touched[0] + 1 : touched[1]]
        if any(used_dims(e) - units for e in between) or not _dense(value, *touched):
            return False
    return seen


def _dense(value: ir.Value, first: int, second: int) -> bool:
    """Whether dimensions `first` to `second` of a buffer, those between of one element, can be one dimension."""
    kind = ir.MemRefType(value.type)
    between = range(first + 1, second)
    if any(kind.is_dynamic_dim(d) or kind.shape[d] != 1 for d in between):
        return False
    if _plain(kind):
        return True
    strides, _ = kind.get_strides_and_offset()
    unknown = ir.ShapedType.get_dynamic_stride_or_offset()
    if between or kind.is_dynamic_dim(second) or unknown in (strides[first], strides[second]):
        return False  # what upstream says of strides of single elements between others is not ours to guess
    return strides[first] == kind.shape[second] * strides[second]


def _plain(kind: ir.MemRefType) -> bool:
    return kind.affine_map == ir.AffineMap.get_identity(kind.rank)


def _groups(amap: ir.AffineMap, chains: Sequence[LoopChain]) -> list[list[int]]:
    """Positions of the map's results that become one, for all of them in order."""
    last_of = {chain[0]: chain[-1] for chain in chains if len(chain) > 1}
    groups: list[list[int]] = []
    until: int | None = None
    for position, expr in enumerate(amap.results):
        dim = dim_position(expr)
        if until is None:
            groups.append([position])
            until = last_of.get(dim) if dim is not None else None
        else:
            groups[-1].append(position)
            until = None if dim == until else until
    return groups


def _collapsed(value: ir.Value, groups: list[list[int]]) -> ir.Value:
    kind = ir.MemRefType(value.type)
    if len(groups) == kind.rank:
        return value
    unknown = ir.ShapedType.get_dynamic_size()
    shape = []
    for group in groups:
        size = 1
        for d in group:
            size = unknown if size == unknown or kind.is_dynamic_dim(d) else size * kind.shape[d]
        shape.append(size)
    layout = None
    if not _plain(kind):
        strides, offset = kind.get_strides_and_offset()
        layout = ir.StridedLayoutAttr.get(offset, [strides[group[-1]] for group in groups])
    result = ir.MemRefType.get(shape, kind.element_type, layout, kind.memory_space)
    i64 = ir.IntegerType.get_signless(64)
    reassociation = ir.ArrayAttr.get(
        [ir.ArrayAttr.get([ir.IntegerAttr.get(i64, d) for d in group]) for group in groups]
    )
    return memref.CollapseShapeOp(result, value, reassociation).result


def _renamed_map(
    amap: ir.AffineMap, groups: list[list[int]], renamed: dict[int, int], count: int
) -> ir.AffineMap:
    """The map of the collapsed operand; dropped iterators are 0."""
    zero = ir.AffineConstantExpr.get(0)
    old = [ir.AffineDimExpr.get(renamed[i]) if i in renamed else zero for i in range(amap.n_dims)]
    substitution = ir.AffineMap.get(count, 0, old)
    return ir.AffineMap.get(count, 0, [amap.results[group[0]].compose(substitution) for group in groups])


def _indices(op: ir.Operation) -> list[ir.Operation]:
    return collect(op, lambda inner: inner.name == "linalg.index", in_bodies=True)


def _indexed(op: ir.Operation) -> set[int]:
    """Iterators whose index the body asks for."""
    return {ir.IntegerAttr(inner.attributes["dim"]).value for inner in _indices(op)}


def _rename_indices(op: ir.Operation, renamed: dict[int, int]) -> None:
    """Lets the body's `linalg.index` ask for the new iterators; that of a dropped one is 0."""
    for inner in _indices(op):
        dim = ir.IntegerAttr(inner.attributes["dim"]).value
        with inner.location, ir.InsertionPoint(inner):
            known = dim not in renamed
            value = arith.constant(ir.IndexType.get(), 0) if known else linalg.IndexOp(renamed[dim]).result
        replace_op(inner, [value])
