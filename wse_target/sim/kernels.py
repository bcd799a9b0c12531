"""PE arithmetic: the protocol behind which compiled kernels reach the simulator, and the NumPy ones.

A kernel runs one vector operation on many PEs at once. It gets strided views whose first axis is the PE and whose
further axes are the operation's loops; an axis of stride 0 repeats an element.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import ml_dtypes
import numpy as np

NUMPY_DTYPE: dict[str, np.dtype[Any]] = {
    "f64": np.dtype(np.float64), "f32": np.dtype(np.float32), "f16": np.dtype(np.float16),
    "bf16": np.dtype(ml_dtypes.bfloat16), "i1": np.dtype(np.bool_), "i8": np.dtype(np.int8),
    "i16": np.dtype(np.int16), "i32": np.dtype(np.int32), "i64": np.dtype(np.int64),
}  # fmt: skip

Operand = np.ndarray | float | int
Kernel = Callable[[np.ndarray, Sequence[Operand]], None]


@dataclass(frozen=True)
class Signature:
    """All that a kernel's code depends on.

    Attributes:
        kind: of `wse_target.kinds.ARITY`.
        bounds: trip counts, outermost first.
        dst / srcs: element type of each operand, "" for a scalar.
        sequential: loops that must run in order, one trip after the other: those along which the destination
            has stride 0, or all of them when a source reads what earlier iterations wrote.
    """

    kind: str
    bounds: tuple[int, ...]
    dst: str
    srcs: tuple[str, ...]
    sequential: tuple[bool, ...]


class KernelProvider(Protocol):
    """Makes kernels; asked once per signature and instruction."""

    def kernel(self, signature: Signature) -> Kernel:
        """A function (dst, srcs) that writes the operation's result into `dst`, a view [PEs, *bounds].

        Every elementary operation rounds to the destination's type (the first source's for a comparison), and
        accumulation happens in loop order. `fma` rounds its product and its sum separately.
        """
        ...


def _erf(x: np.ndarray) -> np.ndarray:
    return np.asarray(_math_erf(x.astype(np.float64)), np.float64).astype(x.dtype)


_math_erf = np.frompyfunc(math.erf, 1, 1)


def _divide(a: Any, b: Any) -> Any:
    """Integers divide towards zero, as arith.divsi does; by 0 gives 0."""
    if np.asarray(a).dtype.kind not in "iu":
        return a / b
    safe = np.where(b == 0, 1, b)
    quotient = np.abs(a) // np.abs(safe)
    return np.where(b == 0, 0, np.where((a < 0) != (b < 0), -quotient, quotient)).astype(np.asarray(a).dtype)


def _sigmoid(x: np.ndarray) -> np.ndarray:
    one = x.dtype.type(1)
    return one / (one + np.exp(-x))


# Elementary operations on arrays of one type. `round` is to even, as torch.round.
ELEMENTARY: dict[str, Callable[..., Any]] = {
    "fill": lambda a: a, "copy": lambda a: a, "convert": lambda a: a,
    "add": np.add, "sub": np.subtract, "mul": np.multiply, "div": _divide,
    "max": np.maximum, "min": np.minimum, "rem": np.fmod, "pow": np.power,
    "neg": np.negative, "abs": np.abs, "floor": np.floor, "ceil": np.ceil, "round": np.rint,
    "exp": np.exp, "exp2": np.exp2, "expm1": np.expm1, "log": np.log, "log1p": np.log1p, "log2": np.log2,
    "sqrt": np.sqrt, "rsqrt": lambda a: a.dtype.type(1) / np.sqrt(a),
    "tanh": np.tanh, "erf": _erf, "sin": np.sin, "cos": np.cos, "sigmoid": _sigmoid,
    "and": np.bitwise_and, "or": np.bitwise_or, "xor": np.bitwise_xor,
    "eq": np.equal, "ne": np.not_equal, "lt": np.less, "le": np.less_equal,
    "gt": np.greater, "ge": np.greater_equal,
}  # fmt: skip
COMPARISONS = frozenset({"eq", "ne", "lt", "le", "gt", "ge"})


class NumpyKernels:
    """Kernels made of NumPy calls: loops that must run in order are Python loops, all others one array operation."""

    def kernel(self, signature: Signature) -> Kernel:
        """See `KernelProvider.kernel`."""
        step = _step(signature)
        loops = [i for i, in_order in enumerate(signature.sequential) if in_order]

        def run(dst: np.ndarray, srcs: Sequence[Operand]) -> None:
            with np.errstate(all="ignore"):
                if not loops:
                    step(dst, srcs)
                    return
                select: list[Any] = [slice(None)] * dst.ndim
                for trip in np.ndindex(*(signature.bounds[i] for i in loops)):
                    for loop, index in zip(loops, trip, strict=True):
                        select[1 + loop] = index
                    key = tuple(select)
                    step(dst[key], [s[key] if isinstance(s, np.ndarray) else s for s in srcs])

        return run


def _step(signature: Signature) -> Callable[[np.ndarray, Sequence[Operand]], None]:
    """The operation on a part of the loop nest in which no iteration depends on another."""
    kind, dtype = signature.kind, NUMPY_DTYPE[signature.dst]
    if kind == "fma":
        return lambda dst, srcs: _fma(dst, srcs, dtype)
    if kind == "select":
        return lambda dst, srcs: _select(dst, srcs, dtype)
    if kind == "iota":
        return lambda dst, srcs: np.copyto(
            dst, _as(srcs[0], dtype) + np.arange(dst.shape[-1]).astype(dtype), casting="unsafe"
        )
    operand_dtype = dtype
    if kind in COMPARISONS:
        operand_dtype = next((NUMPY_DTYPE[s] for s in signature.srcs if s), np.dtype(np.float64))
    function = ELEMENTARY[kind]
    if kind in ("fill", "copy", "convert"):
        return lambda dst, srcs: np.copyto(dst, _as(srcs[0], dtype))
    return lambda dst, srcs: np.copyto(
        dst, function(*(_as(s, operand_dtype) for s in srcs)), casting="unsafe"
    )


def _as(operand: Operand, dtype: np.dtype[Any]) -> np.ndarray:
    """An operand in the type that the operation computes in."""
    if isinstance(operand, np.ndarray):
        return operand if operand.dtype == dtype else operand.astype(dtype)
    return np.asarray(operand).astype(dtype)


def _fma(dst: np.ndarray, srcs: Sequence[Operand], dtype: np.dtype[Any]) -> None:
    product = np.multiply(_as(srcs[0], dtype), _as(srcs[1], dtype))
    np.add(dst, product, out=dst)


def _select(dst: np.ndarray, srcs: Sequence[Operand], dtype: np.dtype[Any]) -> None:
    condition = _as(srcs[0], np.dtype(np.bool_))
    np.copyto(dst, np.where(condition, _as(srcs[1], dtype), _as(srcs[2], dtype)))
