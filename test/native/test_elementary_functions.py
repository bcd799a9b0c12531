"""exp, log and their relatives on all kinds of arguments, against NumPy in double precision."""

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
}
SPECIAL = [0.0, -0.0, np.inf, -np.inf, np.nan, -1.0, -2.0, 1e-45, 1e-38, -1e-38, 3e38, -3e38, 1.0, 0.5, 2.0]


def arguments(dtype: type) -> np.ndarray:
    """All magnitudes, both signs, the neighbourhoods of 0, 1 and -1, and where results overflow."""
    generator = np.random.default_rng(0)
    size = 10.0 ** generator.uniform(-44, 38, 3000)
    near = 10.0 ** generator.uniform(-9, 0, 1500)
    parts = [SPECIAL, size, -size, near, -near, 1 + near, 1 - near, generator.uniform(-110, 110, 3000)]
    return np.concatenate(parts).astype(dtype)


def compute(name: str, x: np.ndarray, options: str = "") -> np.ndarray:
    kind = {4: "f32", 8: "f64"}[x.itemsize]
    text = f"""
#i = affine_map<(d) -> (d)>
func.func @main(%x: memref<{x.size}x{kind}>, %y: memref<{x.size}x{kind}>) attributes {{llvm.emit_c_interface}} {{
  linalg.generic {{indexing_maps = [#i, #i], iterator_types = ["parallel"]}}
      ins(%x : memref<{x.size}x{kind}>) outs(%y : memref<{x.size}x{kind}>) {{
  ^bb0(%v: {kind}, %old: {kind}):
    %r = math.{name} %v : {kind}
    linalg.yield %r : {kind}
  }}
  return
}}"""
    with create_context():
        module = ir.Module.parse(text)
        run_pipeline(
            module, f"builtin.module(func.func(wse-vectorize,wse-expand-math{options}),canonicalize,cse)"
        )
        run_pipeline(module, f"builtin.module({named_pipeline('cpu').stages[-1].text})")
        function = compile_function(module, "main", [1, 1])
    result = np.empty_like(x)
    function([(0, x), (1, result)])
    return result


@pytest.mark.parametrize("options", ["", "{cpu=x86-64}"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_f32_is_accurate_to_the_last_digits(name: str, options: str) -> None:
    x = arguments(np.float32)
    with np.errstate(all="ignore"):
        exact = FUNCTIONS[name](x.astype(np.float64))
        rounded = exact.astype(np.float32)
    assert_close(compute(name, x, options), exact, rounded, 4e-7)


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
