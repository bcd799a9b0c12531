"""Whole numbers near a number, the greater and the lesser of two, and what division leaves."""

from __future__ import annotations

from typing import Any

from ....dialects.host import ir, math, scf
from .lanes import Real
from .pairs import exact_product, exact_sum


def floor(x: Real) -> Real:
    if x.machine.rounds:
        return x.of(math.floor(x.value))
    near = round_even(x)
    return (near > x).choose(near - 1.0, near)


def ceil(x: Real) -> Real:
    if x.machine.rounds:
        return x.of(math.ceil(x.value))
    near = round_even(x)
    return (near < x).choose(near + 1.0, near).with_sign_of(x)  # -0 above -1


def trunc(x: Real) -> Real:
    if x.machine.rounds:
        return x.of(math.trunc(x.value))
    return floor(abs(x)).with_sign_of(x)


def round_even(x: Real) -> Real:
    """The even one of two that are as near."""
    if x.machine.rounds:
        return x.of(math.roundeven(x.value))
    size, large = abs(x), 2.0**x.digits  # from here on all are whole
    return (size < large).choose((size + large) - large, size).with_sign_of(x)


def round_away(x: Real) -> Real:
    """The larger one of two that are as near."""
    size = abs(x)
    whole = floor(size)
    return (size - whole >= 0.5).choose(whole + 1.0, whole).with_sign_of(x)


def greater(x: Real, y: Real) -> Real:
    """The number where one of them is NaN (C's `fmax`)."""
    return y.equals(y).choose((x > y).choose(x, y), x)


def lesser(x: Real, y: Real) -> Real:
    """The number where one of them is NaN (C's `fmin`)."""
    return y.equals(y).choose((x < y).choose(x, y), x)


def remainder(x: Real, y: Real) -> Real:
    """x - trunc(x / y) y, exactly (C's `fmod`): long division, 26 binary digits of the quotient at a time."""
    if not x.double:
        return _remainder_of_doubles(x.widened(), y.widened(), far=False).narrowed().with_sign_of(x)
    return _remainder_of_doubles(x, y, far=True)


def _remainder_of_doubles(x: Real, y: Real, far: bool) -> Real:
    """`far`: quotients can be infinite."""
    divisor = abs(y)
    rest = abs(x)
    infinite = float("inf")
    impossible = rest.equals(infinite) | divisor.equals(0.0)
    unordered = (rest + divisor).not_within(infinite)
    rest = (rest < infinite).choose(rest, x.number(0.0))
    usable = (divisor > 0.0) & (divisor < infinite)
    safe = usable.choose(divisor, x.number(infinite))
    for step in reversed(_multiples(safe) if far else [safe]):
        rest = _divided(rest, step)
    value = (impossible | unordered).choose(float("nan"), rest)
    return value.with_sign_of(x)


def _multiples(divisor: Real) -> list[Real]:
    """The divisor, and 2^1000 and 2^2000 times it as long as the one before is less than 1, so that no quotient by one
    after the other is infinite; else infinity."""
    found = [divisor]
    for _ in range(2):
        found.append((found[-1] < 1.0).choose(found[-1] * 2.0**1000, float("inf")))
    return found


def _divided(rest: Real, divisor: Real) -> Real:
    """Subtracts multiples of the divisor until what is left is less; an infinite divisor leaves it as it is."""
    loop: Any = scf.WhileOp([rest.type], [rest.value])
    before = loop.before.blocks.append(rest.type)
    with ir.InsertionPoint(before):
        (carried,) = before.arguments
        scf.ConditionOp((abs(rest.of(carried)) >= divisor).anywhere(), [carried])
    after = loop.after.blocks.append(rest.type)
    with ir.InsertionPoint(after):
        scf.YieldOp([_one_step(rest.of(after.arguments[0]), divisor).value])
    left = rest.of(loop.results[0])
    return (left < 0.0).choose(left + divisor, left)


def _one_step(rest: Real, divisor: Real) -> Real:
    """rest - q divisor, q being the leading digits of rest / divisor: 26 of them, so that the product is exact."""
    ratio = rest / divisor
    leading = (ratio.bits() & -(1 << 27)).real()
    q = (abs(leading) < 2.0**52).choose(trunc(leading), leading)
    product = exact_product(q, divisor)
    difference = exact_sum(rest, -product.high)
    step = difference.high + (difference.low - product.low)
    return (abs(rest) >= divisor).choose(step, rest)
