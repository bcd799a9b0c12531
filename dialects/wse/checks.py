"""What verifiers share: attribute values read safely, layouts, and the fields of collectives.

Every function raises `Invalid` with what is wrong and what is expected. Checks that run for every vector
operation write their message only when it is needed: printing a map costs more than checking it.
"""

import re

from ...wse_target.image import DTYPE_BYTES
from ...wse_target.layout import AXES, WHOLE, Layout
from ..host import ir
from . import read
from .attributes import LayoutAttr
from .dialect import Invalid, listed, require

REDUCTIONS = ("add", "mul", "max", "min")
_ALGORITHM = re.compile(r"[A-Za-z_][\w-]*(\{\s*([\w-]+=[^\s{}=]+)?(\s+[\w-]+=[^\s{}=]+)*\s*\})?")


def integer(attribute: ir.Attribute, what: str) -> int:
    """The value of a 64-bit integer attribute."""
    if not isinstance(attribute, ir.IntegerAttr) or str(attribute.type) != "i64":
        raise Invalid(f"expects {what} to be a 64-bit integer, got {attribute}")
    return attribute.value


def flag(attribute: ir.Attribute, what: str) -> bool:
    """The value of a 0 / 1 attribute."""
    value = integer(attribute, what)
    require(value in (0, 1), f"expects {what} to be 0 or 1, got {value}")
    return bool(value)


def integers(array: ir.Attribute, what: str) -> tuple[int, ...]:
    """The values of an array of 64-bit integers."""
    return tuple(integer(item, f"each of {what}") for item in ir.ArrayAttr(array))


def pair(array: ir.Attribute, what: str) -> tuple[int, int]:
    """An array of exactly two integers, (x, y)."""
    values = integers(array, what)
    if len(values) != 2:
        raise Invalid(f"expects {what} to be two integers, [x, y], got {len(values)}")
    return values[0], values[1]


def strings(array: ir.Attribute, what: str) -> tuple[str, ...]:
    """The values of an array of strings."""
    for item in ir.ArrayAttr(array):
        require(isinstance(item, ir.StringAttr), f"expects {what} to be strings, got {item}")
    return read.strings(array)


def maps(array: ir.Attribute, what: str) -> tuple[ir.AffineMap, ...]:
    """The values of an array of affine maps."""
    for item in ir.ArrayAttr(array):
        if not isinstance(item, ir.AffineMapAttr):
            raise Invalid(f"expects {what} to be affine maps, got {item}")
    return read.maps(array)


def one_of(attribute: ir.StringAttr, what: str, choices: tuple[str, ...]) -> str:
    """The value of a string attribute that must be one of `choices`."""
    value = attribute.value
    if value not in choices:
        raise Invalid(f"has unknown {what} '{value}'; expected one of {listed(choices)}")
    return value


def check_element_type(element: ir.Type, what: str) -> None:
    """A PE computes with these element types only."""
    if str(element) not in DTYPE_BYTES:
        raise Invalid(f"has {what} of element type {element}; expected one of {listed(DTYPE_BYTES)}")


def check_same_type(op: ir.OpView) -> None:
    """Tensors are global views: moving them never changes their type."""
    before, after = op.operands[0].type, op.results[0].type
    require(before == after, f"expects operand and result of one type, got {before} and {after}")
    check_element_type(after.element_type, "a tensor")


