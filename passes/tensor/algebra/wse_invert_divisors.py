"""`wse-invert-divisors`: division by a constant, or by one number of many elements, becomes multiplication."""

from __future__ import annotations

import math
from math import prod
from typing import Any

from ....dialects.affine.maps import map_dims
from ....dialects.host import arith, ir
from ....dialects.host import math as math_dialect
from ....dialects.structured import Structured, structured
from ...infra.pass_base import Pass, PassRun, option
from ..contraction.factors import product_factors
from ..scalar_eval import numpy_dtype
from ..traversal import collect, made_by
from .smooth_uses import has_smooth_uses
from .softmax_sums import is_softmax_sum

# exponents: of the least normal number, and of the bound within which a number and its reciprocal are far from the
# ends of the type
_SMALLEST = {"f16": -14, "bf16": -126, "f32": -126, "f64": -1022}
_SAFE = {"f16": 12, "bf16": 64, "f32": 64, "f64": 512}


class InvertDivisors(Pass, name="wse-invert-divisors", anchor="func.func"):
    """Multiplies by reciprocals, for machines on which a division takes as long as a hundred multiplications.

    * By powers of two, always: it is the same number.
    * By other constants that are normal as their reciprocals are.
    * By what is the same for several elements (a row's norm, sum or maximum): one reciprocal for all of them. A divisor
      that may be very small or large is scaled by a power of two first, and so is the product, so that results
      overflow, vanish and lose digits where quotients do. Sums of a softmax and square roots are neither.

        %q = arith.divf %x, %total : f32          // %total has one value a row
    becomes
        %r = arith.divf 1.0, %total : f32         // once a row
        %q = arith.mulf %x, %r : f32

    Products by rounded reciprocals are off by up to 1.5 units in the last place. Where that could be seen (floors,
    conversions to integers, comparisons, logarithms, sines) and in the mean of numbers, which is exact for equal ones,
    the division stays.
    """

    fewest: int = option(4, "fewest elements for which one reciprocal is worth while", least=1)

    def run(self, op: ir.Operation, run: PassRun) -> None:
        for generic in collect(op, lambda o: o.name == "linalg.generic" and len(o.results) > 0):
            view = structured(generic)
            if view is None:
                continue
            shared: dict[ir.Value, tuple[ir.Value, ir.Value | None]] = {}
            for division in [o for o in view.body_operations() if o.operation.name == "arith.divf"]:
                if str(division.result.type) in _SAFE and self._invert(view, division, shared):
                    run.count("divisions that became products")

    def _invert(
        self, view: Structured, division: Any, shared: dict[ir.Value, tuple[ir.Value, ir.Value | None]]
    ) -> bool:
        constant = made_by(division.rhs)
        if constant is not None and constant.name == "arith.constant":
            return _multiply_by_constant(view, division, ir.FloatAttr(constant.attributes["value"]).value)
        if self._elements(view, division) < self.fewest or not has_smooth_uses(division.result):
            return False
        if division.rhs not in shared:
            with division.location:
                shared[division.rhs] = _reciprocal(view, division.rhs)
        reciprocal, scale = shared[division.rhs]
        with division.location, ir.InsertionPoint(division):
            product = arith.mulf(division.lhs, reciprocal)
            if scale is not None:
                product = arith.mulf(product, scale)
        _replace(division, product)
        return True

    def _elements(self, view: Structured, division: Any) -> int:
        """How many elements a divisor divides; 0 if that is not known."""
        sizes = view.loop_sizes()
        more = _iterators(view, division.lhs) - _iterators(view, division.rhs)
        known = [size for i in more if (size := sizes[i]) is not None]
        return prod(known) if len(known) == len(more) else 0


def _replace(division: Any, product: ir.Value) -> None:
    division.result.replace_all_uses_with(product)
    division.operation.erase()


