"""Quasi-affine expressions as affine maps.

An affine map has no minimum, maximum, table or product of two unknowns inside: each of these is an index value of its
own, which the map sees as a symbol. Bounds are the exception, for the minimum of a map's results is what they mean.
"""

from __future__ import annotations

from collections.abc import Sequence

from .....dialects.host import ir
from .....wse_target.errors import CompilerError
from .....wse_target.instructions import Access
from .....wse_target.quasi_affine import Binary, Const, Expr, Var

COORDINATES: tuple[Expr, ...] = (Var("x"), Var("y"))


class MapSymbols:
    """The symbols that the maps of one operation share: x, y, then what else they need, in order of use.

    Attributes:
        atoms: what each symbol stands for: a variable, a minimum, a maximum, a lookup, a scalar or a product.
    """

    def __init__(self) -> None:
        self.atoms = list(COORDINATES)

    def bound(self, expr: Expr) -> list[ir.AffineExpr]:
        """Results whose minimum is `expr`."""
        return [self.affine(part) for part in parts(expr, "min")]

    def index(self, access: Access, shape: Sequence[int]) -> list[ir.AffineExpr]:
        """The index into a row-major buffer that an access's element address stands for.

        Each term goes to the outermost dimensions whose pitch it contains, so that a walk over rows is seen as one.
        """
        terms, constant = linear_terms(access.offset)
        results = []
        pitches = row_major_pitches(shape)
        rest = [*access.strides, *terms.values(), constant]
        for pitch in pitches:
            taken = [_quotient(value, pitch) for value in rest]
            rest = [value - pitch * q for value, q in zip(rest, taken, strict=True)]
            result = ir.AffineExpr.get_constant(taken[-1])
            for atom, factor in zip(terms, taken[len(access.strides) :], strict=False):
                result = result if factor == 0 else result + self.affine(atom) * factor
            for dim, factor in enumerate(taken[: len(access.strides)]):
                result = result if factor == 0 else result + ir.AffineExpr.get_dim(dim) * factor
            results.append(result)
        if any(rest):
            raise CompilerError(f"an access walks along '{access.buffer}', which has one element")
        return results

    def affine(self, expr: Expr) -> ir.AffineExpr:
        """An expression over the symbols."""
        if isinstance(expr, Const):
            return ir.AffineExpr.get_constant(expr.value)
        if not isinstance(expr, Binary) or expr.operator in ("min", "max") or is_product(expr):
            if expr not in self.atoms:
                self.atoms.append(expr)
            return ir.AffineExpr.get_symbol(self.atoms.index(expr))
        left, right = expr.left, expr.right
        if expr.operator == "+":
            return self.affine(left) + self.affine(right)
        if expr.operator == "*" and isinstance(left, Const):
            left, right = right, left
        if not isinstance(right, Const) or (expr.operator != "*" and right.value <= 0):
            raise CompilerError(f"'{expr}' has a divisor that is no constant above 0")
        make = {
            "*": ir.AffineExpr.get_mul,
            "floordiv": ir.AffineExpr.get_floor_div,
            "ceildiv": ir.AffineExpr.get_ceil_div,
            "mod": ir.AffineExpr.get_mod,
        }[expr.operator]
        return make(self.affine(left), ir.AffineExpr.get_constant(right.value))

    def map(self, results: Sequence[ir.AffineExpr], dims: int = 0) -> ir.AffineMap:
        """A map over all symbols: to be made when every expression of the operation has been seen."""
        return ir.AffineMap.get(dims, len(self.atoms), list(results))


def is_product(expr: Expr) -> bool:
    """Whether an expression is a product of two that are no constants (a bound times a flag)."""
    if not isinstance(expr, Binary) or expr.operator != "*":
        return False
    return not isinstance(expr.left, Const) and not isinstance(expr.right, Const)


def parts(expr: Expr, operator: str) -> list[Expr]:
    """The operands of a nest of one associative operator: min(a, min(b, c)) gives a, b, c."""
    if isinstance(expr, Binary) and expr.operator == operator:
        return [*parts(expr.left, operator), *parts(expr.right, operator)]
    return [expr]


def linear_terms(expr: Expr) -> tuple[dict[Expr, int], int]:
    """An expression as a sum: factor of each term that is no sum or multiple itself, and the constant."""
    if isinstance(expr, Const):
        return {}, expr.value
    if isinstance(expr, Binary) and expr.operator == "+":
        terms, constant = linear_terms(expr.left)
        more, other = linear_terms(expr.right)
        for atom, factor in more.items():
            terms[atom] = terms.get(atom, 0) + factor
        return terms, constant + other
    if isinstance(expr, Binary) and expr.operator == "*":
        for factor, term in ((expr.left, expr.right), (expr.right, expr.left)):
            if isinstance(factor, Const):
                terms, constant = linear_terms(term)
                return {a: f * factor.value for a, f in terms.items()}, constant * factor.value
    return {expr: 1}, 0


def row_major_pitches(shape: Sequence[int]) -> list[int]:
    """Elements between neighbours in each dimension."""
    pitches, pitch = [], 1
    for size in reversed(shape):
        pitches.append(pitch)
        pitch *= max(size, 1)
    return pitches[::-1]


def _quotient(value: int, pitch: int) -> int:
    """How often `pitch` goes into `value`, towards zero."""
    return value // pitch if value >= 0 else -(-value // pitch)