def check_layout(op: ir.OpView, layout: ir.Attribute, tensor: ir.Type, what: str = "layout") -> Layout:
    """The layout is well formed, fits the tensor's rank, and lies on the program's grid when that is known."""
    axes = strings(LayoutAttr(layout).params[0], f"axes of {what}")
    for axis in axes:
        require(
            axis in (*AXES, WHOLE),
            f"has unknown axis '{axis}' in {what}; expected one of {listed((*AXES, WHOLE))}",
        )
    split = [axis for axis in axes if axis]
    require(len(set(split)) == len(split), f"uses a grid axis twice in {what}: {list(axes)}")
    rank = ir.ShapedType(tensor).rank
    require(len(axes) == rank, f"has {len(axes)} axes in {what} for a tensor of rank {rank}; expected {rank}")
    value = read.layout(layout)
    rect = value.rect
    require(rect.w > 0 and rect.h > 0, f"has an empty rectangle in {what}: {rect}; expected w and h above 0")
    require(rect.x0 >= 0 and rect.y0 >= 0, f"has a rectangle off the grid in {what}: {rect}")
    grid = known_grid(op)
    if grid is not None:
        require(
            rect.x0 + rect.w <= grid[0] and rect.y0 + rect.h <= grid[1],
            f"has a rectangle of {rect} in {what}, outside the program's grid of {grid[0]} x {grid[1]}",
        )
    return value


def known_grid(op: ir.OpView | ir.Operation) -> tuple[int, int] | None:
    """Width and height of the program that the operation's module holds; None without one."""
    parent = op.operation
    while parent.parent is not None:
        parent = parent.parent.operation
    if parent.name != "builtin.module":
        return None
    for symbol in parent.regions[0].blocks[0].operations:
        if symbol.operation.name == "wse.program":
            try:
                return pair(symbol.operation.attributes["grid"], "grid")
            except (Invalid, KeyError, ValueError):  # its own verifier reports that
                return None
    return None


def check_axis(axis: ir.StringAttr) -> str:
    """A grid axis that PEs communicate along."""
    return one_of(axis, "axis", AXES)


def check_kind(kind: ir.StringAttr) -> str:
    """How partial results are combined."""
    return one_of(kind, "kind", REDUCTIONS)


def check_algorithm(algorithm: ir.StringAttr) -> None:
    """`name{option=value ...}`, or nothing."""
    text = algorithm.value
    require(
        not text or _ALGORITHM.fullmatch(text),
        f"has malformed algorithm '{text}'; expected the form name{{option=value ...}}, or \"\" for any",
    )


def check_replicated(layout: ir.Attribute, axis: ir.StringAttr) -> None:
    """What PEs along `axis` combine or copy is the same block: the axis must not split the tensor."""
    name = check_axis(axis)
    dim = read.layout(layout).dim_of(name)
    require(
        dim is None,
        f"communicates whole blocks along '{name}', but the layout splits dimension {dim} over it; "
        f"expected an axis that no dimension names",
    )


def check_root(layout: ir.Attribute, axis: ir.StringAttr, root: ir.Attribute) -> None:
    """The root is a position on the line of PEs along `axis`."""
    extent, position = read.layout(layout).axis_extent(axis.value), integer(root, "root")
    require(
        0 <= position < extent, f"has root {position} on a line of {extent} PEs; expected 0 to {extent - 1}"
    )


def check_dim(dim: ir.Attribute, tensor: ir.Type) -> None:
    """A dimension of the tensor."""
    position, rank = integer(dim, "dim"), ir.ShapedType(tensor).rank
    require(0 <= position < rank, f"has dim {position} for a tensor of rank {rank}")


def check_relayout(op: ir.OpView, *, split: ir.Attribute, whole: ir.Attribute) -> None:
    """The two layouts differ in one thing: `split` cuts dimension `dim` over `axis`, `whole` does not."""
    axis, dim = check_axis(ir.StringAttr(op.attributes["axis"])), read.integer(op.attributes["dim"])
    cut, full = read.layout(split), read.layout(whole)
    require(cut.rect == full.rect, f"expects both layouts on one rectangle, got {cut.rect} and {full.rect}")
    require(cut.axes[dim] == axis, f"expects dimension {dim} split over '{axis}', got axes {list(cut.axes)}")
    expected = [WHOLE if k == dim else name for k, name in enumerate(cut.axes)]
    require(
        list(full.axes) == expected,
        f"expects the layout without the split to have axes {expected}, got {list(full.axes)}",
    )
