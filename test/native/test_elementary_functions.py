"""exp, log and their relatives on all kinds of arguments, against NumPy in double precision."""

import math
from collections.abc import Callable

import numpy as np
import pytest
from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.pipelines.runtime.jit import compile_function

Function = Callable[[np.ndarray], np.ndarray]
FUNCTIONS: dict[str, Function] = {
    "exp": np.exp,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "tanh": np.tanh,
    "exp2": np.exp2,
    "log2": np.log2,
    "log10": np.log10,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "atan": np.arctan,
    "erf": np.vectorize(math.erf, otypes=[np.float64]),
}
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, -2.0, 1e-45, 1e-38, -1e-38, 3e38, -3e38, 1.0, 0.5, 2.0]


def arguments(dtype: type) -> np.ndarray:
    """All magnitudes, both signs, the neighbourhoods of 0, 1 and -1, and where results overflow."""
    generator = np.random.default_rng(0)
    size = 10.0 ** generator.uniform(-44, 38, 3000)
    near = 10.0 ** generator.uniform(-9, 0, 1500)
    parts = [SPECIAL, size, -size, near, -near, 1 + near, 1 - near, generator.uniform(-110, 110, 3000)]
    return np.concatenate(parts).astype(dtype)


def compute(name: str, x: np.ndarray, options: str = "", exponents: np.ndarray | None = None) -> np.ndarray:
    """A function of each number, or of each number and exponent."""
    kind = {4: "f32", 8: "f64"}[x.itemsize]
    exponents = x if exponents is None else exponents
    memref, operands = f"memref<{x.size}x{kind}>", "%v, %w" if name == "powf" else "%v"
    text = f"""
#i = affine_map<(d) -> (d)>
func.func @main(%x: {memref}, %e: {memref}, %y: {memref}) attributes {{llvm.emit_c_interface}} {{
  linalg.generic {{indexing_maps = [#i, #i, #i], iterator_types = ["parallel"]}}
      ins(%x, %e : {memref}, {memref}) outs(%y : {memref}) {{
  ^bb0(%v: {kind}, %w: {kind}, %old: {kind}):
    %r = math.{name} {operands} : {kind}
    linalg.yield %r : {kind}
  }}
  return
}}"""
    result = np.empty_like(x)
    native(text, options)([(0, x), (1, exponents), (2, result)])
    return result


def native(text: str, options: str) -> Callable[[list[tuple[int, np.ndarray]]], object]:
    """The function @main, compiled; it takes three vectors."""
    with create_context():
        module = ir.Module.parse(text)
        run_pipeline(
            module, f"builtin.module(func.func(wse-vectorize,wse-expand-math{options}),canonicalize,cse)"
        )
        run_pipeline(module, f"builtin.module({named_pipeline('cpu').stages[-1].text})")
        return compile_function(module, "main", [1, 1, 1])


@pytest.mark.parametrize("options", ["", "{cpu=x86-64}"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_f32_is_accurate_to_the_last_digits(name: str, options: str) -> None:
    x = arguments(np.float32)
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name](x.astype(np.float64))
        rounded = exact.astype(np.float32)
    assert_close(compute(name, x, options), exact, rounded, 4e-7)


@pytest.mark.parametrize("options", ["", "{cpu=x86-64}"])
def test_powers_are_accurate_for_all_kinds_of_bases_and_exponents(options: str) -> None:
    generator = np.random.default_rng(1)
    specials = np.array([*SPECIAL, 3.0, -3.0, 0.3, 2.5], np.float32)
    x = [
        10.0 ** generator.uniform(-30, 30, 2000),
        generator.uniform(0.5, 2, 2000),
        -generator.uniform(0, 10, 500),
    ]
    y = [generator.uniform(-3, 3, 2000), generator.uniform(-200, 200, 2000), generator.integers(-9, 9, 500)]
    bases = np.concatenate([*x, np.repeat(specials, len(specials))]).astype(np.float32)
    exponents = np.concatenate([*y, np.tile(specials, len(specials))]).astype(np.float32)
    with np.errstate(all="ignore"):
        exact = np.power(bases.astype(np.float64), exponents.astype(np.float64))
        rounded = exact.astype(np.float32)
    assert_close(compute("powf", bases, options, exponents), exact, rounded, 2e-7)


def test_sines_of_many_turns_are_reduced_with_all_digits() -> None:
    """Multiples of pi / 2 as near as f32 comes to them: most digits cancel."""
    turns = np.arange(1, 20000, dtype=np.float64) * (np.pi / 2)
    x = np.concatenate([turns, turns * 2.0**20, turns * 2.0**60]).astype(np.float32)
    for name, function in (("sin", np.sin), ("cos", np.cos)):
        exact = function(x.astype(np.float64))
        assert_close(compute(name, x), exact, exact.astype(np.float32), 2e-7)


@pytest.mark.parametrize("options", ["", "{cpu=x86-64}"])
def test_maxima_keep_nan(options: str) -> None:
    x = np.array(SPECIAL, np.float32)
    left, right = np.repeat(x, len(x)), np.tile(x, len(x))
    for operation, function in (("maximumf", np.maximum), ("minimumf", np.minimum)):
        np.testing.assert_array_equal(extremum(operation, left, right, options), function(left, right))


def extremum(operation: str, left: np.ndarray, right: np.ndarray, options: str) -> np.ndarray:
    text = f"""
func.func @main(%x: memref<{left.size}xf32>, %y: memref<{left.size}xf32>, %z: memref<{left.size}xf32>)
    attributes {{llvm.emit_c_interface}} {{
  linalg.generic {{indexing_maps = [#i, #i, #i], iterator_types = ["parallel"]}}
      ins(%x, %y : memref<{left.size}xf32>, memref<{left.size}xf32>) outs(%z : memref<{left.size}xf32>) {{
  ^bb0(%v: f32, %w: f32, %old: f32):
    %r = arith.{operation} %v, %w : f32
    linalg.yield %r : f32
  }}
  return
}}"""
    result = np.empty_like(left)
    native("#i = affine_map<(d) -> (d)>" + text, options)([(0, left), (1, right), (2, result)])
    return result


@pytest.mark.parametrize("name", ["expm1", "log1p"])
def test_f64_keeps_all_digits_near_zero(name: str) -> None:
    x = arguments(np.float64)
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name](x)
    assert_close(compute(name, x), exact, exact, 2e-15)


def assert_close(got: np.ndarray, exact: np.ndarray, rounded: np.ndarray, tolerance: float) -> None:
    """Relative error on normal results, absolute on denormal ones; infinities, NaN and signs of zero in place."""
    assert np.array_equal(np.isnan(got), np.isnan(rounded))
    infinite = np.isinf(rounded)
    assert np.array_equal(got[infinite], rounded[infinite])
    zero = rounded == 0
    assert np.array_equal(np.signbit(got[zero]), np.signbit(rounded[zero]))
    finite = np.isfinite(rounded)
    smallest = np.finfo(rounded.dtype).tiny
    error = np.abs(got[finite].astype(np.float64) - exact[finite])
    worst = np.argmax(error / np.maximum(np.abs(exact[finite]), smallest))
    assert error[worst] <= tolerance * max(abs(exact[finite][worst]), smallest), exact[finite][worst]
