"""Rows whose lanes are combined, several rows at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import arith, func, ir, vector
from wse_mlir.passes.cpu.vectorize.loops.lane_results import combine_rows, powers_of_two
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.passes.tensor.reductions import Combiner
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.runtime.cpu.jit import compile_function

LOWERING = ",".join(
    s.passes for s in named_pipeline("cpu").stages if s.name in ("expand-math", "lower-to-llvm")
)
TYPES = {"f32": np.float32, "f64": np.float64, "i32": np.int32, "i8": np.int8, "i64": np.int64}
SIZES = st.sampled_from([0, 1, 2, 3, 7, 8, 9, 15, 16, 17, 20, 33, 50])


def run(text: str, x: np.ndarray, y: np.ndarray, passes: str = "") -> np.ndarray:
    """What @main makes of y."""
    out = y.copy()
    with create_context():
        module = ir.Module.parse(text)
        run_pipeline(module, f"builtin.module(func.func({passes}),canonicalize,cse,{LOWERING})")
        compile_function(module, "main", [x.ndim, y.ndim])([(0, x), (1, out)])
    return out


@pytest.mark.parametrize(("element", "width"), [("f32", 16), ("f32", 4), ("f64", 8), ("i8", 32), ("i64", 2)])
def test_each_row_has_its_lane(element: str, width: int) -> None:
    numbers = np.random.default_rng(width).integers(-3, 4, (width, width)).astype(TYPES[element])
    combiner = Combiner("arith.addf" if element[0] == "f" else "arith.addi", "add", 0)
    count = 1
    while count <= width:
        kinds = f"memref<{width}x{width}x{element}>, %y: memref<{width}x{element}>"
        text = f"func.func @main(%x: {kinds}) attributes {{llvm.emit_c_interface}} {{ return }}"
        with create_context() as context:
            module = ir.Module.parse(text, context)
            function = module.body.operations[0]
            assert isinstance(function, func.FuncOp)
            block = function.regions[0].blocks[0]
            with ir.InsertionPoint(block.operations[0]), ir.Location.unknown(context):
                x, y = block.arguments
                kind = ir.MemRefType(x.type).element_type
                at = [vector_index(i) for i in range(count)]
                rows = [vector.LoadOp(ir.VectorType.get([width], kind), x, [i, at[0]]).result for i in at]
                vector.StoreOp(combine_rows(combiner, rows), y, [at[0]])
            result = run(str(module), numbers, np.zeros(width, TYPES[element]), "wse-expand-copies")
        np.testing.assert_array_equal(result[:count], numbers[:count].sum(1, dtype=TYPES[element]))
        count *= 2


def vector_index(value: int) -> ir.Value:
    return arith.constant(ir.IndexType.get(), value)


@given(count=st.integers(0, 40), most=st.sampled_from([1, 2, 8, 16]))
def test_parts_cover_all_rows(count: int, most: int) -> None:
    parts = list(powers_of_two(count, most))
    assert [i for start, length in parts for i in range(start, start + length)] == list(range(count))
    assert all(length & (length - 1) == 0 and length <= most for _, length in parts)


@settings(max_examples=30, deadline=None)
@given(
    rows=SIZES,
    columns=SIZES,
    element=st.sampled_from(["f32", "f64", "i32", "i8"]),
    bits=st.sampled_from([128, 256, 512]),
    is_open=st.booleans(),
    least=st.booleans(),
)
def test_the_greatest_and_the_least_of_rows(
    rows: int, columns: int, element: str, bits: int, is_open: bool, least: bool
) -> None:
    shape = ("?x?", "?") if is_open else (f"{rows}x{columns}", f"{rows}")
    name = ("minimumf" if least else "maximumf") if element[0] == "f" else ("minsi" if least else "maxsi")
    text = f"""
func.func @main(%x: memref<{shape[0]}x{element}>, %y: memref<{shape[1]}x{element}>)
    attributes {{llvm.emit_c_interface}} {{
  linalg.generic {{indexing_maps = [affine_map<(i, j) -> (i, j)>, affine_map<(i, j) -> (i)>],
                   iterator_types = ["parallel", "reduction"]}}
      ins(%x : memref<{shape[0]}x{element}>) outs(%y : memref<{shape[1]}x{element}>) {{
  ^bb0(%a: {element}, %b: {element}):
    %m = arith.{name} %a, %b : {element}
    linalg.yield %m : {element}
  }}
  return
}}"""
    random = np.random.default_rng(rows * 64 + columns)
    x = random.integers(-100, 100, (rows, columns)).astype(TYPES[element])
    y = random.integers(-100, 100, rows).astype(TYPES[element])
    if element[0] == "f" and x.size:
        for value in (np.nan, np.inf, -np.inf, 0.0):
            x.flat[random.integers(x.size)] = value
    best = np.minimum if least else np.maximum
    expected = best(y, best.reduce(x, axis=1)) if columns else y
    np.testing.assert_array_equal(run(text, x, y, f"wse-vectorize{{vector-bits={bits}}}"), expected)
