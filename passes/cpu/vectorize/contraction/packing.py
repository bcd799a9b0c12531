"""How the rhs of a contraction lies in memory: in panels of columns, plain, or so that no vector can be read.

Panels are [panels, reduction..., columns], or [panels, reduction..., columns, group] for instructions that sum up
groups of neighbouring products in each lane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .....dialects.affine.expressions import divided_dim, used_dims
from .....dialects.affine.maps import compose_map
from .....dialects.host import ir
from .....dialects.structured import Structured
from ....tensor.access import access_kind
from ....tensor.contraction.form import ContractionForm


@dataclass(frozen=True)
class ReductionGroup:
    """Neighbouring points of a reduction iterator that are one step for all lanes.

    Attributes:
        size: how many; the last group is filled up with zeros.
    """

    iterator: int
    size: int

    def steps(self, sizes: Sequence[int | None]) -> tuple[int | None, ...]:
        """Sizes of all iterators, this one's in groups."""
        return tuple(
            -(-size // self.size) if i == self.iterator and size is not None else size
            for i, size in enumerate(sizes)
        )

    def map(self, amap: ir.AffineMap) -> ir.AffineMap:
        """The elements at the first point of each group: in `(n floordiv 32, k floordiv 2, n mod 32, k mod 2)`,
        `(n floordiv 32, k, n mod 32, 0)`."""
        d = ir.AffineDimExpr.get
        dims = [
            ir.AffineExpr.get_mul(d(i), self.size) if i == self.iterator else d(i) for i in range(amap.n_dims)
        ]
        inner = ir.AffineMap.get(amap.n_dims, 0, dims)
        return compose_map(amap, inner)


@dataclass(frozen=True)
class PanelShape:
    """What a packed rhs is divided into: `width` columns each, and groups of the reduction in them, or none."""

    width: int
    group: ReductionGroup | None


def panels_of(view: Structured, form: ContractionForm) -> PanelShape | None:
    """The panels of a packed rhs, as in the map (n floordiv 32, k, n mod 32); None for any other rhs."""
    amap, shape = view.maps[form.rhs], ir.ShapedType(view.inputs[form.rhs].type)
    lanes = len(amap.results) - 1
    group = _group(view, form, amap, shape)
    if group is not None:
        lanes -= 1
    width = _divided(amap, form.column, lanes)
    if width is None or shape.is_dynamic_dim(lanes) or shape.get_dim_size(lanes) != width:
        return None
    return PanelShape(width, group)


def is_readable(view: Structured, form: ContractionForm) -> bool:
    """Whether neighbouring columns lie side by side in the rhs, a buffer."""
    value, amap = view.inputs[form.rhs], view.maps[form.rhs]
    panels = panels_of(view, form)
    if panels is None:
        return access_kind(value, amap, form.column) == "contiguous"
    strides = ir.MemRefType(value.type).get_strides_and_offset()[0]
    if panels.group is not None:
        return strides[-2:] == [panels.group.size, 1]
    return strides[-1] == 1


def _group(
    view: Structured, form: ContractionForm, amap: ir.AffineMap, shape: ir.ShapedType
) -> ReductionGroup | None:
    """Of a rhs whose last dimension is a number of neighbouring points of a reduction."""
    last = len(amap.results) - 1
    for iterator in form.reduction:
        size = _divided(amap, iterator, last)
        if size is None or view.loop_sizes()[iterator] is None or shape.is_dynamic_dim(last):
            continue
        if shape.get_dim_size(last) == size:
            return ReductionGroup(iterator, size)
    return None


def _divided(amap: ir.AffineMap, iterator: int, lanes: int) -> int | None:
    """By what an iterator is divided whose quotient is one dimension and whose remainder is dimension `lanes`."""
    along = [(dim, e) for dim, e in enumerate(amap.results) if iterator in used_dims(e)]
    if len(along) != 2 or along[1][0] != lanes:
        return None
    (_, panel), (_, lane) = along
    if not (isinstance(panel, ir.AffineFloorDivExpr) and isinstance(lane, ir.AffineModExpr)):
        return None
    block = divided_dim(lane)
    return block[1] if block is not None and block == divided_dim(panel) and block[0] == iterator else None
