"""Nests that are no products: transpositions, windows with what surrounds them, all element types; no byte is read
or written beyond an array."""

from collections.abc import Sequence

import numpy as np
import pytest
from guarded_memory import guarded

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.runtime.cpu.jit import compile_function

NAMES = {"f32": np.float32, "f64": np.float64, "f16": np.float16, "i32": np.int32, "i8": np.int8}
LOWERING = ",".join(
    s.passes for s in named_pipeline("cpu").stages if s.name in ("expand-math", "lower-to-llvm")
)
WIDTHS = [512, 256, 128]


def run(text: str, arrays: Sequence[np.ndarray], passes: str) -> list[np.ndarray]:
    """What @main makes of the arrays."""
    memory = [guarded(a) for a in arrays]
    with create_context():
        module = ir.Module.parse(text)
        run_pipeline(
            module, f"builtin.module(func.func({passes},convert-linalg-to-loops),canonicalize,cse,{LOWERING})"
        )
        function = compile_function(module, "main", [a.ndim for a in arrays])
    function(list(enumerate(memory)))
    return [a.copy() for a in memory]


def compare(text: str, arrays: Sequence[np.ndarray], bits: int) -> None:
    """Vectors against scalar loops, on small whole numbers, which no order of additions rounds."""
    expected = run(text, arrays, "wse-expand-copies")
    for a, b in zip(run(text, arrays, f"wse-vectorize{{vector-bits={bits}}}"), expected, strict=True):
        np.testing.assert_array_equal(a, b)


def numbers(*shape: int, dtype: type = np.float32) -> np.ndarray:
    return np.random.default_rng(len(shape)).integers(-3, 4, shape).astype(dtype)


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("shape", [(16, 16), (17, 35), (49, 20), (3, 33), (1, 9), (40, 2), (0, 9), (9, 0)])
@pytest.mark.parametrize("dynamic", [False, True])
def test_matrices_are_transposed(shape: tuple[int, int], bits: int, dynamic: bool) -> None:
    rows, columns = shape
    a, b = ("?x?", "?x?") if dynamic else (f"{rows}x{columns}", f"{columns}x{rows}")
    text = f"""
func.func @main(%x: memref<{a}xf32>, %y: memref<{b}xf32>) attributes {{llvm.emit_c_interface}} {{
  linalg.generic {{indexing_maps = [affine_map<(i, j) -> (j, i)>, affine_map<(i, j) -> (i, j)>],
                   iterator_types = ["parallel", "parallel"]}} ins(%x : memref<{a}xf32>) outs(%y : memref<{b}xf32>) {{
  ^bb0(%v: f32, %old: f32):
    linalg.yield %v : f32
  }}
  return
}}"""
    x = numbers(*shape)
    np.testing.assert_array_equal(
        run(text, [x, np.zeros((columns, rows), np.float32)], f"wse-vectorize{{vector-bits={bits}}}")[1], x.T
    )


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("kind", NAMES)
def test_elements_of_all_widths_are_transposed_and_added(kind: str, bits: int) -> None:
    add = "arith.addf" if kind.startswith("f") else "arith.addi"
    text = f"""
func.func @main(%x: memref<3x21x37x{kind}>, %z: memref<37x21x{kind}>, %y: memref<3x37x21x{kind}>)
    attributes {{llvm.emit_c_interface}} {{
  linalg.generic {{indexing_maps = [affine_map<(n, i, j) -> (n, j, i)>, affine_map<(n, i, j) -> (i, j)>,
                                    affine_map<(n, i, j) -> (n, i, j)>],
                   iterator_types = ["parallel", "parallel", "parallel"]}}
      ins(%x, %z : memref<3x21x37x{kind}>, memref<37x21x{kind}>) outs(%y : memref<3x37x21x{kind}>) {{
  ^bb0(%v: {kind}, %w: {kind}, %old: {kind}):
    %s = {add} %v, %w : {kind}
    linalg.yield %s : {kind}
  }}
  return
}}"""
    dtype = NAMES[kind]
    compare(
        text,
        [numbers(3, 21, 37, dtype=dtype), numbers(37, 21, dtype=dtype), numbers(3, 37, 21, dtype=dtype)],
        bits,
    )


