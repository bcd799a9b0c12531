"""Products whose operands exceed the caches: parts of the reduction and blocks of rows change no result."""

from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_contraction_numerics import packed, run

from wse_mlir.passes.cpu.processor import Processor, processor
from wse_mlir.passes.cpu.vectorize import wse_vectorize

SMALL = {
    "l1_bytes": 2 << 10,
    "l2_bytes": 6 << 10,
    "l3_bytes": 24 << 10,
}  # caches that tests exceed in no time
OPTIONS = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
STAGES = {
    "none": "",
    "bias": "%u = arith.addf %x, %w : f32\n linalg.yield %u : f32",
    "relu": "%u = arith.addf %x, %w : f32\n %r = arith.maximumf %u, %zero : f32\n linalg.yield %r : f32",
    "onto the result": "%u = arith.addf %x, %w : f32\n %r = arith.addf %u, %old : f32\n linalg.yield %r : f32",
}


def text(rows: int, inner: int, columns: int, width: int, stage: str) -> str:
    """A product with packed columns, onto the result or onto zeros with a stage behind it."""
    panels = -(-columns // width)
    a, b, y = (
        f"memref<{rows}x{inner}xf32>",
        f"memref<{panels}x{inner}x{width}xf32>",
        f"memref<{rows}x{columns}xf32>",
    )
    v = f"memref<{columns}xf32>"
    sums = "%t" if stage else "%y"
    both = 'iterator_types = ["parallel", "parallel"]'
    before, after = "", ""
    if stage:
        before = f"""%t = memref.alloc() : {y}
  linalg.generic {{indexing_maps = [#s, #i], {both}}} ins(%zero : f32) outs(%t : {y}) {{
  ^bb0(%x: f32, %old: f32):
    linalg.yield %x : f32
  }}"""
        after = f"""linalg.generic {{indexing_maps = [#i, #v, #i], {both}}} ins(%t, %v : {y}, {v}) outs(%y : {y}) {{
  ^bb0(%x: f32, %w: f32, %old: f32):
    {stage}
  }}
  memref.dealloc %t : {y}"""
    return f"""#a = affine_map<(m, n, k) -> (m, k)>
#b = affine_map<(m, n, k) -> (n floordiv {width}, k, n mod {width})>
#c = affine_map<(m, n, k) -> (m, n)>
#s = affine_map<(m, n) -> ()>
#v = affine_map<(m, n) -> (n)>
#i = affine_map<(m, n) -> (m, n)>
func.func @main(%a: {a}, %b: {b}, %v: {v}, %y: {y}) attributes {{llvm.emit_c_interface}} {{
  %zero = arith.constant 0.0 : f32
  {before}
  linalg.generic {{indexing_maps = [#a, #b, #c], iterator_types = ["parallel", "parallel", "reduction"]}}
      ins(%a, %b : {a}, {b}) outs({sums} : {y}) {{
  ^bb0(%x: f32, %w: f32, %z: f32):
    %p = arith.mulf %x, %w : f32
    %q = arith.addf %z, %p : f32
    linalg.yield %q : f32
  }}
  {after}
  return
}}"""


def small(cpu: str, features: str) -> Processor:
    return replace(processor(cpu, features), **SMALL)


def check(rows: int, inner: int, columns: int, width: int, stage: str, features: str = "") -> None:
    generator = np.random.default_rng(rows + 100 * inner + columns)
    a = generator.standard_normal((rows, inner), dtype=np.float32)
    b = generator.standard_normal((inner, columns), dtype=np.float32)
    v = generator.standard_normal(columns, dtype=np.float32)
    y = generator.standard_normal((rows, columns), dtype=np.float32)
    product = a.astype(np.float64) @ b
    expected = {
        "none": y + product,
        "bias": product + v,
        "relu": np.maximum(product + v, 0),
        "onto the result": product + v + y,
    }[stage]
    with mock.patch.object(wse_vectorize, "processor", small):
        run(text(rows, inner, columns, width, STAGES[stage]), [a, packed(b, width), v, y], features)
    assert np.abs(y - expected).max() <= 1e-4 * np.abs(expected).max()


@OPTIONS
@given(
    rows=st.sampled_from([1, 5, 12, 13, 47, 97]),
    inner=st.sampled_from([1, 17, 64, 100, 301]),
    columns=st.sampled_from([16, 67, 128, 150]),
    width=st.sampled_from([16, 32]),
    stage=st.sampled_from(sorted(STAGES)),
)
def test_any_blocks(rows: int, inner: int, columns: int, width: int, stage: str) -> None:
    """Whatever is divided, sums are those of the whole product, what follows included."""
    check(rows, inner, columns, width, stage)


@pytest.mark.parametrize("features", ["-avx512f", "-avx"])
def test_blocks_of_other_processors(features: str) -> None:
    """With fewer and shorter registers, too: three parts of the reduction, blocks with a rest of rows and columns."""
    check(97, 301, 150, 16, "relu", features)
