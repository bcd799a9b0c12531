"""`wse-stack-products`: products of one tensor with several parameters are one product with all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from ....dialects.affine.expressions import dim_position
from ....dialects.affine.maps import distinct_dims
from ....dialects.host import ir, linalg, tensor
from ....dialects.structured import (
    PARALLEL,
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
from .factors import product_factors
from .stacked_columns import StackedColumns, stack


class StackProducts(Pass, name="wse-stack-products", anchor="func.func"):
    """Makes one product of those that multiply the same tensor by parameters.

    Queries, keys and values of an attention, or the two halves of a gated layer, read the same rows. As one product
    these are brought to where they are needed once, and partial sums are added up in one go, which takes hardly longer
    for more columns where a line of processing elements is long. Columns lie side by side along a dimension of their
    own between those that all members have. Only parameters are stacked: that is done once, when they are bound.

        %g = linalg.generic {maps = [(n, k) -> (k), (n, k) -> (n, k), (n, k) -> (n)]} ins(%x, %v : .., tensor<6x8xf32>)
        %u = linalg.generic {maps = [(n, k) -> (k), (n, k) -> (n, k), (n, k) -> (n)]} ins(%x, %w : .., tensor<6x8xf32>)
    becomes
        %s = tensor.insert_slice .. (%v and %w as tensor<2x6x8xf32>)
        %p = linalg.generic {maps = [(s, n, k) -> (k), (s, n, k) -> (s, n, k), (s, n, k) -> (s, n)]} ins(%x, %s)
        %g = tensor.extract_slice %p[0, 0] [1, 6] ..
        %u = tensor.extract_slice %p[1, 0] [1, 6] ..
    """

    def run(self, op: ir.Operation, run: PassRun) -> None:
        entry = op.regions[0].blocks[0]
        parameters = {entry.arguments[k] for k in arguments_of_kind(op.opview, PARAMETER)}
        for block in tensor_blocks(op):
            groups: dict[Hashable, list[_Product]] = defaultdict(list)
            for inner in block.operations:
                product = _product(structured(inner), parameters)
                if product is not None:
                    groups[product.kind].append(product)
            for members in groups.values():
                stacked = stack([m.column_sizes for m in members])
                if len(members) > 1 and stacked is not None:
                    with ir.InsertionPoint(members[0].view.op), members[0].view.op.location:
                        _stack(members, stacked)
                    run.count("products that are stacked", len(members))


@dataclass(frozen=True)
class _Product:
    """A product of a tensor and a parameter, whose columns follow each other in the parameter and in the result.

    Attributes:
        weights: which input the parameter is; parameter: before it was reshaped.
        columns: loops of the parameter alone, in the order of both.
        kind: what products have in common that can be stacked.
    """

    view: Structured
    weights: int
    parameter: ir.Value
    columns: tuple[int, ...]
    kind: Hashable

    @property
    def column_sizes(self) -> tuple[int, ...]:
        sizes = self.view.fixed_sizes()
        return tuple(sizes[loop] for loop in self.columns)

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


def _product(view: Structured | None, parameters: set[ir.Value]) -> _Product | None:
    factors = product_factors(view) if view is not None else None
    start = uniform_scalar(_unshaped(view.inits[0])) if view is not None and factors else None
    if view is None or factors is None or start is None:
        return None
    sources = [_unshaped(value) for value in view.inputs]
    weights = [k for k, source in enumerate(sources) if source in parameters]
    if len(weights) != 1 or not all(_is_static(v.type) for v in view.operands):
        return None
    (matrix,) = weights
    data = 1 - matrix
    dims = [distinct_dims(m.results) for m in view.maps]
    if any(found is None or len(found) != len(m.results) for found, m in zip(dims, view.maps, strict=True)):
        return None
    read, held, made = (dims[k] or [] for k in (data, matrix, 2))
    columns = tuple(loop for loop in made if loop not in read)
    rows = [loop for loop in made if loop in read]
    if not columns or set(rows) & set(held) or {*read, *columns} != set(range(len(view.iterators))):
        return None
    places = tuple(_places(loops, columns, read) for loops in (held, made))
    if None in places:
        return None
    types = tuple(str(element_type(v.type)) for v in view.operands)
    steps = tuple(factor.steps for factor in factors)
    return _Product(
        view, matrix, sources[matrix], columns, (view.inputs[data], start, matrix, types, str(steps), places)
    )


def _unshaped(value: ir.Value) -> ir.Value:
    """What a value was before it was reshaped."""
    while isinstance(value.owner, tensor.ExpandShapeOp | tensor.CollapseShapeOp):
        value = value.owner.src
    return value


def _is_static(kind: ir.Type) -> bool:
    return isinstance(kind, ir.RankedTensorType) and kind.has_static_shape


def _places(loops: Sequence[int], columns: Sequence[int], read: Sequence[int]) -> tuple[int, ...] | None:
    """Where data has the dimensions of an operand, -1 for all columns; None where these do not follow each other."""
    first = loops.index(columns[0]) if columns[0] in loops else -1
    end = first + len(columns)
    if first < 0 or tuple(loops[first:end]) != tuple(columns):
        return None
    return (*(read.index(n) for n in loops[:first]), -1, *(read.index(n) for n in loops[end:]))


def _stack(members: Sequence[_Product], stacked: StackedColumns) -> None:
    """One product in the place of the first member; of its result all of them are slices."""
    first = members[0]
    view, kind = first.view, element_type(first.view.inits[0].type)
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
    inputs[first.weights] = _side_by_side(members, stacked)
    empty = tensor.EmptyOp(first.shape(2, stacked.sizes), kind).result
    start = linalg.fill(uniform_scalar(_unshaped(view.inits[0])), outs=[empty])
    made = rebuild_generic(view, inputs=inputs, inits=[start], maps=maps, iterators=iterators)
    results: list[ir.Value] = []
    for index, member in enumerate(members):
        shape = first.shape(2, stacked.member(index))
        where = [0] * len(shape)
        where[first.column_place(2) + len(stacked.outer)] = stacked.start(index)
        part = tensor.extract_slice(
            ir.RankedTensorType.get(shape, kind), made.result, [], [], [], where, shape, [1] * len(shape)
        )
        results.append(reshaped(part, ir.RankedTensorType(member.view.op.result.type).shape))
    for member, result in zip(members, results, strict=True):
        replace_op(member.view.op, [result])


def _loops(first: _Product, count: int) -> tuple[list[list[int]], list[str]]:
    """The loops that each loop of a member becomes, columns in the place of the first one; what all loops are."""
    loops: list[list[int]] = []
    iterators: list[str] = []
    for loop, what in enumerate(first.view.iterators):
        new = [PARALLEL] * count if loop == first.columns[0] else [] if loop in first.columns else [what]
        loops.append(list(range(len(iterators), len(iterators) + len(new))))
        iterators += new
    return loops, iterators


def _side_by_side(members: Sequence[_Product], stacked: StackedColumns) -> ir.Value:
    """The parameters of all members as one tensor."""
    first = members[0]
    operand = first.weights
    kind = element_type(first.view.inputs[operand].type)
    whole: ir.Value = tensor.EmptyOp(first.shape(operand, stacked.sizes), kind).result
    for index, member in enumerate(members):
        shape = first.shape(operand, stacked.member(index))
        where = [0] * len(shape)
        where[first.column_place(operand) + len(stacked.outer)] = stacked.start(index)
        part = reshaped(member.parameter, shape)
        whole = tensor.insert_slice(part, whole, [], [], [], where, shape, [1] * len(shape))
    return whole
