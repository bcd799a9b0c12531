"""Functions that are no instructions, on all kinds of arguments, against NumPy in double or the C library."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.cpu.processor import processor
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.runtime.cpu.jit import compile_function
from wse_mlir.runtime.native.codegen import NativeCode

Function = Callable[..., np.ndarray]


def of_each(function: Callable[[float], float]) -> Function:
    """A function of the C library for NumPy, NaN where it has no value and infinity where it overflows."""

    def of_one(x: float) -> float:
        try:
            return function(x)
        except ValueError:
            return math.nan
        except OverflowError:
            return math.copysign(math.inf, x)

    return np.vectorize(of_one, otypes=[np.float64])


FUNCTIONS: dict[str, Function] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "exp2": np.exp2,
    "log2": np.log2,
    "log10": np.log10,
    "sin": of_each(math.sin),
    "cos": of_each(math.cos),
    "tan": of_each(math.tan),
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "asinh": np.arcsinh,
    "acosh": np.arccosh,
    "atanh": np.arctanh,
    "cbrt": np.cbrt,
    "erf": of_each(math.erf),
    "erfc": of_each(math.erfc),
}
ROUNDING: dict[str, Function] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "trunc": np.trunc,
    "roundeven": np.rint,
    "round": lambda x: np.copysign(np.floor(np.abs(x)) + (np.abs(x) - np.floor(np.abs(x)) >= 0.5), x),
}
BINARY = {
    "math.atan2",
    "math.powf",
    "math.copysign",
    "math.fpowi",
    "arith.remf",
    "arith.divf",
    "arith.maximumf",
    "arith.minimumf",
    "arith.minnumf",
    "arith.maxnumf",
}
_COMPILED: dict[tuple[str, int], Callable[[list[tuple[int, np.ndarray]]], object]] = {}
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, -2.0, 1e-45, 1e-38, -1e-38, 3e38, -3e38, 1.0, 0.5, 2.0]
ULP = {
    np.float32: 2.0**-23,
    np.float64: 2.0**-52,
}  # of 1: two units in the last place for numbers just below a power
# Where NumPy or the C library itself is not exact to the last digit, their errors count, too
MOST = {np.float32: 4e-7, np.float64: 1.1e-15}


def arguments(dtype: type) -> np.ndarray:
    """All magnitudes, both signs, the neighbourhoods of 0, 1 and -1, and where results overflow."""
    generator = np.random.default_rng(0)
    double = dtype is np.float64
    size = 10.0 ** generator.uniform(*((-320, 308) if double else (-44, 38)), 3000)
    near = 10.0 ** generator.uniform(-9, 0, 1500)
    ends = generator.uniform(-750, 750, 1500 if double else 0)
    middle = generator.uniform(-110, 110, 3000)
    parts = [SPECIAL, size, -size, near, -near, 1 + near, 1 - near, middle, middle / 10, ends]
    return np.concatenate(parts).astype(dtype)


def kernel(name: str, operation: str, kind: str, size: int) -> str:
    """A function of two vectors of numbers that stores one operation's results in a third."""
    integer = f"%n = arith.fptosi %w : {kind} to i32" if operation == "math.fpowi" else ""
    types = f"{kind}, i32" if integer else kind
    operands = "%v, %w" if operation in BINARY or operation == "math.ipowi" else "%v"
    memref = f"memref<{size}x{kind}>"
    return f"""
func.func @{name}(%x: {memref}, %e: {memref}, %y: {memref}) attributes {{llvm.emit_c_interface}} {{
  linalg.generic {{indexing_maps = [#i, #i, #i], iterator_types = ["parallel"]}}
      ins(%x, %e : {memref}, {memref}) outs(%y : {memref}) {{
  ^bb0(%v: {kind}, %w: {kind}, %old: {kind}):
    {integer}
    %r = {operation} {operands.replace("%w", "%n") if integer else operands} : {types}
    linalg.yield %r : {kind}
  }}
  return
}}"""


def compute(operation: str, x: np.ndarray, options: str = "", second: np.ndarray | None = None) -> np.ndarray:
    """An operation on each number, or on each number and a second one."""
    kind = x.dtype.kind + str(8 * x.itemsize)
    text = "#i = affine_map<(d) -> (d)>" + kernel("main", operation, kind, x.size)
    result = np.empty_like(x)
    native(text, options)([(0, x), (1, x if second is None else second), (2, result)])
    return result


def native(text: str, options: str) -> Callable[[list[tuple[int, np.ndarray]]], object]:
    """The function @main, compiled; it takes three vectors."""
    with create_context():
        module = ir.Module.parse(text)
        passes = f"func.func(wse-vectorize{options},wse-expand-math{options}),canonicalize,cse"
        run_pipeline(module, f"builtin.module({passes})")
        run_pipeline(module, f"builtin.module({named_pipeline('cpu').stages[-1].text})")
        return compile_function(module, "main", [1, 1, 1])


