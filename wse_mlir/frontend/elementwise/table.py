"""Elementwise operators of PyTorch: in which type each computes, and what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from . import activations, division, functions
from .number import Number


class Computed(Enum):
    """The type that operands are brought into."""

    RESULT = auto()  # the result's
    WIDE = auto()  # the result's, f32 for narrower floats: PyTorch rounds once
    COMMON = auto()  # what PyTorch promotes the operands to
    WIDE_COMMON = auto()
    OWN = auto()  # each one's own


@dataclass(frozen=True)
class Rule:
    """How an operator is computed.

    Attributes:
        body: of the operands: `Number`s for tensors and for numbers not known now, else plain numbers, texts and None.
        own: positions of operands that keep their own type.
    """

    body: Callable[..., Number]
    computed: Computed
    own: tuple[int, ...] = ()


def _chosen(condition: Number, if_true: Any, if_false: Any) -> Number:
    return condition.truth().choose(if_true, if_false)


def _filled(x: Number, mask: Number, value: Any) -> Number:
    return mask.truth().choose(value, x)


_EXACT: dict[str, Callable[..., Number]] = {
    "add.Tensor": functions.added, "add.Scalar": functions.added,
    "sub.Tensor": functions.subtracted, "sub.Scalar": functions.subtracted,
    "rsub.Tensor": functions.subtracted_from, "rsub.Scalar": functions.subtracted_from,
    "mul.Tensor": lambda a, b: a * b, "mul.Scalar": lambda a, b: a * b,
    "neg": lambda x: -x, "abs": abs, "square": lambda x: x * x, "relu": activations.relu, "relu6": activations.relu6,
    "maximum": Number.greater, "minimum": Number.lesser, "max.other": Number.greater, "min.other": Number.lesser,
    "fmax": functions.greater_number, "fmin": functions.lesser_number,
    "clamp": lambda x, least=None, most=None: x.within(least, most),
    "clamp.Tensor": lambda x, least=None, most=None: x.within(least, most),
    "clamp_min": Number.greater, "clamp_min.Tensor": Number.greater,
    "clamp_max": Number.lesser, "clamp_max.Tensor": Number.lesser,
    "hardtanh": activations.hardtanh,
    "sign": functions.sign, "sgn": functions.sign, "heaviside": functions.step, "sqrt": functions.function_of("sqrt"),
    "copysign.Tensor": functions.copy_sign, "copysign.Scalar": functions.copy_sign,
    "floor": functions.rounding("floor"), "ceil": functions.rounding("ceil"), "trunc": functions.rounding("trunc"),
    "fix": functions.rounding("trunc"), "round": functions.round_to, "nan_to_num": functions.without_infinities,
    "reciprocal": lambda x: 1 / x, "div.Tensor": division.true_quotient, "div.Scalar": division.true_quotient,
    "div.Tensor_mode": division.quotient, "div.Scalar_mode": division.quotient,
    "floor_divide": division.downwards, "floor_divide.Scalar": division.downwards,
    "remainder.Tensor": division.remainder, "remainder.Scalar": division.remainder,
    "remainder.Scalar_Tensor": division.remainder,
    "fmod.Tensor": division.c_remainder, "fmod.Scalar": division.c_remainder,
    "pow.Tensor_Tensor": division.power, "pow.Tensor_Scalar": division.power,
    "float_power.Tensor_Tensor": division.power, "float_power.Tensor_Scalar": division.power,
    "ldexp.Tensor": functions.scaled_by_power,
    "bitwise_and.Tensor": lambda a, b: a & b, "bitwise_and.Scalar": lambda a, b: a & b,
    "bitwise_or.Tensor": lambda a, b: a | b, "bitwise_or.Scalar": lambda a, b: a | b,
    "bitwise_xor.Tensor": lambda a, b: a ^ b, "bitwise_xor.Scalar": lambda a, b: a ^ b,
    "bitwise_and.Scalar_Tensor": lambda a, b: a & b, "bitwise_or.Scalar_Tensor": lambda a, b: a | b,
    "bitwise_xor.Scalar_Tensor": lambda a, b: a ^ b,
    "bitwise_left_shift.Scalar_Tensor": functions.shifted_left,
    "bitwise_right_shift.Scalar_Tensor": functions.shifted_right,
    "bitwise_not": lambda x: ~x,
    "bitwise_left_shift.Tensor": functions.shifted_left, "bitwise_left_shift.Tensor_Scalar": functions.shifted_left,
    "bitwise_right_shift.Tensor": functions.shifted_right, "bitwise_right_shift.Tensor_Scalar": functions.shifted_right,
    "__lshift__.Tensor": functions.shifted_left, "__lshift__.Scalar": functions.shifted_left,
    "__rshift__.Tensor": functions.shifted_right, "__rshift__.Scalar": functions.shifted_right,
}  # fmt: skip
_MATH = "exp exp2 expm1 log log2 log10 log1p sin cos tan sinh cosh tanh asin acos atan asinh acosh atanh erf erfc rsqrt"
_WIDE: dict[str, Callable[..., Number]] = {
    **{name: functions.function_of(name) for name in _MATH.split()},
    "special_expm1": functions.function_of("expm1"), "special_erfc": functions.error_complement,
    "addcmul": functions.product_added, "addcdiv": functions.quotient_added,
    "lerp.Scalar": functions.between, "lerp.Tensor": functions.between,
    "atan2": lambda a, b: a.apply(functions.math.atan2, b), "hypot": functions.hypotenuse,
    "logaddexp": functions.log_of_sum, "logaddexp2": functions.log_of_sum_in_bits,
    "xlogy.Tensor": functions.x_log_y, "xlogy.Scalar_Other": functions.x_log_y,
    "special_xlog1py": functions.x_log1p_y, "special_xlog1py.other_scalar": functions.x_log1p_y,
    "logit": functions.logit, "sinc": functions.normalised_sine, "frac": functions.fraction,
    "round.decimals": functions.round_to,
    "special_ndtr": functions.normal_distribution, "special_entr": functions.entropy,
    "deg2rad": lambda x: x * 0.017453292519943295769, "rad2deg": lambda x: x * 57.295779513082320877,
    "sigmoid": activations.sigmoid, "silu": activations.silu, "gelu": activations.gelu, "mish": activations.mish,
    "hardsigmoid": activations.hardsigmoid, "hardswish": activations.hardswish,
    "leaky_relu": activations.leaky_relu, "elu": activations.elu, "selu": activations.selu, "celu": activations.celu,
    "threshold": activations.threshold, "threshold_backward": activations.threshold_backward,
    "softplus": activations.softplus, "log_sigmoid": activations.log_sigmoid,
    "softshrink": activations.softshrink, "hardshrink": activations.hardshrink,
    "leaky_relu_backward": activations.leaky_relu_backward, "hardtanh_backward": activations.hardtanh_backward,
    "sigmoid_backward": activations.sigmoid_backward, "tanh_backward": activations.tanh_backward,
}  # fmt: skip
_QUESTIONS: dict[str, Callable[..., Number]] = {
    **{f"{name}.{form}": compare for form in ("Tensor", "Scalar") for name, compare in {
        "eq": Number.equals, "ne": Number.differs, "lt": Number.__lt__, "le": Number.__le__,
        "gt": Number.__gt__, "ge": Number.__ge__,
    }.items()},
    "isnan": Number.is_nan, "isinf": Number.is_infinite, "isfinite": Number.is_finite, "signbit": Number.sign_bit,
    "isposinf": lambda x: x.equals(float("inf")) if x.is_float else functions.never(x),
    "isneginf": lambda x: x.equals(float("-inf")) if x.is_float else functions.never(x),
}  # fmt: skip
_LOGIC: dict[str, Callable[..., Number]] = {
    "logical_and": lambda a, b: a.truth() & b.truth(), "logical_or": lambda a, b: a.truth() | b.truth(),
    "logical_xor": lambda a, b: a.truth() ^ b.truth(), "logical_not": lambda x: ~x.truth(),
}  # fmt: skip

_POWERS_OF_NUMBERS = ("pow.Scalar", "float_power.Scalar")

CONVERSIONS = ("aten.to.dtype", "prims.convert_element_type")
REINTERPRETATION = "aten.view.dtype"

TABLE: dict[str, Rule] = {
    **{f"aten.{name}": Rule(body, Computed.RESULT) for name, body in _EXACT.items()},
    # A base of 2 is one of its own.
    **{
        f"aten.{name}": Rule(division.power_of_number, Computed.RESULT, own=(0,))
        for name in _POWERS_OF_NUMBERS
    },
    **{f"aten.{name}": Rule(body, Computed.WIDE) for name, body in _WIDE.items()},
    **{f"aten.{name}": Rule(body, Computed.COMMON) for name, body in _QUESTIONS.items()},
    **{f"aten.{name}": Rule(body, Computed.OWN) for name, body in _LOGIC.items()},
    **{name: Rule(lambda x, *_: x, Computed.OWN) for name in (*CONVERSIONS, REINTERPRETATION)},
    "aten.isclose": Rule(functions.is_close, Computed.WIDE_COMMON),
    "aten.where.self": Rule(_chosen, Computed.RESULT, own=(0,)),
    "aten.where.ScalarSelf": Rule(_chosen, Computed.RESULT, own=(0,)),
    "aten.where.ScalarOther": Rule(_chosen, Computed.RESULT, own=(0,)),
    "aten.masked_fill.Scalar": Rule(_filled, Computed.RESULT, own=(1,)),
    "aten.masked_fill.Tensor": Rule(_filled, Computed.RESULT, own=(1,)),
}
