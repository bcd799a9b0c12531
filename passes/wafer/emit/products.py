"""Matrix products that the library computes as a whole, by the algorithm that `wse.algorithm` names.

The library says where it wants its operands and leaves its result. What comes from or goes to the host alone is moved
there directly; other values are copied between their tile and the library's buffer, which have to hold the same block.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ....dialects.host import ir
from ....dialects.wse import read
from ....dialects.wse.annotations import ALGORITHM
from ....wse_target.image import HostTransfer
from ....wse_target.instructions import Access, Buffer, Source, Vector
from ....wse_target.layout.text import layout_text
from ....wse_target.quasi_affine import Expr, const, minimum
from ...infra.diagnostics import PassFailure
from ..algorithms.fragment import Fragment, Held, Product, RectangleText
from ..shard.contraction import Contraction, ProductOperand, contraction_of
from ..shard.layout_rules import elements
from ..shard.nodes import analyse, op_result, shape_of
from .collectives import Collectives, build
from .tiles import LocalTile, TileBuffers
from .write.expressions import row_major_pitches


@dataclass(frozen=True)
class TensorPlacement:
    """How a tensor of the program sits on PEs, dimension by dimension; fields as in `image.HostTransfer`."""

    held: Held
    bounds: tuple[Expr, ...]
    origin: tuple[Expr, ...]
    access: Access

    def transfer(self, tensor: int, source: Source, *, resident: bool = False) -> HostTransfer:
        """The transfer between the host's tensor and this place."""
        return HostTransfer(tensor, self.held.where, self.bounds, self.origin, self.access, resident, source)


def place_of(held: Held, side: ProductOperand, shape: Sequence[int]) -> TensorPlacement:
    """`held`, whose dimensions are the library's, by the dimensions of the program's tensor.

    A dimension that the tensor does not have holds one element or none; PEs that hold none have no part in the tensor.
    """
    bounds: list[Expr] = [const(1)] * len(shape)
    origin: list[Expr] = [const(0)] * len(shape)
    strides = [0] * len(shape)
    absent: list[Expr] = []
    for number, dim in enumerate(side.dims):
        if dim is None:
            absent.append(held.bounds[number])
        else:
            bounds[dim], origin[dim] = held.bounds[number], held.origin[number]
            strides[dim] = held.access.strides[number]
    for bound in absent:
        if bound != const(1) and shape:
            bounds[0] = minimum(bounds[0], bound * shape[0])
    return TensorPlacement(
        held, tuple(bounds), tuple(origin), Access(held.buffer, held.access.offset, tuple(strides))
    )


