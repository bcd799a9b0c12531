"""What verifiers share: attribute values read safely, layouts, and the fields of collectives.

Every function raises `Invalid` with what is wrong and what is expected. Checks that run for every vector
operation write their message only when it is needed: printing a map costs more than checking it.
"""

import re

from ...wse_target.errors import TargetError
from ...wse_target.instructions import DTYPE_BYTES
from ...wse_target.layout.algebra import gathered
from ...wse_target.layout.mesh import Mesh
from ...wse_target.layout.tensor_layout import TensorLayout
from ...wse_target.layout.text import layout_text
from ..host import ir
from . import read
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


def check_layout(op: ir.OpView, layout: ir.Attribute, tensor: ir.Type, what: str = "layout") -> TensorLayout:
    """The layout is well formed, one of such a tensor, and on the program's grid when that is known."""
    try:
        value = read.layout(layout, tensor)
    except TargetError as error:
        hint = f"; expected a text {error.hint}" if error.hint else ""
        raise Invalid(f"has a {what} that is none: {error.message}{hint}") from None
    rect, grid = value.mesh.rect, known_grid(op)
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


def check_axis(axis: ir.StringAttr, mesh: Mesh) -> str:
    """A sub-axis of the mesh that PEs communicate along."""
    return one_of(axis, "axis", mesh.lines)


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


def check_replicated(layout: TensorLayout, axis: ir.StringAttr) -> None:
    """What PEs along `axis` combine or copy is the same block: the axis must not split the tensor."""
    name = check_axis(axis, layout.mesh)
    dim = next((k for k in map(layout.dim_of, name.split()) if k is not None), None)
    require(
        dim is None,
        f"communicates whole blocks along '{name}', but the layout splits dimension {dim} over it; "
        f"expected an axis that no dimension names",
    )


def check_root(layout: TensorLayout, axis: ir.StringAttr, root: ir.Attribute) -> None:
    """The root is a position on the line of PEs along `axis`."""
    extent, position = layout.mesh[axis.value].extent, integer(root, "root")
    require(
        0 <= position < extent, f"has root {position} on a line of {extent} PEs; expected 0 to {extent - 1}"
    )


def check_dim(dim: ir.Attribute, tensor: ir.Type) -> None:
    """A dimension of the tensor."""
    position, rank = integer(dim, "dim"), ir.ShapedType(tensor).rank
    require(0 <= position < rank, f"has dim {position} for a tensor of rank {rank}")


def check_relayout(op: ir.OpView, *, split: TensorLayout, whole: TensorLayout) -> None:
    """The two layouts differ in one thing: `split` cuts dimension `dim` over `axis`, `whole` does not."""
    require(split.mesh == whole.mesh, f"expects both layouts on one mesh, got {split.mesh} and {whole.mesh}")
    axis, dim = (
        check_axis(ir.StringAttr(op.attributes["axis"]), split.mesh),
        read.integer(op.attributes["dim"]),
    )
    require(
        axis in split.dims[dim].axes, f"expects dimension {dim} split over '{axis}', got {layout_text(split)}"
    )
    expected = gathered(split, axis)
    require(
        expected is not None and whole.simplified() == expected.simplified(),
        f"expects the layout without the split to be {expected and layout_text(expected)}, got {layout_text(whole)}",
    )
