"""Scalar operations that a PE has no elementary operation for, composed of those that it has.

PEs know signed integers alone. An unsigned one is compared with its first bit flipped, and divided, shifted or
converted as the positive number that a wider type holds; there is none wider than i64, for which these are refused.
A bit is 0 or 1 there, and in signed operations of MLIR 0 or -1.
"""

from collections.abc import Callable, Sequence

from .values import ScalarValue

Emit = Callable[[str, Sequence[ScalarValue | float], str], ScalarValue]
_WIDER = {"i8": "i32", "i16": "i32", "i32": "i64"}
_LOG10_OF_2 = 0.30102999566398119521


def compose(
    name: str, emit: Emit, operands: Sequence[ScalarValue], source: str, result: str
) -> ScalarValue | None:
    """The value of operation `name`; None where elementary operations do not make it.

    Args:
        emit: adds an elementary operation (kind, operands or numbers, type) and returns its value.
        source / result: types of the first operand and of the result.
    """
    rule = _OF_BITS.get(name) if "i1" in (source, result) else None
    rule = rule or _RULES.get(name)
    if rule is None:
        return None
    if name in _UNSIGNED and source == "i64":
        return None
    return rule(emit, operands, source, result)


def compare_unsigned(kind: str, emit: Emit, operands: Sequence[ScalarValue], source: str) -> ScalarValue:
    """A comparison of numbers without sign."""
    return emit(kind, _flipped(emit, operands, source), "i1")


def _flipped(emit: Emit, operands: Sequence[ScalarValue], dtype: str) -> list[ScalarValue]:
    """Signed numbers in the same order as unsigned ones."""
    return [emit("xor", (o, -(1 << (int(dtype[1:]) - 1))), dtype) for o in operands]


def _positive(emit: Emit, value: ScalarValue, source: str, wide: str) -> ScalarValue:
    """An unsigned number in a wider type."""
    return emit("and", (emit("convert", (value,), wide), (1 << int(source[1:])) - 1), wide)


def _extended(emit: Emit, operands: Sequence[ScalarValue], source: str, result: str) -> ScalarValue:
    return (
        emit("convert", operands, result) if source == "i1" else _positive(emit, operands[0], source, result)
    )


def _to_float(emit: Emit, operands: Sequence[ScalarValue], source: str, result: str) -> ScalarValue:
    if source == "i1":
        return emit("convert", operands, result)
    return emit("convert", (_positive(emit, operands[0], source, _WIDER[source]),), result)


def _to_unsigned(emit: Emit, operands: Sequence[ScalarValue], source: str, result: str) -> ScalarValue:
    return emit("convert", (emit("convert", operands, "i64"),), result)


def _extremum(kind: str) -> Callable[..., ScalarValue]:
    def rule(emit: Emit, operands: Sequence[ScalarValue], source: str, result: str) -> ScalarValue:
        if source == "i1":
            return emit(kind, operands, result)
        chosen = emit(kind, _flipped(emit, operands, source), source)
        return _flipped(emit, [chosen], source)[0]

    return rule


def _number(compare: str) -> Callable[..., ScalarValue]:
    """C's fmax and fmin: of a NaN and a number the number."""

    def rule(emit: Emit, operands: Sequence[ScalarValue], source: str, result: str) -> ScalarValue:
        first, second = operands
        wins = emit("or", (emit("ne", (second, second), "i1"), emit(compare, (first, second), "i1")), "i1")
        return emit("select", (wins, first, second), result)

    return rule


def _division(kind: str) -> Callable[..., ScalarValue]:
    def rule(emit: Emit, operands: Sequence[ScalarValue], source: str, result: str) -> ScalarValue:
        wide = _WIDER[source]
        value = emit(kind, [_positive(emit, o, source, wide) for o in operands], wide)
        return emit("convert", (value,), result)

    return rule


def _rounded_quotient(*, up: bool) -> Callable[..., ScalarValue]:
    """A quotient that is rounded towards infinity: `div` leaves out what is behind the point."""

    def rule(emit: Emit, operands: Sequence[ScalarValue], source: str, result: str) -> ScalarValue:
        quotient, rest = emit("div", operands, result), emit("rem", operands, result)
        differ = emit("xor", (emit("lt", (rest, 0), "i1"), emit("lt", (operands[1], 0), "i1")), "i1")
        beyond = emit("xor", (differ, 1), "i1") if up else differ
        moves = emit("and", (emit("ne", (rest, 0), "i1"), beyond), "i1")
        return emit("select", (moves, emit("add", (quotient, 1 if up else -1), result), quotient), result)

    return rule


