"""`wse-expand-half` against NumPy's conversions: every f16, and f32 at and around every rounding boundary."""

import numpy as np
import pytest

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.runtime.cpu.jit import compile_function


def convert(operation: str, source: np.ndarray, dtype: type) -> np.ndarray:
    """Runs one conversion over an array, without an instruction for it."""
    names = {np.dtype(np.float16): "f16", np.dtype(np.float32): "f32"}
    a, b = names[source.dtype], names[np.dtype(dtype)]
    text = f"""
#i = affine_map<(d) -> (d)>
func.func @main(%x: memref<{source.size}x{a}>, %y: memref<{source.size}x{b}>) attributes {{llvm.emit_c_interface}} {{
  linalg.generic {{indexing_maps = [#i, #i], iterator_types = ["parallel"]}}
      ins(%x : memref<{source.size}x{a}>) outs(%y : memref<{source.size}x{b}>) {{
  ^bb0(%v: {a}, %old: {b}):
    %c = arith.{operation} %v : {a} to {b}
    linalg.yield %c : {b}
  }}
  return
}}"""
    stages = "func.func(wse-vectorize,wse-expand-half{always=true}),canonicalize,cse"
    with create_context():
        module = ir.Module.parse(text)
        run_pipeline(module, f"builtin.module({stages})")
        assert operation not in str(module)
        run_pipeline(module, f"builtin.module({named_pipeline('cpu').stages[-1].text})")
        function = compile_function(module, "main", [1, 1])
    result = np.empty(source.shape, dtype)
    function([(0, source), (1, result)])
    return result


def same_bits(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal bit for bit, except that any NaN equals any other."""
    bits = {2: np.uint16, 4: np.uint32}[a.dtype.itemsize]
    nan = np.isnan(b)
    return bool(np.array_equal(np.isnan(a), nan) and np.array_equal(a[~nan].view(bits), b[~nan].view(bits)))


EVERY_HALF = np.arange(65536, dtype=np.uint16).view(np.float16)


def test_every_half_is_widened_exactly() -> None:
    assert same_bits(convert("extf", EVERY_HALF, np.float32), EVERY_HALF.astype(np.float32))


@pytest.mark.parametrize("offset", [-1, 0, 1])
def test_floats_between_neighbouring_halves_are_rounded_to_even(offset: int) -> None:
    finite = np.sort(EVERY_HALF[np.isfinite(EVERY_HALF)].astype(np.float32))
    middles = ((finite[:-1].astype(np.float64) + finite[1:]) / 2).astype(np.float32)
    near = (middles.view(np.int32) + offset).view(np.float32)
    extremes = np.array(
        [65519.9, 65520.0, 65536.0, 1e30, np.inf, -np.inf, np.nan, 1e-8, -1e-8, 0, -0.0], np.float32
    )
    source = np.concatenate([finite, near, extremes])
    with np.errstate(over="ignore"):
        expected = source.astype(np.float16)
    assert same_bits(convert("truncf", source, np.float16), expected)
