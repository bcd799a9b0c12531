"""Communication between the PEs of one rectangle, on the global view of a distributed tensor.

`algorithm` names how it is done, as `name{option=value ...}`; "" leaves the choice to the lowering.
`axis` is the sub-axis of the mesh along which PEs talk; every line of PEs along it does the same on its own.
"""

from ..host import ext, ir
from .attributes import LayoutAttr
from .checks import (
    check_algorithm,
    check_axis,
    check_dim,
    check_kind,
    check_layout,
    check_relayout,
    check_replicated,
    check_root,
    check_same_type,
    flag,
    integer,
    integers,
)
from .dialect import Op, require


class AllReduceOp(Op, name="all_reduce", traits=[ext.Pure]):
    """Combines the partial results held along `axis`; every PE gets the whole result."""

    input: ir.Value[ir.RankedTensorType]
    axis: ir.StringAttr
    kind: ir.StringAttr
    algorithm: ir.StringAttr
    layout: LayoutAttr
    result: ir.OpResult[ir.RankedTensorType]

    def check(self) -> None:
        check_same_type(self)
        check_kind(self.kind)
        check_algorithm(self.algorithm)
        check_replicated(check_layout(self, self.layout, self.result.type), self.axis)


class ReduceOp(Op, name="reduce", traits=[ext.Pure]):
    """Combines the partial results held along `axis` on the PE at position `root` of each line."""

    input: ir.Value[ir.RankedTensorType]
    axis: ir.StringAttr
    kind: ir.StringAttr
    root: ir.IntegerAttr
    algorithm: ir.StringAttr
    layout: LayoutAttr
    result: ir.OpResult[ir.RankedTensorType]

    def check(self) -> None:
        check_same_type(self)
        check_kind(self.kind)
        check_algorithm(self.algorithm)
        layout = check_layout(self, self.layout, self.result.type)
        check_replicated(layout, self.axis)
        check_root(layout, self.axis, self.root)


class BroadcastOp(Op, name="broadcast", traits=[ext.Pure]):
    """Gives every PE along `axis` the block of the PE at position `root`."""

    input: ir.Value[ir.RankedTensorType]
    axis: ir.StringAttr
    root: ir.IntegerAttr
    algorithm: ir.StringAttr
    layout: LayoutAttr
    result: ir.OpResult[ir.RankedTensorType]

    def check(self) -> None:
        check_same_type(self)
        check_algorithm(self.algorithm)
        layout = check_layout(self, self.layout, self.result.type)
        check_replicated(layout, self.axis)
        check_root(layout, self.axis, self.root)


class AllGatherOp(Op, name="all_gather", traits=[ext.Pure]):
    """Makes tensor dimension `dim`, split along `axis` in `source_layout`, whole on every PE of the line."""

    input: ir.Value[ir.RankedTensorType]
    axis: ir.StringAttr
    dim: ir.IntegerAttr
    algorithm: ir.StringAttr
    source_layout: LayoutAttr
    layout: LayoutAttr
    result: ir.OpResult[ir.RankedTensorType]

    def check(self) -> None:
        check_same_type(self)
        check_algorithm(self.algorithm)
        source = check_layout(self, self.source_layout, self.input.type, "source_layout")
        target = check_layout(self, self.layout, self.result.type)
        check_dim(self.dim, self.input.type)
        check_relayout(self, split=source, whole=target)


class ReduceScatterOp(Op, name="reduce_scatter", traits=[ext.Pure]):
    """Combines partial results along `axis` and leaves dimension `dim` split along it."""

    input: ir.Value[ir.RankedTensorType]
    axis: ir.StringAttr
    kind: ir.StringAttr
    dim: ir.IntegerAttr
    algorithm: ir.StringAttr
    source_layout: LayoutAttr
    layout: LayoutAttr
    result: ir.OpResult[ir.RankedTensorType]

    def check(self) -> None:
        check_same_type(self)
        check_kind(self.kind)
        check_algorithm(self.algorithm)
        source = check_layout(self, self.source_layout, self.input.type, "source_layout")
        target = check_layout(self, self.layout, self.result.type)
        check_dim(self.dim, self.input.type)
        check_relayout(self, split=target, whole=source)


class ShiftOp(Op, name="shift", traits=[ext.Pure]):
    """Every PE gets the block of the PE `distance` before it along `axis` (after it when negative).

    With `wrap` = 1 the line is a ring (Cannon's algorithm); with 0 PEs without a source get zeros.
    """

    input: ir.Value[ir.RankedTensorType]
    axis: ir.StringAttr
    distance: ir.IntegerAttr
    wrap: ir.IntegerAttr
    layout: LayoutAttr
    result: ir.OpResult[ir.RankedTensorType]

    def check(self) -> None:
        check_same_type(self)
        mesh = check_layout(self, self.layout, self.result.type).mesh
        axis = check_axis(self.axis, mesh)
        flag(self.wrap, "wrap")
        distance, extent = integer(self.distance, "distance"), mesh[axis].extent
        require(distance != 0, "expects a distance other than 0")
        require(
            abs(distance) < extent,
            f"shifts by {distance} along '{axis}', which has {extent} PEs; expected less than {extent}",
        )


class HaloExchangeOp(Op, name="halo_exchange", traits=[ext.Pure]):
    """Adds to every block of `layout` margins: `low[k]` elements before and `high[k]` after it in dim k.

    They come from the PEs that hold them: neighbours, if their blocks are large enough.
    """

    input: ir.Value[ir.RankedTensorType]
    low: ir.ArrayAttr
    high: ir.ArrayAttr
    layout: LayoutAttr
    result: ir.OpResult[ir.RankedTensorType]

    def check(self) -> None:
        check_same_type(self)
        layout = check_layout(self, self.layout, self.result.type)
        for name, widths in (("low", integers(self.low, "low")), ("high", integers(self.high, "high"))):
            require(
                len(widths) == len(layout.dims),
                f"has {len(widths)} {name} widths for a tensor of rank {len(layout.dims)}",
            )
            for dim, width in enumerate(widths):
                require(width >= 0, f"has a negative {name} width {width} in dimension {dim}")
                require(
                    width == 0 or layout.dims[dim].axes,
                    f"has a {name} width {width} in dimension {dim}, which no grid axis splits; expected 0",
                )
