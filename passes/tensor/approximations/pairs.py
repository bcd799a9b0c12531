"""Unevaluated sums of two numbers, for what one number has too few digits for."""

from __future__ import annotations

from dataclasses import dataclass

from .lanes import Real


@dataclass(frozen=True)
class Pair:
    """high + low, where low is less than the last digit of high."""

    high: Real
    low: Real

    def __add__(self, other: Pair) -> Pair:
        total = exact_sum(self.high, other.high)
        return ordered_sum(total.high, total.low + (self.low + other.low))

    def __mul__(self, other: Pair) -> Pair:
        product = exact_product(self.high, other.high)
        cross = self.high.times_plus(other.low, self.low * other.high)
        return ordered_sum(product.high, product.low + cross)


def exact_sum(a: Real, b: Real) -> Pair:
    """a + b, whatever their sizes (D. Knuth)."""
    high = a + b
    of_b = high - a
    return Pair(high, (a - (high - of_b)) + (b - of_b))


def ordered_sum(a: Real, b: Real) -> Pair:
    """a + b where a is the larger one or 0 (T. Dekker)."""
    high = a + b
    return Pair(high, b - (high - a))


def exact_product(a: Real, b: Real) -> Pair:
    """a b; without fused multiply-add (T. Dekker's halves) the last digit of `low` may be missing."""
    high = a * b
    if a.machine.fma:
        return Pair(high, a.times_plus(b, -high))
    (a1, a2), (b1, b2) = halves(a), halves(b)
    return Pair(high, a2 * b2 - (((high - a1 * b1) - a2 * b1) - a1 * b2))


def halves(x: Real) -> tuple[Real, Real]:
    """Its first 12 (f32) or 26 (f64) digits, and the rest."""
    first = (x.bits() & -(1 << (x.digits + 2) // 2)).real()
    return first, x - first


def fused_multiply_add(x: Real, y: Real, z: Real) -> Real:
    """x y + z for processors without the instruction: rounded once, but for ties that the lowest digits decide."""
    if not x.double:
        return (x.widened() * y.widened() + z.widened()).narrowed()
    product = exact_product(x, y)
    total = exact_sum(product.high, z)
    low = total.low + product.low
    return (abs(low) < float("inf")).choose(total.high + low, total.high)