def _multiply_by_constant(view: Structured, division: Any, divisor: float) -> bool:
    kind = division.result.type
    dtype: Any = numpy_dtype(kind)
    if not math.isfinite(divisor) or divisor == 0:
        return False
    if abs(divisor) < 2.0 ** _SMALLEST[str(kind)]:
        return False
    reciprocal = float(dtype.type(1) / dtype.type(divisor))
    if abs(reciprocal) < 2.0 ** _SMALLEST[str(kind)]:
        return False
    is_exact = abs(math.frexp(divisor)[0]) == 0.5
    if not is_exact and (_is_sum(view, division.lhs) or not has_smooth_uses(division.result)):
        return False
    with division.location, ir.InsertionPoint(division):
        _replace(division, arith.mulf(division.lhs, arith.constant(kind, reciprocal)))
    return True


def _is_sum(view: Structured, scalar: ir.Value) -> bool:
    """Whether a scalar is an element of a sum of elements that are no products."""
    number = _position(view, scalar)
    maker = None if number is None else made_by(view.operands[number])
    while maker is not None and maker.name in ("tensor.expand_shape", "tensor.collapse_shape"):
        maker = made_by(maker.operands[0])
    made = None if maker is None else structured(maker)
    return made is not None and not made.is_parallel() and product_factors(made) is None


def _position(view: Structured, scalar: ir.Value) -> int | None:
    """The operand of which a scalar is an element."""
    return next((k for k, argument in enumerate(view.body.arguments) if argument == scalar), None)


def _iterators(view: Structured, scalar: ir.Value) -> frozenset[int]:
    """The iterators of more than one step that a scalar of a body depends on."""
    number = _position(view, scalar)
    if number is not None:
        sizes = view.loop_sizes()
        return frozenset(i for i in map_dims(view.maps[number]) if sizes[i] != 1)
    op = made_by(scalar)
    if op is None or op.block != view.body:
        return frozenset()
    if op.name == "linalg.index":
        return frozenset([ir.IntegerAttr(op.attributes["dim"]).value])
    return frozenset().union(*(_iterators(view, v) for v in op.operands))


def _reciprocal(view: Structured, divisor: ir.Value) -> tuple[ir.Value, ir.Value | None]:
    """(what to multiply by, and then by what), behind the divisor."""
    kind, maker = divisor.type, made_by(divisor)
    where = _behind(view, maker)
    with where:
        one = arith.constant(kind, 1.0)
        if _is_moderate(view, divisor):
            return arith.divf(one, divisor), None
        bound = 2.0 ** _SAFE[str(kind)]
        large, small = arith.constant(kind, bound), arith.constant(kind, 1 / bound)
        size = math_dialect.absf(divisor)
        too_small = arith.cmpf(arith.CmpFPredicate.OLT, size, small)
        too_large = arith.cmpf(arith.CmpFPredicate.OGT, size, large)
        scale = arith.select(too_small, large, arith.select(too_large, small, one))
        return arith.divf(one, arith.mulf(divisor, scale)), scale


def _behind(view: Structured, maker: Any) -> ir.InsertionPoint:
    if maker is not None and maker.block == view.body:
        return ir.InsertionPoint.after(maker)
    return ir.InsertionPoint.at_block_begin(view.body)


def _is_moderate(view: Structured, scalar: ir.Value) -> bool:
    """Whether the reciprocal of a number neither overflows nor loses digits, unless the number is zero."""
    number = _position(view, scalar)
    if number is not None:
        value = view.operands[number]
        maker = made_by(value)
        made = None if maker is None else structured(maker)
        if is_softmax_sum(value):
            return True
        if made is None or not made.is_parallel() or len(made.yielded) != 1:
            return False
        return _is_moderate(made, made.yielded[0])
    op = made_by(scalar)
    if op is None:
        return False
    if op.name == "math.sqrt":
        return True
    if op.name in ("arith.maximumf", "arith.minimumf"):
        return all(_is_moderate(view, v) for v in op.operands)
    if op.name != "arith.constant":
        return False
    size = abs(ir.FloatAttr(op.attributes["value"]).value)
    bound = 2.0 ** _SAFE[str(scalar.type)]
    return 1 / bound <= size <= bound
