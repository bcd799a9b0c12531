"""Which element of which buffer an operand is, in terms of the iterators of a contraction.

Reshapes between a contraction and the operations after it do not move anything: `%t` of type [128, 768], written at
(m, n), is what `%u`, its expansion to [1, 128, 768], holds at (0, m, n). Accesses are therefore stated for the buffer
before it was reshaped, so that equal elements have equal accesses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod

from .....dialects.affine.expressions import used_dims
from .....dialects.affine.linear import coefficient, index_sum
from .....dialects.affine.maps import compose_map
from .....dialects.host import ir
from .....dialects.reshapes import reassociation
from .....dialects.structured import Structured

_MOST_LOOPS = 64
Exprs = tuple[ir.AffineExpr, ...]


@dataclass(frozen=True)
class BufferElement:
    """An element of a buffer: subscripts over the iterators of a contraction.

    Attributes:
        buffer: a memref that is no reshape of another one, or a scalar, which has no subscripts.
    """

    buffer: ir.Value
    subscripts: Exprs

    def map(self, loops: int) -> ir.AffineMap:
        return ir.AffineMap.get(loops, 0, list(self.subscripts))


def access_of(value: ir.Value, subscripts: Sequence[ir.AffineExpr]) -> BufferElement:
    """The access that `value[subscripts]` is."""
    exprs = tuple(subscripts)
    while isinstance(value.type, ir.MemRefType) and not isinstance(value.owner, ir.Block):
        op = value.owner
        if op.name == "memref.expand_shape":
            before = _before_expansion(op, exprs)
        elif op.name == "memref.collapse_shape":
            before = _before_collapse(op, exprs)
        else:
            break
        if before is None:
            break
        value, exprs = op.operands[0], before
    return BufferElement(value, exprs)


def own_subscripts(view: Structured, operand: int, sizes: Sequence[int | None]) -> Exprs:
    """An operand's subscripts over the operation's own iterators; those of one point are zero."""
    zero = ir.AffineConstantExpr.get(0)
    dims = [zero if size == 1 else ir.AffineDimExpr.get(i) for i, size in enumerate(sizes)]
    return rename(view.maps[operand].results, dims)


def rename(exprs: Sequence[ir.AffineExpr], dims: Sequence[ir.AffineExpr]) -> Exprs:
    """The expressions with each dimension replaced."""
    found = ir.AffineMap.get(len(dims), 0, list(exprs))
    return tuple(compose_map(found, ir.AffineMap.get(_loops(dims), 0, list(dims))).results)


def typed(exprs: Sequence[ir.AffineExpr]) -> Exprs:
    """The same expressions as objects of their own classes: arithmetic on expressions gives any class."""
    # a map wants to know how many dimensions there are; too many do no harm
    return tuple(ir.AffineMap.get(_MOST_LOOPS, 0, list(exprs)).results)


def _loops(exprs: Sequence[ir.AffineExpr]) -> int:
    return 1 + max((d for e in exprs for d in used_dims(e)), default=-1)


def solve(found: Exprs, wanted: Exprs, sizes: Sequence[int | None]) -> list[ir.AffineExpr] | None:
    """What the iterators of `found` have to be, so that it is the same element as `wanted`; None if unknown.

    Iterators of one point are zero. A subscript is a plain iterator, a constant, or a row-major number made of
    several iterators, as in `d0 * 128 + d1`.
    """
    solution: dict[int, ir.AffineExpr] = {}
    for mine, theirs in zip(found, wanted, strict=True):
        used = sorted(used_dims(mine))
        if not used:
            if mine != theirs:
                return None
            continue
        weights = {i: coefficient(mine, i) for i in used}
        inner = 1
        for iterator in sorted(used, key=lambda i: weights[i] or 0):
            size = sizes[iterator]
            if weights[iterator] != inner or iterator in solution:
                return None
            part = theirs if inner == 1 else ir.AffineExpr.get_floor_div(theirs, inner)
            last = iterator == max(used, key=lambda i: weights[i] or 0)
            if not last and size is None:
                return None
            solution[iterator] = part if last else ir.AffineExpr.get_mod(part, size or 1)
            inner *= size or 1
        if index_sum(mine).constant:
            return None
    zero = ir.AffineConstantExpr.get(0)
    if any(i not in solution and size != 1 for i, size in enumerate(sizes)):
        return None
    return list(typed([solution.get(i, zero) for i in range(len(sizes))]))


def _before_expansion(op: ir.OpView, exprs: Exprs) -> Exprs | None:
    """Subscripts of what was expanded: row-major numbers of each group's subscripts."""
    shape = ir.MemRefType(op.results[0].type)
    result: list[ir.AffineExpr] = []
    for group in reassociation(op):
        if any(shape.is_dynamic_dim(d) for d in group[1:]):
            return None
        total: ir.AffineExpr = ir.AffineConstantExpr.get(0)
        for number, dim in enumerate(group):
            inner = prod(shape.get_dim_size(d) for d in group[number + 1 :])
            total = total + exprs[dim] * inner
        result.append(total)
    return typed(result)


def _before_collapse(op: ir.OpView, exprs: Exprs) -> Exprs | None:
    """Subscripts of what was collapsed: quotients and remainders, plain where all but one dimension are one."""
    shape = ir.MemRefType(op.operands[0].type)
    zero: ir.AffineExpr = ir.AffineConstantExpr.get(0)
    result: list[ir.AffineExpr] = []
    if not exprs:
        return typed([zero] * shape.rank)  # a single element, which no group of dimensions stands for
    for expr, group in zip(exprs, reassociation(op), strict=True):
        wide = [d for d in group if shape.is_dynamic_dim(d) or shape.get_dim_size(d) != 1]
        if any(shape.is_dynamic_dim(d) for d in wide[1:]):
            return None
        for dim in group:
            if dim not in wide:
                result.append(zero)
                continue
            inner = prod(shape.get_dim_size(d) for d in wide if d > dim)
            part = expr if inner == 1 else ir.AffineExpr.get_floor_div(expr, inner)
            outermost = dim == wide[0]
            result.append(part if outermost else ir.AffineExpr.get_mod(part, shape.get_dim_size(dim)))
    return typed(result)