WINDOW = """
#x = affine_map<(h, w, c, i, j) -> (h * {step} + i, w * {step} + j, c)>
#f = affine_map<(h, w, c, i, j) -> {filter}>
#y = affine_map<(h, w, c, i, j) -> (h, w, c)>
#p = affine_map<(h, w, c) -> (h, w, c)>
#c = affine_map<(h, w, c) -> (c)>
func.func @main(%x: memref<{image}xf32>, %f: memref<{weights}xf32>, %b: memref<{channels}xf32>,
                %r: memref<{result}xf32>, %y: memref<{result}xf32>, %z: memref<{result}xf32>)
    attributes {{llvm.emit_c_interface}} {{
  %zero = arith.constant 0.0 : f32
  %six = arith.constant 6.0 : f32
  %t = memref.alloc() : memref<{result}xf32>
  linalg.generic {{indexing_maps = [#p], iterator_types = ["parallel", "parallel", "parallel"]}}
      outs(%t : memref<{result}xf32>) {{
  ^bb0(%old: f32):
    linalg.yield %zero : f32
  }}
  linalg.generic {{indexing_maps = [#x, #f, #y],
                   iterator_types = ["parallel", "parallel", "parallel", "reduction", "reduction"]}}
      ins(%x, %f : memref<{image}xf32>, memref<{weights}xf32>) outs(%t : memref<{result}xf32>) {{
  ^bb0(%v: f32, %w: f32, %old: f32):
    {body}
    linalg.yield %s : f32
  }}
  linalg.generic {{indexing_maps = [#p, #c, #p, #p, #p], iterator_types = ["parallel", "parallel", "parallel"]}}
      ins(%t, %b, %r : memref<{result}xf32>, memref<{channels}xf32>, memref<{result}xf32>)
      outs(%y, %z : memref<{result}xf32>, memref<{result}xf32>) {{
  ^bb0(%v: f32, %bias: f32, %other: f32, %o1: f32, %o2: f32):
    %s = arith.addf %v, %bias : f32
    %m = arith.minimumf %s, %six : f32
    %u = arith.addf %m, %other : f32
    linalg.yield %m, %u : f32, f32
  }}
  memref.dealloc %t : memref<{result}xf32>
  return
}}"""
PRODUCT = "%q = arith.mulf %v, %w : f32\n    %s = arith.addf %old, %q : f32"
MAXIMUM = "%s = arith.maximumf %old, %v : f32"


@pytest.mark.parametrize("bits", WIDTHS)
@pytest.mark.parametrize("body", [PRODUCT, MAXIMUM])
@pytest.mark.parametrize(
    ("height", "width", "channels", "window", "step"), [(5, 9, 20, 3, 1), (2, 8, 33, 7, 1), (4, 3, 6, 2, 2)]
)
def test_windows_run_with_what_surrounds_them(
    height: int, width: int, channels: int, window: int, step: int, body: str, bits: int
) -> None:
    image = ((height - 1) * step + window, (width - 1) * step + window, channels)
    weights = (window, window, channels) if body is PRODUCT else (window, window)
    result = (height, width, channels)
    text = WINDOW.format(
        step=step,
        filter="(i, j, c)" if body is PRODUCT else "(i, j)",
        image="x".join(map(str, image)),
        weights="x".join(map(str, weights)),
        channels=channels,
        result="x".join(map(str, result)),
        body=body,
    )
    arrays = [numbers(*image), numbers(*weights), numbers(channels), *(numbers(*result) for _ in range(3))]
    compare(text, arrays, bits)
