"""The elementary operations of PEs as arith and math operations, on scalars and on vectors.

The meaning is that of `wse_target/sim/arithmetic.py`. Values have the type that is computed in: f16 and bf16 are f32
whose value the narrow type has, everything else is itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...dialects.constants import splat_number
from ...dialects.host import arith, ir, math, scf, vector
from ...passes.cpu.processor import processor
from ...wse_target.instructions import DTYPE_BYTES
from ...wse_target.kinds import COMPARISONS, KINDS
from ...wse_target.sim.arithmetic import FLOATS, MOVES

HALVES = ("f16", "bf16")
_FLOAT_TESTS = {"eq": "OEQ", "ne": "UNE", "lt": "OLT", "le": "OLE", "gt": "OGT", "ge": "OGE"}
_OWNERS = {"arith": arith, "math": math}


def integer(bits: int) -> ir.Type:
    """A signless integer type."""
    return ir.IntegerType.get_signless(bits)


def memory_type(dtype: str) -> ir.Type:
    """What elements are loaded and stored as: whole bytes, 16-bit floats as integers."""
    if dtype in ("f32", "f64"):
        return number_type(dtype)
    return integer(8 * DTYPE_BYTES[dtype])


def number_type(dtype: str) -> ir.Type:
    """What elements are computed in."""
    if dtype == "f64":
        return ir.F64Type.get()
    return ir.F32Type.get() if dtype in FLOATS else integer(int(dtype[1:]))


def number_bits(dtype: str) -> int:
    """Width of the type that elements are computed in; i1 counts as a byte."""
    return 32 if dtype in HALVES else 8 * DTYPE_BYTES[dtype]


class KernelValues:
    """Emits operations on `lanes` elements at a time at the current insertion point; scalars when `lanes` is 1."""

    def __init__(self, lanes: int) -> None:
        self.lanes = lanes

    def shaped(self, element: ir.Type) -> ir.Type:
        """The type of one value."""
        return element if self.lanes == 1 else ir.VectorType.get([self.lanes], element)

    def spread(self, scalar: ir.Value) -> ir.Value:
        """A scalar in all lanes."""
        return scalar if self.lanes == 1 else vector.broadcast(self.shaped(scalar.type), scalar)

    def constant(self, dtype: str, number: float) -> ir.Value:
        """A number of the type that `dtype` is computed in."""
        return splat_number(self.shaped(number_type(dtype)), number)

    # Memory

    def from_memory(self, dtype: str, raw: ir.Value) -> ir.Value:
        """A loaded value in the type that is computed in."""
        if dtype == "i1":
            return arith.cmpi(arith.CmpIPredicate.ne, raw, splat_number(raw.type, 0))
        if dtype in HALVES:
            return arith.extf(self.shaped(ir.F32Type.get()), arith.bitcast(self.shaped(_half(dtype)), raw))
        return raw

    def to_memory(self, dtype: str, value: ir.Value) -> ir.Value:
        """A value as it is stored; it is one that the element type has."""
        if dtype == "i1":
            return arith.extui(self.shaped(integer(8)), value)
        if dtype in HALVES:
            narrow = arith.truncf(self.shaped(_half(dtype)), value)
            return arith.bitcast(self.shaped(integer(16)), narrow)
        return value

    # Conversions

    def rounded(self, dtype: str, value: ir.Value) -> ir.Value:
        """An f32 rounded to the narrow float type that `dtype` may be."""
        if dtype not in HALVES:
            return value
        return arith.extf(value.type, arith.truncf(self.shaped(_half(dtype)), value))

    def convert(self, value: ir.Value, source: str, target: str) -> ir.Value:
        """A value of one element type in another one."""
        if source == target:
            return value
        to = self.shaped(number_type(target))
        if target == "i1":
            return self.compare("ne", source, value, self.constant(source, 0))
        if source in FLOATS:
            if target not in FLOATS:
                return self._saturate(value, source, target)
            if source == "f64":
                return self.rounded(target, arith.truncf(to, value))
            return arith.extf(to, value) if target == "f64" else self.rounded(target, value)
        if target in FLOATS:
            widened = arith.uitofp(to, value) if source == "i1" else arith.sitofp(to, value)
            return self.rounded(target, widened)
        if DTYPE_BYTES[source] > DTYPE_BYTES[target]:
            return arith.trunci(to, value)
        return arith.extui(to, value) if source == "i1" else arith.extsi(to, value)

    def _saturate(self, value: ir.Value, source: str, target: str) -> ir.Value:
        limit = 2 ** (8 * DTYPE_BYTES[target] - 1)
        above = self.compare("ge", source, value, self.constant(source, float(limit)))
        below = self.compare("lt", source, value, self.constant(source, -float(limit)))
        not_a_number = self.compare("ne", source, value, value)
        outside = arith.ori(arith.ori(above, below), not_a_number)
        inside = arith.select(outside, self.constant(source, 0.0), value)
        result = arith.fptosi(self.shaped(number_type(target)), inside)
        result = arith.select(above, self.constant(target, limit - 1), result)
        return arith.select(below, self.constant(target, -limit), result)

    # Operations

    def apply(self, kind: str, dtype: str, values: Sequence[ir.Value]) -> ir.Value:
        """An operation of `kinds.ARITY` on values of one type; a comparison's result is an i1."""
        if kind in MOVES:
            return values[0]
        if kind in COMPARISONS:
            return self.compare(kind, dtype, *values)
        if kind == "select":
            return arith.select(*values)
        if dtype in FLOATS:
            return self.rounded(dtype, self._float(kind, dtype, values))
        return self._boolean(kind, *values) if dtype == "i1" else self._integer(kind, dtype, values)

    def multiply_add(self, dtype: str, total: ir.Value, a: ir.Value, b: ir.Value) -> ir.Value:
        """total + a * b."""
        if dtype == "i1":
            return arith.ori(total, arith.andi(a, b))
        if dtype not in FLOATS:
            return arith.addi(total, arith.muli(a, b))
        if dtype == "f32" or (dtype in HALVES and processor().has_fma):
            return self.rounded(dtype, math.fma(a, b, total))
        return self.rounded(dtype, arith.addf(total, arith.mulf(a, b)))

    def compare(self, kind: str, dtype: str, a: ir.Value, b: ir.Value) -> ir.Value:
        """A comparison; those with NaN are false, but for `ne`."""
        if dtype in FLOATS:
            return arith.cmpf(getattr(arith.CmpFPredicate, _FLOAT_TESTS[kind]), a, b)
        sign = "" if kind in ("eq", "ne") else "u" if dtype == "i1" else "s"
        return arith.cmpi(getattr(arith.CmpIPredicate, sign + kind), a, b)

    def _float(self, kind: str, dtype: str, values: Sequence[ir.Value]) -> ir.Value:
        a, b = values[0], values[-1]
        if kind in ("log1p", "expm1"):
            return self._near_one(kind, dtype, a)
        if kind == "rsqrt":
            return arith.divf(self.constant(dtype, 1.0), self.rounded(dtype, math.sqrt(a)))
        if kind == "sigmoid":
            one = self.constant(dtype, 1.0)
            grown = self.rounded(dtype, math.exp(arith.negf(a)))
            return arith.divf(one, self.rounded(dtype, arith.addf(one, grown)))
        if kind in ("max", "min"):
            first = self.compare("gt" if kind == "max" else "lt", dtype, a, b)
            return arith.select(arith.ori(first, self.compare("ne", dtype, a, a)), a, b)
        return _on_floats(kind)(*values)

    def _near_one(self, kind: str, dtype: str, x: ir.Value) -> ir.Value:
        """log(1 + x) or exp(x) - 1 without cancellation: what the rounding of 1 + x or exp(x) did is undone (W. Kahan).

        With u = 1 + x, log(1 + x) = x log(u) / (u - 1); with u = exp(x), exp(x) - 1 = x (u - 1) / log(u). Where x is
        greater than 1 in size nothing cancels, and u may be infinite or denormal.
        """
        one = self.constant(dtype, 1.0)
        u = arith.addf(one, x) if kind == "log1p" else math.exp(x)
        less, logarithm = arith.subf(u, one), math.log(u)
        above, below = (logarithm, less) if kind == "log1p" else (less, logarithm)
        result = arith.mulf(x, arith.divf(above, below))
        result = arith.select(self.compare("eq", dtype, u, one), x, result)
        return arith.select(self.compare("gt", dtype, math.absf(x), one), above, result)

    def _integer(self, kind: str, dtype: str, values: Sequence[ir.Value]) -> ir.Value:
        a, b = values[0], values[-1]
        if kind in ("floor", "ceil", "round"):
            return a
        if kind in ("neg", "abs"):
            zero = self.constant(dtype, 0)
            negative = arith.subi(zero, a)
            return (
                negative if kind == "neg" else arith.select(self.compare("lt", dtype, a, zero), negative, a)
            )
        if kind in ("div", "rem"):
            return self._divide(kind, dtype, a, b)
        if kind == "pow":
            return self._power(dtype, a, b)
        return _on_integers(kind)(*values)

    def _boolean(self, kind: str, a: ir.Value, b: ir.Value) -> ir.Value:
        binary = {"add": arith.ori, "max": arith.ori, "or": arith.ori, "mul": arith.andi, "min": arith.andi,
                  "and": arith.andi, "xor": arith.xori}  # fmt: skip
        return binary[kind](a, b)

    def _divide(self, kind: str, dtype: str, a: ir.Value, b: ir.Value) -> ir.Value:
        """By 0 and -1 apart: the processor traps on x / 0 and on the lowest number / -1."""
        zero, one, minus = (self.constant(dtype, n) for n in (0, 1, -1))
        by_zero, by_minus = self.compare("eq", dtype, b, zero), self.compare("eq", dtype, b, minus)
        safe = arith.select(arith.ori(by_zero, by_minus), one, b)
        if kind == "rem":
            return arith.remsi(a, safe)
        quotient = arith.select(by_minus, arith.subi(zero, a), arith.divsi(a, safe))
        return arith.select(by_zero, zero, quotient)

    def _power(self, dtype: str, a: ir.Value, b: ir.Value) -> ir.Value:
        """By squaring, a bit of the exponent at a time."""
        zero, one = self.constant(dtype, 0), self.constant(dtype, 1)
        low, step = (arith.ConstantOp.create_index(n).result for n in (0, 1))
        bits = arith.ConstantOp.create_index(8 * DTYPE_BYTES[dtype] - 1).result
        loop = scf.ForOp(low, bits, step, [one, a, b])
        with ir.InsertionPoint(loop.body):
            power, square, rest = loop.inner_iter_args
            odd = self.compare("ne", dtype, arith.andi(rest, one), zero)
            power = arith.select(odd, arith.muli(power, square), power)
            scf.YieldOp([power, arith.muli(square, square), arith.shrui(rest, one)])
        odd = self.compare("ne", dtype, arith.andi(b, one), zero)
        unit = arith.select(odd, a, one)
        size = self._integer("abs", dtype, [a])
        inverse = arith.select(self.compare("eq", dtype, size, one), unit, zero)
        return arith.select(self.compare("lt", dtype, b, zero), inverse, loop.results[0])


def _half(dtype: str) -> ir.Type:
    return ir.F16Type.get() if dtype == "f16" else ir.BF16Type.get()


def _on_floats(kind: str) -> Callable[..., ir.Value]:
    """Makes the operation that means a kind on floats."""
    return _operation(KINDS[kind].operations[0])


def _on_integers(kind: str) -> Callable[..., ir.Value]:
    return _operation(KINDS[kind].operations[-1])


def _operation(name: str) -> Callable[..., ir.Value]:
    dialect, _, mnemonic = name.partition(".")
    return getattr(_OWNERS[dialect], mnemonic)
