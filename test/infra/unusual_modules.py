"""Modules that few people write: every pass has to take them, or to refuse them in one sentence.

`MODULES` has them by name: those of `unusual_modules.mlir`, and one operation on many types.
"""

import re
from pathlib import Path

_ROW = "affine_map<(i) -> (i)>"
_SQUARE = "affine_map<(i, j) -> (i, j)>"


def _negate(kind: str, shape: str, element: str, *, layout: str = "") -> str:
    """A generic that copies, on tensors or buffers of a shape and an element type."""
    rank = shape.count("x")
    maps = _ROW if rank == 1 else _SQUARE if rank == 2 else "affine_map<() -> ()>"
    iterators = ", ".join(['"parallel"'] * rank)
    value = f"{kind}<{shape}{element}{layout}>"
    results = f" -> {value}" if kind == "tensor" else ""
    head = "%r = linalg.generic" if results else "linalg.generic"
    returned = f"return %r : {value}" if results else "return"
    return f"""
func.func @main(%a: {value}, %b: {value}){results} {{
  {head} {{indexing_maps = [{maps}, {maps}], iterator_types = [{iterators}]}}
    ins(%a : {value}) outs(%b : {value}) {{
  ^bb0(%x: {element}, %y: {element}):
    linalg.yield %x : {element}
  }}{results}
  {returned}
}}
"""


def _named(kind: str, m: str, k: str, n: str, element: str) -> str:
    a, b, c = (f"{kind}<{rows}x{columns}x{element}>" for rows, columns in ((m, k), (k, n), (m, n)))
    results = f" -> {c}" if kind == "tensor" else ""
    head, returned = ("%r = ", f"return %r : {c}") if results else ("", "return")
    return f"""
func.func @main(%a: {a}, %b: {b}, %c: {c}){results} {{
  {head}linalg.matmul ins(%a, %b : {a}, {b}) outs(%c : {c}){results}
  {returned}
}}
"""


def _arithmetic(element: str) -> str:
    return f"""
func.func @main(%a: {element}, %b: {element}) -> {element} {{
  return %a : {element}
}}
"""


_WRITTEN = re.split(r"^// ===== (.*)\n", Path(__file__).with_suffix(".mlir").read_text(), flags=re.MULTILINE)[
    1:
]

MODULES: dict[str, str] = {
    **dict(zip(_WRITTEN[::2], _WRITTEN[1::2], strict=True)),
    "buffers": _negate("memref", "4x4x", "f32"),
    "matmul of buffers": _named("memref", "4", "8", "16", "f32"),
    "open buffers": _named("memref", "?", "?", "?", "f32"),
    "open tensors": _named("tensor", "?", "?", "?", "f32"),
    "strided buffers": _negate("memref", "4x4x", "f32", layout=", strided<[?, 2], offset: ?>"),
    "mapped buffers": _negate("memref", "4x4x", "f32", layout=", affine_map<(i, j) -> (j, i)>"),
    "buffers elsewhere": _negate("memref", "4x4x", "f32", layout=", strided<[4, 1]>, 3 : i32"),
    "no dimensions": _negate("tensor", "", "f32"),
    "buffers without dimensions": _negate("memref", "", "f32"),
    "no elements": _named("tensor", "0", "3", "4", "f32"),
    "nothing to sum": _named("tensor", "3", "0", "4", "f32"),
    "index": _negate("tensor", "4x", "index"),
    "complex": _named("tensor", "4", "4", "4", "complex<f32>"),
    "complex copy": _negate("tensor", "4x", "complex<f32>"),
    "vectors inside": _negate("tensor", "4x", "vector<4xf32>"),
    "float8": _named("tensor", "4", "4", "4", "f8E4M3FN"),
    "float8 with zero": _negate("tensor", "4x", "f8E8M0FNU"),
    "float4": _negate("tensor", "4x", "f4E2M1FN"),
    "f80": _negate("tensor", "4x", "f80"),
    "f128": _named("tensor", "4", "4", "4", "f128"),
    "tf32": _negate("tensor", "4x", "tf32"),
    "i1": _negate("tensor", "4x", "i1"),
    "i4": _negate("tensor", "4x4x", "i4"),
    "i7": _named("tensor", "4", "4", "4", "i7"),
    "i128": _named("tensor", "4", "4", "4", "i128"),
    "ui8": _negate("tensor", "4x", "ui8"),
    "si32": _negate("memref", "4x", "si32"),
    "none": _arithmetic("none"),
    "tuple": _arithmetic("tuple<i32, f32>"),
    "scalar": _arithmetic("f32"),
    "vector": _arithmetic("vector<4xf32>"),
    "encoded tensor": _negate("tensor", "4x", "f32", layout=", 3 : i32"),
    "sparse tensor": _negate(
        "tensor", "4x", "f32", layout=", #sparse_tensor.encoding<{ map = (d0) -> (d0 : compressed) }>"
    ),
    "huge": _negate("tensor", "4611686018427387904x", "f32"),
    "huge buffers": _negate("memref", "2147483648x2147483648x", "f64"),
}
