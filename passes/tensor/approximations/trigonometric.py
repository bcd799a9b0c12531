"""Sine, cosine and tangent."""

from __future__ import annotations

from ....dialects.host import math
from .lanes import Bits, Real
from .reduction import reduced

# sin(r) = r (1 + z p(z)), cos(r) = 1 - z / 2 + z^2 p(z), z = r^2, on |r| <= pi / 4. f32: S. Moshier, Cephes, sinf; f64:
# ours, by the Remez exchange (3.4e-18 and 5.6e-20).
_SINE = {
    False: (-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1),
    True: (
        1.5896821292281871e-10, -2.5050758532541498e-8, 2.7557313694414104e-6, -1.9841269829814503e-4,
        8.333333333322422e-3, -0.16666666666666632,
    ),
}  # fmt: skip
_COSINE = {
    False: (2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2),
    True: (
        -1.1358536471750104e-11, 2.0875700842293703e-9, -2.755731417931008e-7, 2.4801587288851795e-5,
        -1.3888888888873056e-3, 4.1666666666666595e-2,
    ),
}  # fmt: skip


def sine(x: Real) -> Real:
    """+-sin(r) or +-cos(r), as the quadrant says."""
    r, quadrant = reduced(x)
    return _in_quadrant(quadrant, _sine(r), _cosine(r))


def cosine(x: Real) -> Real:
    """The sine of the next quadrant."""
    r, quadrant = reduced(x)
    return _in_quadrant(quadrant + 1, _sine(r), _cosine(r))


def tangent(x: Real) -> Real:
    """sin(r) / cos(r), or -cos(r) / sin(r) in odd quadrants."""
    if x.machine.functions:
        return x.of(math.sin(x.value)) / x.of(math.cos(x.value))
    r, quadrant = reduced(x)
    sine, cosine, odd = _sine(r), _cosine(r), quadrant.has(1)
    return odd.choose(-cosine, sine) / odd.choose(sine, cosine)


def sine_and_cosine(x: Real) -> tuple[Real, Real]:
    r, quadrant = reduced(x)
    sine, cosine = _sine(r), _cosine(r)
    return _in_quadrant(quadrant, sine, cosine), _in_quadrant(quadrant + 1, sine, cosine)


def _sine(r: Real) -> Real:
    z = r * r
    return r * z.times_plus(z.polynomial(_SINE[r.double]), 1.0)  # -0 stays -0


def _cosine(r: Real) -> Real:
    z = r * r
    head = z.times_plus(-0.5, 1.0)
    return (z * z).times_plus(z.polynomial(_COSINE[r.double]), head)


def _in_quadrant(quadrant: Bits, sine: Real, cosine: Real) -> Real:
    """sin, cos, -sin, -cos of what is left."""
    value = quadrant.has(1).choose(cosine, sine)
    sign = (quadrant & 2) << (62 if sine.double else 30)
    return (value.bits() ^ sign).real()