@dataclass
class Products:
    """Emits the products of a program.

    Attributes:
        from_host: operands that are brought straight to where a product wants them, by the argument's scatter.
        results: products' results, which the host can take from where they are.
    """

    tiles: TileBuffers
    collectives: Collectives
    from_host: list[tuple[Any, TensorPlacement]] = field(default_factory=list)
    results: dict[ir.Value, TensorPlacement] = field(default_factory=dict)

    def product_step(self, op: Any, hint: str, prefix: str) -> list[Fragment]:
        """The fragments of a `linalg.generic` that carries `wse.algorithm`.

        Raises:
            PassFailure: it is no product, the algorithm cannot compute it, or an operand or the result is not laid
                out as the algorithm needs it.
        """
        text = ir.StringAttr(op.attributes[ALGORITHM]).value
        found = contraction_of(analyse(op))
        if found is None:
            raise PassFailure(op, f"carries {ALGORITHM} = '{text}', but is no product of two tensors")
        request = found.request(self.tiles.mesh, self.collectives.machine, prefix)
        product: Product = build(op, found.operation, text, request)
        for held in (product.a, product.b, product.c):
            self.tiles.buffers[held.buffer] = Buffer(held.buffer, -1, held.shape, held.dtype)
        before = [f for side, held in ((found.a, product.a), (found.b, product.b))
                  for f in self._operand(op, side, held)]  # fmt: skip
        return [*before, product.fragment, *self._result(op, found, product, hint, prefix)]

    def _operand(self, op: Any, side: ProductOperand, held: Held) -> list[Fragment]:
        value = op.operands[side.operand]
        place = place_of(held, side, shape_of(value))
        if for_product_alone(value):
            self.from_host.append((value.owner, place))
            return []
        tile = self.tiles.by_value[value]
        self._check_same(op, tile, place, f"operand {side.operand}")
        return [
            Fragment(
                (RectangleText(held.where, (Vector("copy", place.bounds, place.access, (tile.whole(),)),)),)
            )
        ]

    def _result(
        self, op: Any, found: Contraction, product: Product, hint: str, prefix: str
    ) -> list[Fragment]:
        """Leaves the result to the host, or brings it into a tile that further operations read."""
        result = op_result(op, 0)
        place = place_of(product.c, found.c, shape_of(result))
        if all(use.owner.operation.name == "wse.gather" for use in result.uses):
            self.results[result] = place
            return []
        (layout,) = read.layouts(op)
        tile = LocalTile(product.c.buffer, layout)
        self._check_same(op, tile, place, "the result")
        fragments: list[Fragment] = []
        row_major = Access(tile.buffer, const(0), tuple(row_major_pitches(tile.shape)))
        if place.access == row_major and elements(tile.shape) == elements(product.c.shape):
            self.tiles.by_value[result] = tile
        else:
            tile = self.tiles.new(result, layout, hint)
            copy = Vector("copy", place.bounds, tile.whole(), (place.access,))
            fragments.append(Fragment((RectangleText(product.c.where, (copy,)),)))
        return [*fragments, *self._replicas(op, tile, product.c, prefix)]

    def _replicas(self, op: Any, tile: LocalTile, held: Held, prefix: str) -> list[Fragment]:
        """Copies for the lines that the layout says hold one, and the product does not serve."""
        mesh = self.tiles.mesh
        found = []
        for number, axis in enumerate(("x", "y")):
            if held.where.extent[number] == mesh[axis].extent:
                continue
            if tile.layout.dim_of(axis) is not None or held.where.base[number] != 0:
                raise PassFailure(
                    op, f"this product leaves its result on a part of the {mesh.rect.grid} PEs only"
                )
            found.append(self.collectives.broadcast(op, tile, axis, f"{prefix}{axis}_"))
        return found

    def _check_same(self, op: Any, tile: LocalTile, place: TensorPlacement, what: str) -> None:
        """The tile and the library's buffer hold the same block on every PE that the library uses."""
        here = _blocks(tile.bounds(), tile.origin(), place.held)
        there = _blocks(place.bounds, place.origin, place.held)
        if not np.array_equal(here, there):
            raise PassFailure(
                op,
                f"algorithm '{op.attributes[ALGORITHM].value}' does not keep {what} as layout "
                f"{layout_text(tile.layout)} does",
                hint="choose another layout or algorithm; wse-partition chooses ones that agree",
            )


def for_product_alone(value: ir.Value) -> bool:
    """Whether a value is an argument that one product alone reads, which then says where the host brings it."""
    owner = value.owner
    if isinstance(owner, ir.Block) or owner.name != "wse.scatter":
        return False
    uses = list(value.uses)
    is_argument = isinstance(owner.operands[0].owner, ir.Block)
    return is_argument and len(uses) == 1 and ALGORITHM in uses[0].owner.operation.attributes


def _blocks(bounds: Sequence[Expr], origin: Sequence[Expr], held: Held) -> np.ndarray:
    """First index and extent of each PE's block in every dimension; zeros where it is empty."""
    (x0, y0), (width, height), (sx, sy) = held.where.base, held.where.extent, held.where.step
    ys, xs = np.mgrid[y0 : y0 + sy * height : sy, x0 : x0 + sx * width : sx]
    values = {"x": xs, "y": ys}
    found = [np.broadcast_to(e.evaluate(values), xs.shape) for e in (*bounds, *origin)]
    extents = found[: len(bounds)]
    empty = np.any([extent <= 0 for extent in extents], axis=0) if extents else np.zeros(xs.shape, bool)
    return np.where(empty, 0, np.array(found)) if found else empty
