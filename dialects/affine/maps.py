"""Affine maps: what they depend on, whether they are plain, and maps made from others."""

from __future__ import annotations

from collections.abc import Iterable

from ..host import ir
from .expressions import dim_position, is_plain, used_dims


def identity_maps(rank: int, count: int) -> list[ir.AffineMap]:
    """`count` identity maps of `rank` dimensions, as an elementwise operation has."""
    return [ir.AffineMap.get_identity(rank)] * count


def compose_map(outer: ir.AffineMap, inner: ir.AffineMap) -> ir.AffineMap:
    """The map that applies `inner` first: its results become the dimensions of `outer`."""
    return ir.AffineMap.get(inner.n_dims, 0, [expr.compose(inner) for expr in outer.results])


def select_results(amap: ir.AffineMap, positions: Iterable[int]) -> ir.AffineMap:
    """The map that has only those results, in that order."""
    return ir.AffineMap.get(amap.n_dims, 0, [amap.results[position] for position in positions])


def map_dims(amap: ir.AffineMap) -> set[int]:
    """Positions of the dimensions that any result of a map depends on."""
    return set().union(*(used_dims(expr) for expr in amap.results))


def depends_on(amap: ir.AffineMap, dim: int) -> bool:
    """Whether any result of the map changes along a dimension."""
    return any(dim in used_dims(expr) for expr in amap.results)


def results_along(amap: ir.AffineMap, dim: int) -> list[int]:
    """Numbers of the results that change along a dimension."""
    return [number for number, expr in enumerate(amap.results) if dim in used_dims(expr)]


def plain_dims(maps: Iterable[ir.AffineMap]) -> set[int]:
    """Dimensions that are some map's result as they stand: as an operand's dimension, its size gives the trip count."""
    positions = {dim_position(expr) for amap in maps for expr in amap.results}
    return {p for p in positions if p is not None}


def loops_inferable(maps: Iterable[ir.AffineMap], loops: int) -> bool:
    """Whether operand sizes determine the trip count of each of the `loops` iterators (linalg demands it)."""
    return len(plain_dims(maps)) == loops


def has_plain_results(amap: ir.AffineMap) -> bool:
    """Whether every result is a dimension as it stands, or a constant."""
    return all(is_plain(expr) for expr in amap.results)


def distinct_dims(exprs: Iterable[ir.AffineExpr]) -> list[int] | None:
    """The dimensions that expressions are, constants left out; None when one is compound or comes twice."""
    found: list[int] = []
    for expr in exprs:
        position = dim_position(expr)
        if not is_plain(expr) or position in found:
            return None
        if position is not None:
            found.append(position)
    return found
