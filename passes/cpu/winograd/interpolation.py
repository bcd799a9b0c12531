"""Short convolutions as products of polynomials' values (Toom and Cook; Winograd used it for filters).

A polynomial of degree m + r - 2 is known by its values at m + r - 1 points, one of which may be infinity: there its
value is the leading coefficient. So the product of two polynomials of m and r coefficients takes m + r - 1 products of
values instead of m r products of coefficients. Transposing that linear map turns the product of polynomials into a
correlation, m results of a filter of r taps from m + r - 1 elements d of a line:

    result = A^T ((G filter) * (B^T d))

G evaluates the filter at the points. A^T is transposed evaluation: its columns hold the powers of the points. B^T is
transposed interpolation: its rows are the coefficients of Lagrange's polynomials, whose denominators G takes over, as
the filter is transformed only once. Images apply it along both dimensions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod

Matrix = tuple[tuple[Fraction, ...], ...]

# Pairs of opposite points share half of their sums. Rounding errors grow with the spread of the points' powers: with
# 3/4 and 3/2 they are a quarter of those with the integers 1 and 2.
_POINTS = {
    3: (Fraction(0), Fraction(1), Fraction(-1)),
    5: (Fraction(0), Fraction(3, 4), Fraction(-3, 4), Fraction(3, 2), Fraction(-3, 2)),
}
# By the number of taps, the tiles there are points for; with seven points, rounding errors would show.
TILES = {taps: tuple(n + 2 - taps for n in _POINTS if n + 2 - taps > 1) for taps in (3, 5)}


@dataclass(frozen=True)
class Interpolation:
    """How `tile` results of a filter of `taps` elements are computed with `tile + taps - 1` products.

    Attributes:
        points: the finite ones, zero first, then pairs of opposite ones; infinity comes after them.
    """

    tile: int
    taps: int
    points: tuple[Fraction, ...]

    @staticmethod
    def of(tile: int, taps: int) -> Interpolation:
        """`tile` is one of `TILES[taps]`."""
        return Interpolation(tile, taps, _POINTS[tile + taps - 2])

    @property
    def size(self) -> int:
        """How many elements of a line are read, and how many products are computed."""
        return self.tile + self.taps - 1

    @property
    def image(self) -> Matrix:
        """B^T, size x size: what is computed of a line's elements."""
        rows = [_polynomial([q for q in self.points if q != p]) for p in self.points]
        return (*((*row, Fraction(0)) for row in rows), _polynomial(self.points))

    @property
    def filter(self) -> Matrix:
        """G, size x taps: what is computed of a filter."""
        scales = [prod(p - q for q in self.points if q != p) for p in self.points]
        rows = [
            tuple(p**k / scale for k in range(self.taps))
            for p, scale in zip(self.points, scales, strict=True)
        ]
        return (*rows, tuple(Fraction(int(k == self.taps - 1)) for k in range(self.taps)))

    @property
    def result(self) -> Matrix:
        """A^T, tile x size: what is computed of the products."""
        return tuple(
            (*(p**k for p in self.points), Fraction(int(k == self.tile - 1))) for k in range(self.tile)
        )

    @property
    def image_groups(self) -> list[list[int]]:
        """Columns of `image` whose sums opposite points share: those of even and of odd powers."""
        return [list(range(0, self.size, 2)), list(range(1, self.size, 2))]

    @property
    def result_groups(self) -> list[list[int]]:
        """Columns of `result` whose sums and differences several rows share: those of opposite points."""
        pairs = [[k, k + 1] for k in range(1, self.size - 2, 2)]
        grouped = {k for pair in pairs for k in pair}
        return [*pairs, *([k] for k in range(self.size) if k not in grouped)]


def _polynomial(roots: Sequence[Fraction]) -> tuple[Fraction, ...]:
    """The coefficients, lowest power first, of the product of all (x - root)."""
    coefficients = [Fraction(1)]
    for root in roots:
        shifted = [Fraction(0), *coefficients]
        for k, c in enumerate(coefficients):
            shifted[k] -= root * c
        coefficients = shifted
    return tuple(coefficients)
