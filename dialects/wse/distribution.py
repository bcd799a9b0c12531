"""Operations that move a whole tensor: host to fabric, fabric to host, one layout to another.

They act on the global view of a tensor (value semantics): the type never changes, only where the elements
live. `layout` is always where the result lives, or, for `wse.gather`, where the operand lives.
"""

from ...wse_target.layout.algebra import renamed
from ...wse_target.layout.text import layout_text
from ..host import ext, ir
from .attributes import LayoutAttr
from .checks import check_layout, check_same_type, integer, strings
from .dialect import Invalid, Op, require


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
    """Moves a tensor from `source_layout` to `layout`.

    `steps` says how, one text for each: `all_gather along x by multicast to [y:4/2, -]`, where the layout may be left
    out; without any the lowering chooses.
    """

    input: ir.Value[ir.RankedTensorType]
    source_layout: LayoutAttr
    layout: LayoutAttr
    steps: ir.ArrayAttr
    result: ir.OpResult[ir.RankedTensorType]

    def check(self) -> None:
        check_same_type(self)
        strings(self.steps, "steps")
        check_layout(self, self.source_layout, self.input.type, "source_layout")
        check_layout(self, self.layout, self.result.type)


class StreamInOp(Op, name="stream_in", traits=[ext.Pure]):
    """Takes a value from the region to the west: every PE has what the last PE of its row there sent.

    `rows` is the dimension that the rows have blocks of; -1: every row has the whole.
    """

    input: ir.Value[ir.RankedTensorType]
    rows: ir.IntegerAttr
    result: ir.OpResult[ir.RankedTensorType]

    def check(self) -> None:
        check_same_type(self)
        rows, rank = integer(self.rows, "rows"), self.input.type.rank
        require(
            -1 <= rows < rank, f"expects rows to be a dimension or -1, got {rows} for a tensor of rank {rank}"
        )


class StreamOutOp(Op, name="stream_out", traits=[ext.Pure]):
    """Hands a value to the region to the east: the last PE of each row sends what its row has."""

    input: ir.Value[ir.RankedTensorType]
    result: ir.OpResult[ir.RankedTensorType]

    def check(self) -> None:
        check_same_type(self)


class TransposeDistributionOp(Op, name="transpose_distribution", traits=[ext.Pure]):
    """Swaps the roles of the two grid axes on a square rectangle: PE (x, y) gives its block to PE (y, x)."""

    input: ir.Value[ir.RankedTensorType]
    source_layout: LayoutAttr
    layout: LayoutAttr
    result: ir.OpResult[ir.RankedTensorType]

    def check(self) -> None:
        check_same_type(self)
        source = check_layout(self, self.source_layout, self.input.type, "source_layout")
        target = check_layout(self, self.layout, self.result.type)
        rect = source.mesh.rect
        require(
            rect == target.mesh.rect and rect.w == rect.h and source.mesh.names == ("x", "y"),
            f"expects both layouts on one square rectangle, got {source.mesh} and {target.mesh}",
        )
        expected = renamed(source, {"x": "y", "y": "x"})
        if target.dims != expected.dims:
            raise Invalid(
                f"expects layout {layout_text(expected)}, x and y of source_layout swapped, got {layout_text(target)}"
            )
