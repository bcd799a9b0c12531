"""Operations that move a whole tensor: host to fabric, fabric to host, one layout to another.

They act on the global view of a tensor (value semantics): the type never changes, only where the elements
live. `layout` is always where the result lives, or, for `wse.gather`, where the operand lives.
"""

from ..host import ext, ir
from .attributes import LayoutAttr
from .checks import check_layout, check_same_type
from .dialect import Invalid, Op, require
from .read import layout as read_layout


class ScatterOp(Op, name="scatter", traits=[ext.Pure]):
    """Brings a host tensor onto the fabric in the given layout."""

    input: ir.Value[ir.RankedTensorType]
    layout: LayoutAttr
    result: ir.OpResult[ir.RankedTensorType]

    def check(self) -> None:
        check_same_type(self)
        check_layout(self, self.layout, self.result.type)


class GatherOp(Op, name="gather", traits=[ext.Pure]):
    """Takes a tensor, which lives on the fabric as `layout` says, back to the host."""

    input: ir.Value[ir.RankedTensorType]
    layout: LayoutAttr
    result: ir.OpResult[ir.RankedTensorType]

    def check(self) -> None:
        check_same_type(self)
        check_layout(self, self.layout, self.input.type)


class RedistributeOp(Op, name="redistribute", traits=[ext.Pure]):
    """Moves a tensor from `source_layout` to `layout`; rectangle and axes may both change."""

    input: ir.Value[ir.RankedTensorType]
    source_layout: LayoutAttr
    layout: LayoutAttr
    result: ir.OpResult[ir.RankedTensorType]

    def check(self) -> None:
        check_same_type(self)
        check_layout(self, self.source_layout, self.input.type, "source_layout")
        check_layout(self, self.layout, self.result.type)


class TransposeDistributionOp(Op, name="transpose_distribution", traits=[ext.Pure]):
    """Swaps the roles of the two grid axes on a square rectangle: PE (x, y) gives its block to PE (y, x)."""

    input: ir.Value[ir.RankedTensorType]
    source_layout: LayoutAttr
    layout: LayoutAttr
    result: ir.OpResult[ir.RankedTensorType]

    def check(self) -> None:
        check_same_type(self)
        check_layout(self, self.source_layout, self.input.type, "source_layout")
        check_layout(self, self.layout, self.result.type)
        source, target = read_layout(self.source_layout), read_layout(self.layout)
        require(
            source.rect == target.rect and source.rect.w == source.rect.h,
            f"expects both layouts on one square rectangle, got {source.rect} and {target.rect}",
        )
        swapped = tuple({"x": "y", "y": "x", "": ""}[axis] for axis in source.axes)
        if target.axes != swapped:
            raise Invalid(
                f"expects layout axes {list(swapped)} (source axes with x and y swapped), "
                f"got {list(target.axes)}"
            )
