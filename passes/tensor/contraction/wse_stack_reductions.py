"""`wse-stack-reductions`: what is computed alike of the same tensors and several parameters is computed in one go."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ....dialects.affine.expressions import dim_position
from ....dialects.affine.maps import distinct_dims
from ....dialects.constants import constant_attribute, splat
from ....dialects.host import ir, linalg, tensor
from ....dialects.structured import (
    PARALLEL,
    REDUCTION,
    Structured,
    element_type,
    rebuild_generic,
    replace_op,
    structured,
)
from ...infra.pass_base import Pass, PassRun
from ..prepack.known_values import PARAMETER, arguments_of_kind
from ..simplify.reshapes.reshaping import reshaped
from ..traversal import tensor_blocks
from ..uniform import uniform_scalar
from .stacked_columns import StackedColumns, stack

_INDEX = "linalg.index"


class StackReductions(Pass, name="wse-stack-reductions", anchor="func.func"):
    """Makes one reduction of those that have the same body and the same operands but for a parameter.

    Queries, keys and values of an attention, or the two halves of a gated layer, are products of the same rows; sines
    and cosines are read from two tables at the same index. In one go rows are brought to where they are needed once,
    and partial results are combined once, which takes hardly longer for more columns where a line of processing
    elements is long. Columns lie side by side along a dimension of their own between those that all members have. Only
    parameters are stacked: that is done once, when they are bound.

        %g = linalg.generic {maps = [(n, k) -> (k), (n, k) -> (n, k), (n, k) -> (n)]} ins(%x, %v : .., tensor<6x8xf32>)
        %u = linalg.generic {maps = [(n, k) -> (k), (n, k) -> (n, k), (n, k) -> (n)]} ins(%x, %w : .., tensor<6x8xf32>)
    becomes
        %s = tensor.insert_slice .. (%v and %w as tensor<2x6x8xf32>)
        %p = linalg.generic {maps = [(s, n, k) -> (k), (s, n, k) -> (s, n, k), (s, n, k) -> (s, n)]} ins(%x, %s)
        %g = tensor.extract_slice %p[0, 0] [1, 6] ..
        %u = tensor.extract_slice %p[1, 0] [1, 6] ..
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        if not len(op.regions[0].blocks):
            return  # a declaration
        entry = op.regions[0].blocks[0]
        parameters = {entry.arguments[k] for k in arguments_of_kind(op.opview, PARAMETER)}
        for block in tensor_blocks(op):
            groups: dict[Hashable, list[_Member]] = defaultdict(list)
            for inner in block.operations:
                member = _member(structured(inner), parameters)
                if member is not None:
                    groups[member.kind].append(member)
            for members in groups.values():
                stacked = stack([m.column_sizes for m in members])
                if len(members) > 1 and stacked is not None:
                    with ir.InsertionPoint(members[0].view.op), members[0].view.op.location:
                        _stack(members, stacked)
                    run.count("reductions that are stacked", len(members))


@dataclass(frozen=True)
class _Member:
    """A reduction that reads one parameter, whose columns follow each other in the parameter and in the result.

    Attributes:
        stacked: which input the parameter is; parameter: before it was reshaped.
        columns: loops of the parameter and the result alone, in the order of both.
        kind: what reductions have in common that can be stacked.
    """

    view: Structured
    stacked: int
    parameter: ir.Value
    columns: tuple[int, ...]
    kind: Hashable

    @property
    def column_sizes(self) -> tuple[int, ...]:
        sizes = self.view.fixed_sizes()
        return tuple(sizes[loop] for loop in self.columns)

    @property
    def result(self) -> int:
        """The number of the operand that is changed into the result."""
        return len(self.view.inputs)

    def shape(self, operand: int, columns: Sequence[int]) -> list[int]:
        """Of an operand when its columns have these sizes."""
        found: list[int] = []
        dims = ir.RankedTensorType(self.view.operands[operand].type).shape
        for size, expr in zip(dims, self.view.maps[operand].results, strict=True):
            loop = dim_position(expr)
            if loop == self.columns[0]:
                found += columns
            elif loop not in self.columns:
                found.append(size)
        return found

    def column_place(self, operand: int) -> int:
        """The first dimension of an operand that is one of its columns."""
        loops = [dim_position(expr) for expr in self.view.maps[operand].results]
        return loops.index(self.columns[0])


