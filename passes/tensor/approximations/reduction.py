"""What is left of an angle after whole quarters of a turn."""

from __future__ import annotations

from math import ldexp
from typing import Any

from ....dialects.host import arith, ir, scf, vector
from .lanes import Bits, Real
from .pairs import exact_product, exact_sum, halves, ordered_sum
from .rounding import round_even

_TWO_OVER_PI, _HALF_PI, _HALF_PI_REST = 0.636619772367581343, 1.5707963267948966, 6.123233995736766e-17
# pi / 2 in parts. With FMA: all digits of a number each; without: so few in the first ones that products with quadrants
# of up to 13 (f32) or 20 digits (f64) are exact.
_PARTS = {
    (False, True): (1.5707963705062866, -4.371138828673793e-8, -1.7151245100058819e-15),
    (False, False): (1.5703125, 4.837512969970703e-4, 7.549533620476723e-8, 2.5633440682570896e-12),
    (True, True): (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33),
    (True, False): (1.5707963267341256, 6.077100506303966e-11, 2.0222662487111665e-21, 8.4784276603689e-32),
}
# Up to which angle the parts are enough
_LARGEST = {(False, True): 32768.0, (False, False): 8192.0, (True, True): 1048576.0, (True, False): 1048576.0}
_TWO_OVER_PI_DIGITS = int(
    "a2f9836e4e441529fc2757d1f534ddc0db6295993c439041fe5163abdebbc561b7246e3a424dd2e006492eea09d1921cfe1deb1cb129a73e"
    "e88235f52ebb4484e99c7026b45f7e413991d639835339f49c845f8bbdf9283b1ff897ffde05980fef2f118b5a0a6d1f6d367ecf27cb09b7"
    "4f463f669e5fea2d7527bac7ebe5f17b3d0739f78a5292ea6bfb5fb11f8d5d0856033046fc7b6babf0cfbc20",
    16,
)  # 1248 of them


def reduced(x: Real) -> tuple[Real, Bits]:
    """(r, q): x = r + q pi / 2, |r| <= pi / 4, q modulo 4; r is NaN for infinities.

    Lanes are reduced with all digits of 2 / pi that it takes when one of them is too large for a few.
    """
    kind = (x.double, x.machine.fma)
    size = abs(x)
    shifted = x.times_plus(_TWO_OVER_PI, x.round_number)
    n, r = shifted - x.round_number, x
    for part in _PARTS[kind]:
        r = n.times_plus(-part, r)
    quadrant = shifted.bits()
    large = size.not_within(_LARGEST[kind])
    choice: Any = scf.IfOp(large.anywhere(), [r.type, quadrant.value.type], has_else=True)
    with ir.InsertionPoint(choice.then_block):
        left, turns = _reduced_doubles(x) if x.double else _reduced_singles(x)
        scf.YieldOp([left.value, turns.value])
    with ir.InsertionPoint(choice.else_block):
        scf.YieldOp([r.value, quadrant.value])
    r = (size < _HALF_PI / 2).choose(x, x.of(choice.results[0]))  # -0 and denormals stay as they are
    return r, Bits(choice.results[1], x)


def _reduced_singles(x: Real) -> tuple[Real, Bits]:
    """Of f32, in f64: x times 28 digits of 2 / pi is exact, so is what it leaves of whole turns (4 quadrants), and 8
    parts reach below the smallest f32."""
    wide = x.widened()
    rests = [_without_turns(wide * part) for part in _two_over_pi(8, 28)]
    total = rests[0]
    for rest in rests[1:]:
        total = total + rest
    n = (total + total.round_number) - total.round_number
    left = rests[0] - n
    for rest in rests[1:]:
        left = left + rest
    return (left * _HALF_PI).narrowed(), (n.narrowed() + x.round_number).bits()


def _reduced_doubles(x: Real) -> tuple[Real, Bits]:
    """Both halves of x times 26 digits of 2 / pi are exact; 48 parts reach below the smallest f64. Their sum is kept
    in three numbers, for an angle can be as near as 2^-61 to a multiple of pi / 2."""
    scale = 600  # moves products with the last parts away from the smallest numbers
    first, second = halves(x * 2.0**-scale)
    table = _constant_vector(_two_over_pi(48, 26, scale))
    zero = x.number(0.0)
    index = ir.IndexType.get()
    start, stop, step = (arith.constant(index, n) for n in (0, 48, 1))
    loop: Any = scf.ForOp(start, stop, step, [zero.value, zero.value, zero.value])
    with ir.InsertionPoint(loop.body):
        digits = vector.ExtractOp(table, [loop.induction_variable], [ir.ShapedType.get_dynamic_size()]).result
        if isinstance(x.type, ir.VectorType):
            digits = vector.BroadcastOp(x.type, digits).result
        total, low, lower = (x.of(value) for value in loop.inner_iter_args)
        for half in (first, second):
            sums = exact_sum(total, _without_turns(half * x.of(digits)))
            rest = exact_sum(low, sums.low)
            total, low, lower = sums.high, rest.high, lower + rest.low
        scf.YieldOp([_without_turns(total).value, low.value, lower.value])
    total, low, lower = (x.of(value) for value in loop.results)
    shifted = total + x.round_number
    left = exact_sum(total - (shifted - x.round_number), low)
    left = ordered_sum(left.high, left.low + lower)
    product = exact_product(left.high, x.number(_HALF_PI))
    rest = left.high.times_plus(_HALF_PI_REST, left.low * _HALF_PI)
    return product.high + (product.low + rest), shifted.bits()


def _without_turns(x: Real) -> Real:
    """What whole multiples of 4 leave."""
    return x - round_even(x * 0.25) * 4.0


def _two_over_pi(count: int, digits: int, scale: int = 0) -> list[float]:
    """The first parts of so many binary digits, times 2^scale."""
    mask = (1 << digits) - 1
    ends = range(digits, (count + 1) * digits, digits)
    return [ldexp((_TWO_OVER_PI_DIGITS >> (1248 - end)) & mask, scale - end) for end in ends]


def _constant_vector(numbers: list[float]) -> ir.Value:
    f64 = ir.F64Type.get()
    kind = ir.VectorType.get([len(numbers)], f64)
    table: Any = ir.DenseElementsAttr.get([ir.FloatAttr.get(f64, n) for n in numbers], kind)
    return arith.ConstantOp(kind, table).result
