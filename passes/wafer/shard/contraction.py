"""Recognises matrix products among `linalg.generic`s, and says which layout a library's product gives its tensors.

A product is C[b, m, n] = sum over k of A[b, m, k] * B[b, k, n], each tensor's dimensions in any order; the batch, m and
n may be absent. A product in which one side has no free dimension is a matvec: A is then the vector.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from ....dialects.affine.expressions import dim_position
from ....dialects.host import ir
from ....dialects.structured import REDUCTION, Structured
from ....wse_target.instructions import DTYPE_BYTES
from ....wse_target.layout.mesh import Mesh
from ....wse_target.layout.tensor_layout import TensorLayout
from ....wse_target.machine import Machine
from ....wse_target.quasi_affine import Expr
from ..algorithms.fragment import Held, ProductRequest
from ..scalars.body import dtype_name
from ..scalars.values import Operand, ScalarBody, ScalarValue, Temp
from .nodes import Compute
from .operand_layouts import wide_axes


@dataclass(frozen=True)
class ProductOperand:
    """One tensor of a product.

    Attributes:
        operand: its position among the generic's operands.
        dims: tensor dimension of each of the library's dimensions ((b,) m, k for A), None where it has none.
    """

    operand: int
    dims: tuple[int | None, ...]


@dataclass(frozen=True)
class Contraction:
    """A matrix product.

    Attributes:
        operation: "matmul" or "matvec".
        sizes: m, k, n, and the batch (0 for none).
        dtype / accumulate: element types of A and B, and of the sum.
    """

    operation: str
    sizes: tuple[int, int, int, int]
    dtype: str
    accumulate: str
    a: ProductOperand
    b: ProductOperand
    c: ProductOperand

    def request(self, mesh: Mesh, machine: Machine, prefix: str) -> ProductRequest:
        """The request to the library."""
        m, k, n, batch = self.sizes
        dtype: Any = self.dtype
        accumulate: Any = self.accumulate
        return ProductRequest((mesh.rect.w, mesh.rect.h), m, k, n, dtype, accumulate, machine, prefix, batch)


def contraction_of(compute: Compute) -> Contraction | None:
    """The product that an operation is, or None."""
    view = compute.view
    if len(view.inputs) != 2 or len(view.inits) != 1 or not compute.neutral_inits():
        return None
    types = [v.type for v in view.operands]
    if not all(isinstance(t, ir.RankedTensorType) for t in types) or not _sums_products(compute):
        return None
    dtypes = [dtype_name(ir.RankedTensorType(t).element_type) for t in types]
    if dtypes[0] != dtypes[1] or DTYPE_BYTES[dtypes[2]] < DTYPE_BYTES[dtypes[0]]:
        return None
    roles = _roles(view)
    if roles is None:
        return None
    return _oriented(view, compute.sizes, roles, dtypes[0], dtypes[2])


def _sums_products(compute: Compute) -> bool:
    """Whether the body is `init + widen(a) * widen(b)`."""
    found = compute.accumulations[0]
    if found is None or found.factors is None:
        return False
    factors = {_widened(compute.body, f) for f in found.factors}
    conversions = sum(op.kind == "convert" for op in compute.body.ops)
    return factors == {Operand(0), Operand(1)} and len(compute.body.ops) == 2 + conversions


def _widened(body: ScalarBody, value: ScalarValue) -> ScalarValue:
    if isinstance(value, Temp) and body.ops[value.index].kind == "convert":
        return body.ops[value.index].operands[0]
    return value


_ROLES = {"abc": "b", "ac": "m", "bc": "n", "ab": "k"}  # by the tensors whose dimension an iterator is


def _roles(view: Structured) -> dict[str, int | None] | None:
    """The iterator in each role: "b" batch, "m" of the first operand, "n" of the second, "k" summed over."""
    used = [{dim_position(e) for e in m.results} for m in view.maps]
    if any(None in dims or len(dims) != len(m.results) for dims, m in zip(used, view.maps, strict=True)):
        return None
    roles: dict[str, int | None] = dict.fromkeys("bmnk")
    for iterator, kind in enumerate(view.iterators):
        role = _ROLES.get("".join("abc"[k] for k, dims in enumerate(used) if iterator in dims))
        if role is None or (role == "k") != (kind == REDUCTION) or roles[role] is not None:
            return None
        roles[role] = iterator
    return roles if roles["k"] is not None else None


def _oriented(
    view: Structured, sizes: tuple[int, ...], roles: dict[str, int | None], dtype: str, accumulate: str
) -> Contraction:
    """Names the sides; of a matvec the vector is A, whichever operand it is."""

    def size(role: str) -> int:
        iterator = roles[role]
        return 1 if iterator is None else sizes[iterator]

    swap = size("n") == 1 and size("m") > 1
    first, second, m, n = (1, 0, "n", "m") if swap else (0, 1, "m", "n")
    batch = [] if roles["b"] is None else ["b"]

    def side(operand: int, names: list[str]) -> ProductOperand:
        positions = [dim_position(e) for e in view.maps[operand].results]
        dims = tuple(None if roles[r] is None else positions.index(roles[r]) for r in [*batch, *names])
        return ProductOperand(operand, dims)

    return Contraction(
        "matvec" if size(m) == 1 and roles["b"] is None else "matmul",
        (size(m), size("k"), size(n), size("b") if batch else 0),
        dtype,
        accumulate,
        side(first, [m, "k"]),
        side(second, ["k", n]),
        side(2, [m, n]),
    )


@dataclass(frozen=True)
class Placing:
    """The layout of a held tensor.

    Attributes:
        in_order: whether block k along an axis is at position k; if not, only the host can bring the tensor there.
    """

    layout: TensorLayout
    in_order: bool


def placing(held: Held, side: ProductOperand, shape: tuple[int, ...], mesh: Mesh) -> Placing | None:
    """The layout that a held tensor has, per dimension of the generic's operand; None when no layout is like it.

    Of a tensor whose blocks are in another order, of another size, or on a part of the PEs only, the layout says along
    which axes it is split and no more.
    """
    found: list[str | None] = [""] * len(shape)
    in_order = held.where.base == (0, 0) and held.where.step == (1, 1)
    for dim, origin, extent in zip(side.dims, held.origin, held.bounds, strict=True):
        if dim is not None:
            found[dim], ordered = _axis_of(origin, extent, shape[dim], mesh)
            in_order = in_order and ordered
    named = [axis for axis in found if axis]
    free = [axis for axis in wide_axes(mesh) if axis not in named]
    axes = tuple(axis if axis is not None else free.pop() if free else None for axis in found)
    if None in axes or len(named) != len(set(named)):
        return None
    everywhere = (mesh.rect.w, mesh.rect.h)
    once = tuple(mesh[axis].extent if axis in axes else 1 for axis in ("x", "y"))
    layout = TensorLayout.blocks(shape, [axis or "" for axis in axes], mesh)
    return Placing(layout, in_order and held.where.extent in (everywhere, once))


def _axis_of(origin: Expr, extent: Expr, size: int, mesh: Mesh) -> tuple[str | None, bool]:
    """The axis that a dimension is split over, and whether its blocks are those of a layout, in order.

    "" for a dimension that every PE has whole; None when the split depends on both coordinates.
    """
    width, height = mesh.rect.w, mesh.rect.h
    xs, ys = np.arange(width)[None, :], np.arange(height)[:, None]
    starts, extents = (
        np.broadcast_to(np.asarray(e.evaluate({"x": xs, "y": ys})), (height, width)) for e in (origin, extent)
    )
    for axis, position in (("x", xs), ("y", ys)):
        block = -(-size // mesh[axis].extent)
        if mesh[axis].extent > 1 and block < size and (starts == position * block)[extents > 0].all():
            return axis, True
    if not starts.any() and (extents == size).all():
        return "", True
    along_x, along_y = (starts != starts[:, :1]).any(), (starts != starts[:1]).any()
    return (None if along_x and along_y else "x" if along_x else "y" if along_y else ""), False
