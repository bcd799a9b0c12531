"""Affine maps as formulas over named variables: `i + x * 4` instead of `d0 + s0 * 4`."""

from collections.abc import Sequence

from ...dialects.affine.expressions import constant_value
from ..host import ir

_LETTERS = "ijklmn"


def index_names(count: int) -> list[str]:
    """Names for loop indices: i, j, k, .. and i6, i7, .. beyond."""
    return [_LETTERS[k] if k < len(_LETTERS) else f"i{k}" for k in range(count)]


def render(amap: ir.AffineMap, dims: Sequence[str], symbols: Sequence[str]) -> str:
    """The map's results over the given names, separated by commas."""
    return ", ".join(_expression(result, dims, symbols) for result in amap.results)


def render_bound(amap: ir.AffineMap, symbols: Sequence[str]) -> str:
    """A bound: the minimum of the map's results."""
    text = render(amap, (), symbols)
    return f"min({text})" if len(amap.results) > 1 else text


def _expression(expr: ir.AffineExpr, dims: Sequence[str], symbols: Sequence[str]) -> str:
    if isinstance(expr, ir.AffineDimExpr):
        return dims[expr.position]
    if isinstance(expr, ir.AffineSymbolExpr):
        return symbols[expr.position]
    if isinstance(expr, ir.AffineConstantExpr):
        return str(expr.value)
    if isinstance(expr, ir.AffineAddExpr):
        return _sum(expr, dims, symbols)
    if not isinstance(expr, ir.AffineBinaryExpr):
        return str(expr)
    operator = {
        ir.AffineMulExpr: "*",
        ir.AffineModExpr: "mod",
        ir.AffineFloorDivExpr: "floordiv",
        ir.AffineCeilDivExpr: "ceildiv",
    }[type(expr)]
    left, right = (_grouped(_expression(side, dims, symbols)) for side in (expr.lhs, expr.rhs))
    return f"{left} {operator} {right}"


def _sum(expr: ir.AffineExpr, dims: Sequence[str], symbols: Sequence[str]) -> str:
    """Terms in order, but a positive one first: `16 - x * 4` instead of `x * -4 + 16`."""
    added: list[str] = []
    subtracted: list[str] = []
    for term in _terms(expr):
        factor = _negative_factor(term)
        if factor == 0:
            added.append(_expression(term, dims, symbols))
        elif isinstance(term, ir.AffineBinaryExpr):
            text = _grouped(_expression(term.lhs, dims, symbols))
            subtracted.append(text if factor == -1 else f"{text} * {-factor}")
        else:
            subtracted.append(str(-factor))
    first = added or [f"-{subtracted.pop(0)}"]
    return " - ".join([" + ".join(first), *subtracted])


def _terms(expr: ir.AffineExpr) -> list[ir.AffineExpr]:
    if isinstance(expr, ir.AffineAddExpr):
        return [*_terms(expr.lhs), *_terms(expr.rhs)]
    return [expr]


def _negative_factor(term: ir.AffineExpr) -> int:
    """The negative constant that a term is, or is multiplied by; 0 when there is none."""
    constant = constant_value(term.rhs if isinstance(term, ir.AffineMulExpr) else term)
    return min(constant or 0, 0)


def _grouped(text: str) -> str:
    return f"({text})" if " " in text and not _enclosed(text) else text


def _enclosed(text: str) -> bool:
    """Whether the whole text is one call or one pair of parentheses already."""
    start = text.find("(")
    if start < 0 or not text.endswith(")") or " " in text[:start]:
        return False
    depth = 0
    for position, character in enumerate(text):
        depth += {"(": 1, ")": -1}.get(character, 0)
        if depth == 0 and position >= start and position < len(text) - 1:
            return False
    return True
