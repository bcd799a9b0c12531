"""The toolbox of affine expressions: its parts agree with each other on random expressions, and it is the only one."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

from wse_mlir.dialects.affine.expressions import (
    constant_value,
    divided_dim,
    evaluate_affine,
    keep_dims,
    substitute,
    used_dims,
)
from wse_mlir.dialects.affine.linear import coefficient, index_sum, linear, linear_offset
from wse_mlir.dialects.affine.maps import depends_on, distinct_dims, map_dims, results_along, select_results
from wse_mlir.dialects.host import ir

ROOT = Path(__file__).parents[2]
POINTS = [(0, 0, 0), (1, 2, 3), (5, 1, 0), (7, 11, 13)]


def _random(rng: random.Random, depth: int) -> ir.AffineExpr:
    if depth == 0:
        constant = ir.AffineExpr.get_constant(rng.randint(0, 5))
        return rng.choice([constant, *map(ir.AffineExpr.get_dim, range(3))])
    inner, number = _random(rng, depth - 1), rng.randint(1, 6)
    made = [
        ir.AffineExpr.get_add(inner, _random(rng, depth - 1)),
        ir.AffineExpr.get_mul(inner, number),
        ir.AffineExpr.get_floor_div(inner, number),
        ir.AffineExpr.get_mod(inner, number),
        ir.AffineExpr.get_ceil_div(inner, number),
    ]
    return rng.choice(made)


def _typed(expr: ir.AffineExpr) -> ir.AffineExpr:
    return substitute(expr, ir.AffineMap.get_identity(3))


def _at(expr: ir.AffineExpr, point: tuple[int, ...]) -> int:
    return evaluate_affine(expr, lambda dim: point[dim.position])


def test_values_sums_and_substitution_agree() -> None:
    rng = random.Random(0)
    with ir.Context():
        kinds = set()
        for _ in range(300):
            expr = _typed(_random(rng, rng.randint(0, 4)))
            found = index_sum(expr)
            kinds.add((bool(found.terms), bool(found.quotients), bool(found.constant)))
            for point in POINTS:
                value = constant_value(substitute(expr, _constants(point)))
                assert _at(expr, point) == value
                terms = sum(factor * point[dim] for factor, dim in found.terms)
                assert terms + sum(f * _at(e, point) for f, e in found.quotients) + found.constant == value
        assert len(kinds) > 6, "the expressions are all alike"


def _constants(point: tuple[int, ...]) -> ir.AffineMap:
    return ir.AffineMap.get(0, 0, [ir.AffineExpr.get_constant(value) for value in point])


def test_factors() -> None:
    with ir.Context():
        d0, d1, s0 = ir.AffineExpr.get_dim(0), ir.AffineExpr.get_dim(1), ir.AffineExpr.get_symbol(0)
        sliding = _typed(d0 * 2 + d1 * 3 + 4)
        assert (coefficient(sliding, 0), coefficient(sliding, 1), coefficient(sliding, 2)) == (2, 3, 0)
        assert linear_offset(sliding, {0: 1, 1: 2}) == 8
        found = linear(sliding)
        assert found is not None and (found.dims, found.constant, found.plain_dim()) == ([0, 1], 4, None)
        divided = _typed(ir.AffineExpr.get_floor_div(d0, 4) * 2 + d1)
        assert (coefficient(divided, 0), coefficient(divided, 1), linear(divided)) == (None, 1, None)
        assert linear_offset(divided, {0: 1}) is None and linear_offset(divided, {1: 5}) == 5
        assert index_sum(divided).divided == {0}
        by_symbol = ir.AffineMap.get(1, 1, [ir.AffineExpr.get_mul(d0, s0)]).results[0]
        assert coefficient(by_symbol, 0) is None, "a product with a symbol is no multiple"
        assert divided_dim(_typed(ir.AffineExpr.get_mod(d1, 8))) == (1, 8)
        assert divided_dim(_typed(ir.AffineExpr.get_mod(d1 * 3, 8))) is None


def test_maps() -> None:
    with ir.Context():
        d = [ir.AffineExpr.get_dim(k) for k in range(4)]
        zero = ir.AffineExpr.get_constant(0)
        amap = ir.AffineMap.get(4, 0, [d[3], zero, d[1] + d[3]])
        assert map_dims(amap) == {1, 3} and results_along(amap, 3) == [0, 2]
        assert depends_on(amap, 1) and not depends_on(amap, 0)
        assert distinct_dims(amap.results) is None
        assert distinct_dims(select_results(amap, [0, 1]).results) == [3]
        assert distinct_dims(ir.AffineMap.get(1, 0, [d[0], d[0]]).results) is None
        assert keep_dims([3, 1], 4) == ir.AffineMap.get(2, 0, [zero, d[1], zero, d[0]])
        assert used_dims(substitute(amap.results[2], keep_dims([1], 4))) == {0}


@pytest.mark.parametrize("folder", ["dialects", "passes", "pipelines", "wse_mlir"])
def test_expressions_are_walked_in_one_place(folder: str) -> None:
    walks = re.compile(r"isinstance\([^)]*Affine(Binary|Dim|Constant)Expr")
    toolbox = ROOT / "dialects" / "affine"
    found = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / folder).rglob("*.py"))
        if toolbox not in path.parents and walks.search(path.read_text())
    ]
    assert set(found) <= {
        "dialects/wse/affine_text.py",  # sums as text, a negative term behind the positive ones
        "passes/wafer/index_values.py",  # tells dimensions from symbols
        "wse_mlir/runtime/wafer/image_expressions.py",  # the same
    }
