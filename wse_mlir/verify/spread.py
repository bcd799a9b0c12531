"""Distributed tensors as the tiles that PEs hold, and what each PE makes of them without the others."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..dialects.host import ir
from ..passes.infra.diagnostics import CompilerError
from ..passes.wafer.shard.assemblies import cut_of, parts_of
from ..wse_target.layout.tensor_layout import TensorLayout
from ..wse_target.layout.text import layout_text

PE = tuple[int, int]


@dataclass(frozen=True)
class DistributedTensor:
    """A distributed tensor.

    Attributes:
        shape: of the whole tensor.
        tiles: per PE, by column and row of the rectangle, what it holds.
    """

    shape: tuple[int, ...]
    layout: TensorLayout
    tiles: dict[PE, np.ndarray]

    def seen_from(self, pe: PE) -> np.ndarray:
        """The whole tensor, of blocks on PEs that differ from `pe` only along axes that the layout splits."""
        some = next(iter(self.tiles.values()))
        whole = np.empty(self.shape, some.dtype)
        for held, tile in self.tiles.items():
            if self._differ_in_split_axes(pe, held):
                whole[block(self.layout, held)] = tile
        return whole

    def _differ_in_split_axes(self, one: PE, other: PE) -> bool:
        mesh = self.layout.mesh
        values = [{"x": x, "y": y} for x, y in (one, other)]
        return all(
            mesh.coordinate(name).evaluate(values[0]) == mesh.coordinate(name).evaluate(values[1])
            for name in self.layout.copied
        )


Value = (
    DistributedTensor | np.ndarray
)  # what is no `DistributedTensor` is known everywhere: constants, and tensors nobody wrote yet


@functools.lru_cache(65536)
def indices(layout: TensorLayout, pe: PE) -> tuple[np.ndarray, ...]:
    return layout.indices(*pe)


def block(layout: TensorLayout, pe: PE) -> tuple[np.ndarray, ...]:
    """What a PE holds of a tensor, as an index into that."""
    return np.ix_(*indices(layout, pe))


def extent(layout: TensorLayout, pe: PE) -> tuple[int, ...]:
    return tuple(len(found) for found in indices(layout, pe))


def gathered(value: Value) -> np.ndarray:
    """The tensor as the host takes it: blocks of the first PEs where there are copies."""
    return value.seen_from((0, 0)) if isinstance(value, DistributedTensor) else value


def reshaped(op: Any, tile: np.ndarray, layout: TensorLayout, pe: PE) -> np.ndarray:
    shape = extent(layout, pe)
    if tile.size != int(np.prod(shape)):
        raise CompilerError(f"'{op.operation.name}' of a tile of shape {list(tile.shape)} to {list(shape)}")
    return tile.reshape(shape)


def assembled(op: Any, values: Sequence[Value], own: Sequence[np.ndarray], pe: PE) -> np.ndarray:
    """What a slice, an insertion or a concatenation makes of what a PE holds, for indices `own` of the result."""
    if op.operation.name == "tensor.extract_slice":
        cut = cut_of(op)
        places = zip(own, cut.offsets, cut.strides, strict=True)
        return _taken(op, values[0], [o + s * index for index, o, s in places], pe)
    some = next(iter(v.tiles.values())) if isinstance(v := values[0], DistributedTensor) else v
    result = np.zeros([len(index) for index in own], some.dtype)
    for part in parts_of(op):
        where, wanted = [], []
        for index, size, offset, stride in zip(own, part.shape, part.offsets, part.strides, strict=True):
            number, beside = np.divmod(index - offset, stride)
            inside = (beside == 0) & (number >= 0) & (number < size)
            where.append(np.flatnonzero(inside))
            wanted.append(number[inside])
        result[np.ix_(*where)] = _taken(op, values[part.operand], wanted, pe)
    return result


def _taken(op: Any, value: Value, wanted: Sequence[np.ndarray], pe: PE) -> np.ndarray:
    """Elements at some indices along each dimension, which a PE has to hold."""
    if isinstance(value, np.ndarray):
        return value[np.ix_(*wanted)]
    held = indices(value.layout, pe)
    if all(map(len, wanted)) and not all(np.isin(w, h).all() for w, h in zip(wanted, held, strict=True)):
        raise CompilerError(
            f"'{op.operation.name}' takes elements that the PE at {pe} does not hold, of a tensor laid out as "
            f"{layout_text(value.layout)}"
        )
    if not all(map(len, wanted)):
        return np.zeros([len(w) for w in wanted], value.tiles[pe].dtype)
    return value.tiles[pe][np.ix_(*(np.searchsorted(h, w) for w, h in zip(wanted, held, strict=True)))]


def has_work(loops: Sequence[tuple[int, int]]) -> bool:
    """Whether a PE does any iteration."""
    return all(stop > start for start, stop in loops)


def local_map(amap: ir.AffineMap, starts: Sequence[int], firsts: Sequence[int]) -> ir.AffineMap:
    """A map whose iterators count from `starts`, and whose results are told from `firsts` on."""
    if not any(starts) and not any(firsts):
        return amap
    with amap.context:
        dims = [ir.AffineExpr.get_dim(k) + start for k, start in enumerate(starts)]
        moved = ir.AffineMap.get(amap.n_dims, 0, dims)
        found = [
            ir.AffineExpr.simplify_affine_expr(expr.compose(moved) - first, amap.n_dims, 0)
            for expr, first in zip(amap.results, firsts, strict=True)
        ]
        return ir.AffineMap.get(amap.n_dims, 0, found)