@pytest.mark.parametrize("options", ["", "{cpu=x86-64}"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_are_accurate_to_the_last_digits(name: str, dtype: type, options: str) -> None:
    x = arguments(dtype)
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name](x.astype(np.float64))
        rounded = exact.astype(dtype)
    assert_close(compute(f"math.{name}", x, options), exact, rounded, MOST[dtype])


@pytest.mark.parametrize("options", ["", "{cpu=x86-64}"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_powers_are_accurate_for_all_kinds_of_bases_and_exponents(dtype: type, options: str) -> None:
    bases, exponents = pairs(dtype)
    exact = on_doubles(np.power, bases, exponents)
    limit = {np.float32: 2e-7, np.float64: 5e-16}[dtype]
    assert_close(compute("math.powf", bases, options, exponents), exact, rounded(exact, dtype), limit)


@pytest.mark.parametrize("options", ["", "{cpu=x86-64}"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_angles_lie_in_all_quadrants(dtype: type, options: str) -> None:
    y, x = pairs(dtype)
    exact = on_doubles(np.arctan2, y, x)
    assert_close(compute("math.atan2", y, options, x), exact, rounded(exact, dtype), 2 * ULP[dtype])


@pytest.mark.parametrize("options", ["", "{cpu=x86-64}"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_remainders_are_exact(dtype: type, options: str) -> None:
    """Quotients of thousands of digits, divisors that are denormal, zeros, infinities."""
    x, y = pairs(dtype)
    with np.errstate(all="ignore"):
        exact = np.fmod(x, y)
    got = compute("arith.remf", x, options, y)
    np.testing.assert_array_equal(got, exact)
    assert np.array_equal(np.signbit(got[exact == 0]), np.signbit(exact[exact == 0]))


def pairs(dtype: type) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of all sizes, moderate ones with all kinds of exponents, and specials with each other."""
    generator = np.random.default_rng(1)
    most = 300 if dtype is np.float64 else 37
    specials = np.array([*SPECIAL, 3.0, -3.0, 0.3, 2.5, 1e-320 if dtype is np.float64 else 1e-45])
    wide = 10.0 ** generator.uniform(-most, most, (2, 1000)) * generator.choice([-1, 1], (2, 1000))
    x = [wide[0], 10.0 ** generator.uniform(-30, 30, 1000), generator.uniform(0.5, 2, 1000)]
    y = [wide[1], generator.uniform(-3, 3, 1000), generator.uniform(-200, 200, 1000)]
    x += [-generator.uniform(0, 10, 500), np.repeat(specials, len(specials))]
    y += [generator.integers(-9, 9, 500), np.tile(specials, len(specials))]
    with np.errstate(over="ignore", under="ignore"):
        return np.concatenate(x).astype(dtype), np.concatenate(y).astype(dtype)


def on_doubles(function: Function, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    with np.errstate(all="ignore"):
        return function(x.astype(np.float64), y.astype(np.float64))


def rounded(exact: np.ndarray, dtype: type) -> np.ndarray:
    with np.errstate(all="ignore"):
        return exact.astype(dtype)


@pytest.mark.parametrize("options", ["", "{cpu=x86-64}"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sines_of_many_turns_are_reduced_with_all_digits(dtype: type, options: str) -> None:
    """Multiples of pi / 2 as near as numbers come to them, of both signs: most digits cancel."""
    turns = np.arange(1, 5000, dtype=np.float64) * (np.pi / 2)
    many = [turns, -turns * 2.0**20, turns * 2.0**60, -turns * 2.0**80]
    many += [turns * 2.0**900] if dtype is np.float64 else []
    x = np.concatenate(many).astype(dtype)
    for name in ("sin", "cos"):
        exact = FUNCTIONS[name](x.astype(np.float64))
        assert_close(compute(f"math.{name}", x, options), exact, exact.astype(dtype), 2 * ULP[dtype])


@pytest.mark.parametrize("options", ["", "{cpu=x86-64}"])
def test_the_f64_nearest_to_a_multiple_of_half_pi(options: str) -> None:
    """C libraries may not have all digits of it: from J.-M. Muller, Elementary Functions, and mpmath."""
    x = np.full(9, 6381956970095103.0 * 2.0**797)
    np.testing.assert_allclose(abs(compute("math.cos", x, options)), 4.68716592425462761112e-19, rtol=2.3e-16)


@pytest.mark.parametrize("options", ["", "{cpu=x86-64}"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rounding_is_exact(dtype: type, options: str) -> None:
    """Halves, what lies beside them, and numbers without a fraction."""
    halves = np.arange(-20, 20, dtype=dtype) / 2
    x = np.concatenate(
        [arguments(dtype), halves, np.nextafter(halves, dtype(99)), np.nextafter(halves, dtype(-99))]
    )
    for name, function in ROUNDING.items():
        with np.errstate(invalid="ignore"):
            exact = function(x)
        got = compute(f"math.{name}", x, options)
        np.testing.assert_array_equal(got, exact, name)
        assert np.array_equal(np.signbit(got[got == 0]), np.signbit(exact[got == 0])), name


@pytest.mark.parametrize("options", ["", "{cpu=x86-64}"])
def test_extrema_keep_nan_or_leave_it(options: str) -> None:
    x = np.array(SPECIAL, np.float32)
    left, right = np.repeat(x, len(x)), np.tile(x, len(x))
    functions = {"maximumf": np.maximum, "minimumf": np.minimum, "maxnumf": np.fmax, "minnumf": np.fmin}
    for name, function in functions.items():
        got = compute(f"arith.{name}", left, options, right)
        np.testing.assert_array_equal(got, function(left, right), name)


@pytest.mark.parametrize("dtype", [np.int8, np.int32, np.int64])
def test_powers_of_integers_wrap(dtype: type) -> None:
    generator = np.random.default_rng(2)
    bases, exponents = (
        generator.integers(-9, 9, 300).astype(dtype),
        generator.integers(0, 25, 300).astype(dtype),
    )
    ones = np.array([1, -1, -1, 5], dtype)
    below = np.array([-3, -3, -2, -1], dtype)
    got = compute("math.ipowi", np.concatenate([bases, ones]), "", np.concatenate([exponents, below]))
    np.testing.assert_array_equal(
        got, np.concatenate([np.power(bases, exponents), np.array([1, -1, 1, 0], dtype)])
    )


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(width=32), min_size=64, max_size=64))
def test_any_f32_whatsoever(numbers: list[float]) -> None:
    """All bit patterns are equally welcome, those next to specials in one vector."""
    x = np.array(numbers, np.float32)
    for name in ("exp", "sin"):
        with np.errstate(all="ignore"):
            exact = FUNCTIONS[name](x.astype(np.float64))
            expected = exact.astype(np.float32)
        assert_close(compute_again(name, x), exact, expected, MOST[np.float32])


def compute_again(name: str, x: np.ndarray) -> np.ndarray:
    if (name, x.size) not in _COMPILED:
        text = "#i = affine_map<(d) -> (d)>" + kernel("main", f"math.{name}", "f32", x.size)
        _COMPILED[name, x.size] = native(text, "")
    result = np.empty_like(x)
    _COMPILED[name, x.size]([(0, x), (1, x), (2, result)])
    return result


_ALL = (*(f"math.{name}" for name in (*FUNCTIONS, *ROUNDING, "sqrt", "rsqrt", "absf")), *sorted(BINARY))
_NARROW = ("math.absf", "math.ceil", "math.exp", "math.round", "math.rsqrt", "math.sqrt", *sorted(BINARY))


@pytest.mark.parametrize(
    ("kind", "options", "operations"),
    [
        ("f32", "", _ALL),
        ("f32", "{cpu=x86-64}", _ALL),
        ("f64", "", _ALL),
        ("f64", "{cpu=x86-64}", _ALL),
        ("f16", "", _NARROW),
        ("bf16", "{cpu=x86-64}", _NARROW),
    ],
)
def test_no_function_is_called(kind: str, options: str, operations: tuple[str, ...]) -> None:
    """The object of all functions needs nothing of a library."""
    names = [f"f{at}" for at in range(len(operations))]
    text = "".join(kernel(name, what, kind, 37) for name, what in zip(names, operations, strict=True))
    stages = named_pipeline("cpu").stages
    expand = stages[-2].text
    for name in ("wse-expand-math", "wse-expand-half"):
        expand = expand.replace(name, name + options)
    with create_context():
        module = ir.Module.parse("#i = affine_map<(d) -> (d)>" + text)
        run_pipeline(module, f"builtin.module(func.func(wse-vectorize{options}),{expand})")
        run_pipeline(module, f"builtin.module({stages[-1].text})")
        code = NativeCode(module, processor(options[5:-1]), "functions", tuple(names))
    assert code.needs() == ()


def assert_close(got: np.ndarray, exact: np.ndarray, rounded: np.ndarray, tolerance: float) -> None:
    """Relative error on normal results, absolute on denormal ones; infinities, NaN and signs of zero in place."""
    assert np.array_equal(np.isnan(got), np.isnan(rounded))
    infinite = np.isinf(rounded)
    assert np.array_equal(got[infinite], rounded[infinite])
    zero = rounded == 0
    assert np.array_equal(np.signbit(got[zero]), np.signbit(rounded[zero]))
    finite = np.isfinite(rounded)
    smallest = np.finfo(rounded.dtype).tiny
    step = float(np.finfo(rounded.dtype).smallest_subnormal)
    error = np.abs(got[finite].astype(np.float64) - exact[finite])
    allowed = np.maximum(tolerance * np.maximum(np.abs(exact[finite]), smallest), 2 * step)
    worst = np.argmax(error / allowed)
    assert error[worst] <= allowed[worst], (exact[finite][worst], error[worst] / abs(exact[finite][worst]))