def _member(view: Structured | None, parameters: set[ir.Value]) -> _Member | None:
    if view is None or REDUCTION not in view.iterators or len(view.inits) != 1:
        return None
    start = _start(view)
    sources = [_unshaped(value) for value in view.inputs]
    found = [k for k, source in enumerate(sources) if source in parameters]
    if start is None or len(found) != 1 or not all(_is_static(v.type) for v in view.operands):
        return None
    (stacked,) = found
    dims = [distinct_dims(m.results) for m in view.maps]
    loops = [
        found
        for found, m in zip(dims, view.maps, strict=True)
        if found is not None and len(found) == len(m.results)
    ]
    if len(loops) != len(dims):
        return None
    data = {loop for k, own in enumerate(loops[:-1]) if k != stacked for loop in own}
    columns = tuple(loop for loop in loops[-1] if loop in loops[stacked] and loop not in data)
    if not columns or any(view.iterators[loop] != PARALLEL for loop in columns):
        return None
    roles = _roles(view, loops, columns)
    places = tuple(_places(own, columns, roles) for own in loops)
    body = _body_key(view, columns, roles)
    if None in places or body is None:
        return None
    sizes = view.fixed_sizes()
    others = tuple((sizes[loop], view.iterators[loop]) for loop in roles)
    inputs = tuple(value for k, value in enumerate(view.inputs) if k != stacked)
    types = tuple(str(element_type(v.type)) for v in view.operands)
    return _Member(
        view, stacked, sources[stacked], columns, (inputs, start, stacked, types, others, places, body)
    )


def _unshaped(value: ir.Value) -> ir.Value:
    """What a value was before it was reshaped."""
    while isinstance(value.owner, tensor.ExpandShapeOp | tensor.CollapseShapeOp):
        value = value.owner.src
    return value


def _start(view: Structured) -> ir.Value | ir.Attribute | None:
    """What the result has in every element at the beginning."""
    init = _unshaped(view.inits[0])
    return uniform_scalar(init) or constant_attribute(init)


def _is_static(kind: ir.Type) -> bool:
    return isinstance(kind, ir.RankedTensorType) and kind.has_static_shape


def _roles(view: Structured, loops: Sequence[Sequence[int]], columns: Sequence[int]) -> dict[int, int]:
    """Numbers for the loops that are no columns, in the order in which operands name them, whatever theirs are."""
    named = [loop for own in loops for loop in own if loop not in columns]
    return {
        loop: number for number, loop in enumerate(dict.fromkeys([*named, *_unnamed(view, named, columns)]))
    }


def _unnamed(view: Structured, named: Sequence[int], columns: Sequence[int]) -> list[int]:
    return [loop for loop in range(len(view.iterators)) if loop not in named and loop not in columns]


def _places(loops: Sequence[int], columns: Sequence[int], roles: dict[int, int]) -> tuple[int, ...] | None:
    """The roles of an operand's dimensions, -1 for all columns; None where columns do not follow each other."""
    first = loops.index(columns[0]) if columns[0] in loops else -1
    if first < 0:
        return tuple(roles[loop] for loop in loops) if not set(loops) & set(columns) else None
    end = first + len(columns)
    if tuple(loops[first:end]) != tuple(columns):
        return None
    return (*(roles[n] for n in loops[:first]), -1, *(roles[n] for n in loops[end:]))


