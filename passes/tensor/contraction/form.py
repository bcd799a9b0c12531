"""Recognises contractions among `linalg.generic`s and says what role each of their iterators plays.

A contraction sums up products of two operands: matrix products, convolutions, attention's scores. Code for it reads
one operand, the rhs, in vectors along a `column` and broadcasts single elements of the other, the lhs. It works on
tensors and buffers alike, and on packed operands, whose maps are quasi-affine: (n floordiv 32, k, n mod 32).
"""

from dataclasses import dataclass

from ....dialects.affine.expressions import dim_position
from ....dialects.affine.maps import map_dims
from ....dialects.host import ir
from ....dialects.structured import PARALLEL, Structured, element_type
from .factors import product_factors

_FEWEST_COLUMNS = (
    4  # below, dot products along the reduction use more of a vector than columns side by side do
)


@dataclass(frozen=True)
class ContractionForm:
    """What the operands and iterators of a contraction are to it.

    Attributes:
        lhs / rhs: operand numbers; the lhs is broadcast as scalars, the rhs is read in vectors along `column`.
        batch: parallel iterators that both depend on; rows: those of the lhs alone; columns: those of the rhs alone.
        reduction: the iterators that are summed over.
        column: that of `columns` which is innermost in the result.
    """

    lhs: int
    rhs: int
    batch: tuple[int, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    reduction: tuple[int, ...]
    column: int


def contraction_form(view: Structured) -> ContractionForm | None:
    """The form of a sum of products, or None when the operation is something else.

    The result's innermost dimension of more than one element decides which operand is the rhs: it is the one that
    alone depends on it. Where both do, as in depthwise convolutions, or where there are fewer than four columns, there
    is nothing to gain from the form and the answer is None.
    """
    if not is_multiply_add(view):
        return None
    column = _innermost(view)
    if column is None:
        return None
    used = [frozenset(map_dims(amap)) for amap in view.input_maps]
    if (column in used[0]) == (column in used[1]):
        return None
    rhs = 1 if column in used[1] else 0
    parallel = [i for i, kind in enumerate(view.iterators) if kind == PARALLEL]
    reduction = tuple(i for i, kind in enumerate(view.iterators) if kind != PARALLEL)
    if not reduction or any(i not in used[0] | used[1] for i in parallel):
        return None
    if not any(i in used[0] & used[1] for i in reduction):
        return None
    return ContractionForm(
        lhs=1 - rhs,
        rhs=rhs,
        batch=tuple(i for i in parallel if i in used[0] & used[1]),
        rows=tuple(i for i in parallel if i not in used[rhs]),
        columns=tuple(i for i in parallel if i not in used[1 - rhs]),
        reduction=reduction,
        column=column,
    )


def _innermost(view: Structured) -> int | None:
    """The iterator of the result's last dimension of more than one element; None when it is no candidate."""
    dims = [dim_position(e) for e in view.init_maps[0].results]
    parallel = [i for i, kind in enumerate(view.iterators) if kind == PARALLEL]
    positions = [d for d in dims if d is not None]
    if len(positions) != len(dims) or sorted(positions) != parallel:
        return None  # a constant, a compound subscript or a diagonal
    sizes = view.loop_sizes()
    for position in reversed(positions):
        size = sizes[position]
        if size != 1:
            return position if size is None or size >= _FEWEST_COLUMNS else None
    return None


def is_multiply_add(view: Structured) -> bool:
    """Whether the body is that of a sum of products and all operands are in memory."""
    if any(not isinstance(v.type, (ir.MemRefType, ir.RankedTensorType)) for v in view.operands):
        return False
    return product_factors(view) is not None and _is_number(view)


def _is_number(view: Structured) -> bool:
    """Whether results are floats or integers of whole bytes: bits have no lanes in memory."""
    kind = element_type(view.inits[0].type)
    if isinstance(kind, ir.IntegerType):
        return kind.width in (8, 16, 32, 64)
    return isinstance(kind, (ir.F16Type, ir.BF16Type, ir.F32Type, ir.F64Type))