def _power_of_two(emit: Emit, exponent: ScalarValue, dtype: str) -> ScalarValue:
    return emit("pow", (2, exponent), dtype)


def _shifted_left(emit: Emit, operands: Sequence[ScalarValue], source: str, result: str) -> ScalarValue:
    return emit("mul", (operands[0], _power_of_two(emit, operands[1], result)), result)


def _shifted_right(emit: Emit, operands: Sequence[ScalarValue], source: str, result: str) -> ScalarValue:
    """Of a negative number the complement is shifted, which is positive."""
    sign = emit("select", (emit("lt", (operands[0], 0), "i1"), -1, 0), result)
    size = emit("xor", (operands[0], sign), result)
    return emit("xor", (emit("div", (size, _power_of_two(emit, operands[1], result)), result), sign), result)


def _shifted_right_unsigned(
    emit: Emit, operands: Sequence[ScalarValue], source: str, result: str
) -> ScalarValue:
    wide = _WIDER[source]
    value = _positive(emit, operands[0], source, wide)
    exponent = emit("convert", (operands[1],), wide)
    return emit("convert", (emit("div", (value, _power_of_two(emit, exponent, wide)), wide),), result)


def _truncated(emit: Emit, operands: Sequence[ScalarValue], source: str, result: str) -> ScalarValue:
    negative = emit("lt", (operands[0], 0.0), "i1")
    return emit("select", (negative, emit("ceil", operands, result), emit("floor", operands, result)), result)


def _with_sign(emit: Emit, operands: Sequence[ScalarValue], source: str, result: str) -> ScalarValue:
    """The reciprocal of a negative zero is less than zero; of a NaN the sign is not told."""
    size, sign = emit("abs", operands[:1], result), operands[1]
    reciprocal = emit("div", (1.0, sign), result)
    below = emit("or", (emit("lt", (sign, 0.0), "i1"), emit("lt", (reciprocal, 0.0), "i1")), "i1")
    return emit("select", (below, emit("neg", (size,), result), size), result)


def _elementary(kind: str) -> Callable[..., ScalarValue]:
    return lambda emit, operands, source, result: emit(kind, operands, result)


def _all_bits(emit: Emit, operands: Sequence[ScalarValue], source: str, result: str) -> ScalarValue | None:
    """A bit that is a sign in a wider type, -1 or 0; None for what is no bit."""
    return emit("select", (operands[0], -1, 0), result) if source == "i1" else None


def _low_bit(emit: Emit, operands: Sequence[ScalarValue], source: str, result: str) -> ScalarValue | None:
    if result != "i1" or source == "i1":
        return None
    return emit("ne", (emit("and", (operands[0], 1), source), 0), "i1")


def _log10(emit: Emit, operands: Sequence[ScalarValue], source: str, result: str) -> ScalarValue:
    return emit("mul", (emit("log2", operands, result), _LOG10_OF_2), result)


_UNSIGNED = frozenset({"arith.uitofp", "arith.divui", "arith.remui", "arith.shrui"})
_RULES: dict[str, Callable[..., ScalarValue]] = {
    "arith.extui": _extended, "arith.index_castui": _extended, "arith.uitofp": _to_float, "arith.fptoui": _to_unsigned,
    "arith.maxui": _extremum("max"), "arith.minui": _extremum("min"),
    "arith.maxnumf": _number("gt"), "arith.minnumf": _number("lt"),
    "arith.divui": _division("div"), "arith.remui": _division("rem"),
    "arith.floordivsi": _rounded_quotient(up=False), "arith.ceildivsi": _rounded_quotient(up=True),
    "arith.shli": _shifted_left, "arith.shrsi": _shifted_right, "arith.shrui": _shifted_right_unsigned,
    "math.trunc": _truncated, "math.copysign": _with_sign, "math.log10": _log10,
}  # fmt: skip
# Of integers of one bit: sums modulo two, and -1 is less than 0.
_OF_BITS: dict[str, Callable[..., ScalarValue | None]] = {
    "arith.addi": _elementary("xor"), "arith.subi": _elementary("xor"), "arith.muli": _elementary("and"),
    "arith.maxsi": _elementary("and"), "arith.minsi": _elementary("or"),
    "arith.extsi": _all_bits, "arith.index_cast": _all_bits, "arith.sitofp": _all_bits, "arith.trunci": _low_bit,
}  # fmt: skip
COMPOSED = frozenset(_RULES) | frozenset(_OF_BITS)