def _body_key(view: Structured, columns: Sequence[int], roles: dict[int, int]) -> Hashable | None:
    """What a body computes, equal for equal bodies; None where it asks for its place along columns."""
    names: dict[ir.Value, Hashable] = {v: ("argument", k) for k, v in enumerate(view.body.arguments)}
    found: list[Hashable] = []
    for number, op in enumerate(view.body.operations):
        attributes = {a.name: str(a.attr) for a in (op.attributes[k] for k in range(len(op.attributes)))}
        if op.operation.name == _INDEX:
            loop = ir.IntegerAttr(op.attributes["dim"]).value
            if loop in columns:
                return None
            attributes["dim"] = str(roles[loop])
        if len(op.regions):
            return None
        operands = tuple(names.get(v, v) for v in op.operands)
        found.append(
            (
                op.operation.name,
                operands,
                tuple(sorted(attributes.items())),
                str([r.type for r in op.results]),
            )
        )
        names |= {r: ("operation", number, k) for k, r in enumerate(op.results)}
    return tuple(found)


def _stack(members: Sequence[_Member], stacked: StackedColumns) -> None:
    """One reduction in the place of the first member; of its result all of them are slices."""
    first = members[0]
    view = first.view
    loops, iterators = _loops(first, len(stacked.sizes))
    maps = [
        ir.AffineMap.get(
            len(iterators),
            0,
            [ir.AffineExpr.get_dim(n) for e in m.results for n in loops[dim_position(e) or 0]],
        )
        for m in view.maps
    ]
    inputs = list(view.inputs)
    inputs[first.stacked] = _side_by_side(members, stacked)
    made = rebuild_generic(
        view, inputs=inputs, inits=[_started(first, stacked)], maps=maps, iterators=iterators
    )
    for op in made.regions[0].blocks[0].operations:
        if op.operation.name == _INDEX:
            old = ir.IntegerAttr(op.attributes["dim"])
            op.attributes["dim"] = ir.IntegerAttr.get(old.type, loops[old.value][0])
    results = [_part(first, stacked, made.result, index, member) for index, member in enumerate(members)]
    for member, result in zip(members, results, strict=True):
        replace_op(member.view.op, [result])


def _loops(first: _Member, count: int) -> tuple[list[list[int]], list[str]]:
    """The loops that each loop of a member becomes, columns in the place of the first one; what all loops are."""
    loops: list[list[int]] = []
    iterators: list[str] = []
    for loop, what in enumerate(first.view.iterators):
        new = [PARALLEL] * count if loop == first.columns[0] else [] if loop in first.columns else [what]
        loops.append(list(range(len(iterators), len(iterators) + len(new))))
        iterators += new
    return loops, iterators


def _started(first: _Member, stacked: StackedColumns) -> ir.Value:
    """What the whole result begins as."""
    start = _start(first.view)
    kind = element_type(first.view.inits[0].type)
    shape = first.shape(first.result, stacked.sizes)
    if isinstance(start, ir.Value):
        return linalg.fill(start, outs=[tensor.EmptyOp(shape, kind).result])
    return splat(ir.RankedTensorType.get(shape, kind), start)


def _side_by_side(members: Sequence[_Member], stacked: StackedColumns) -> ir.Value:
    """The parameters of all members as one tensor."""
    first = members[0]
    operand = first.stacked
    kind = element_type(first.view.inputs[operand].type)
    whole: ir.Value = tensor.EmptyOp(first.shape(operand, stacked.sizes), kind).result
    for index, member in enumerate(members):
        shape, where = _slice(first, operand, stacked, index)
        part = reshaped(member.parameter, shape)
        whole = tensor.insert_slice(part, whole, [], [], [], where, shape, [1] * len(shape))
    return whole


def _part(first: _Member, stacked: StackedColumns, whole: ir.Value, index: int, member: _Member) -> ir.Value:
    """A member's own result."""
    shape, where = _slice(first, first.result, stacked, index)
    kind = ir.RankedTensorType.get(shape, element_type(whole.type))
    part = tensor.extract_slice(kind, whole, [], [], [], where, shape, [1] * len(shape))
    return reshaped(part, ir.RankedTensorType(member.view.op.result.type).shape)


def _slice(first: _Member, operand: int, stacked: StackedColumns, index: int) -> tuple[list[int], list[int]]:
    """Sizes and offsets of a member's part of an operand."""
    shape = first.shape(operand, stacked.member(index))
    where = [0] * len(shape)
    where[first.column_place(operand) + len(stacked.outer)] = stacked.start(index)
    return shape, where
