"""Contractions in register tiles compute what NumPy computes: any shape, packed or plain, with fused stages."""

from dataclasses import dataclass

import ml_dtypes  # noqa: F401 - bfloat16 by its name
import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.cpu.processor import processor
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.runtime.cpu.jit import JitFunction, NativeModule
from wse_mlir.runtime.native.codegen import NativeCode

SIZES = [1, 2, 3, 5, 7, 14, 17, 33]
COLUMNS = [4, 5, 8, 16, 19, 32, 37, 67, 100]
FEATURES = ["", "-avx512f", "-avx"]


def run(text: str, arrays: list[np.ndarray], features: str = "") -> None:
    """Runs @main on arrays that are its memrefs."""
    stages = {s.name: s.passes for s in named_pipeline("cpu").stages}
    option = f"{{features={features}}}" if features else ""
    rest = f"{stages['expand-math']},{stages['lower-to-llvm']}"
    for name in ("wse-expand-math", "wse-expand-half"):
        rest = rest.replace(name, name + option)
    with create_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        vectorize = f"func.func(wse-vectorize{option},convert-linalg-to-loops)"
        run_pipeline(module, f"builtin.module({vectorize},canonicalize,cse,{rest})")
        code = NativeCode(module, processor("", features), "'main'", ("main",)).object()
    function = JitFunction(NativeModule(code, ("main",), "'main'"), "main", [a.ndim for a in arrays])
    function(list(enumerate(arrays)))


def packed(rhs: np.ndarray, width: int) -> np.ndarray:
    """[k..., n] -> [ceil(n / width), k..., width], padded with zeros."""
    panels = -(-rhs.shape[-1] // width)
    padded = np.zeros((*rhs.shape[:-1], panels * width), rhs.dtype)
    padded[..., : rhs.shape[-1]] = rhs
    return np.ascontiguousarray(np.moveaxis(padded.reshape(*rhs.shape[:-1], panels, width), -2, 0))


def generic(maps: str, iterators: str, ins: str, outs: str, body: str) -> str:
    kinds = ", ".join('"parallel"' if i == "p" else '"reduction"' for i in iterators)
    affine = ", ".join(f"affine_map<{m.strip()}>" for m in maps.split(";"))
    clause = f"ins({ins}) " if ins else ""
    return f"linalg.generic {{indexing_maps = [{affine}], iterator_types = [{kinds}]}} {clause}outs({outs}) {body}"


def product_body(narrow: str, wide: str) -> str:
    if narrow == wide:
        return f"""{{
  ^bb0(%x: {wide}, %w: {wide}, %z: {wide}):
    %p = arith.mulf %x, %w : {wide}
    %q = arith.addf %z, %p : {wide}
    linalg.yield %q : {wide}
  }}"""
    return f"""{{
  ^bb0(%x: {narrow}, %w: {narrow}, %z: {wide}):
    %u = arith.extf %x : {narrow} to {wide}
    %v = arith.extf %w : {narrow} to {wide}
    %p = arith.mulf %v, %u : {wide}
    %q = arith.addf %p, %z : {wide}
    linalg.yield %q : {wide}
  }}"""


@dataclass(frozen=True)
class Case:
    """A product [m, k] x [k, n]; what it begins with and goes through."""

    rows: int
    columns: int
    depth: int
    width: int  # of packed panels; 0 for a plain rhs
    beginning: str  # memory, zero, bias
    stages: tuple[str, ...]
    kept: bool  # whether the sums themselves are a result
    dynamic: bool
    features: str


cases = st.builds(
    Case,
    st.sampled_from(SIZES),
    st.sampled_from(COLUMNS),
    st.sampled_from([1, 2, 5, 16, 40]),
    st.sampled_from([0, 0, 4, 16, 48, 64]),
    st.sampled_from(["memory", "zero", "bias"]),
    st.lists(st.sampled_from(["residual", "relu", "scale", "gelu", "rows"]), max_size=3).map(tuple),
    st.booleans(),
    st.booleans(),
    st.sampled_from(FEATURES),
)

UNARY = """{{
  ^bb0(%x: f32, %old: f32):
{0}
    linalg.yield %r : f32
  }}"""
BINARY = """{{
  ^bb0(%x: f32, %w: f32, %old: f32):
{0}
    linalg.yield %r : f32
  }}"""
GELU = """    %e = math.erf %x : f32
    %f = math.exp %e : f32
    %g = math.tanh %f : f32
    %r = arith.mulf %g, %x : f32"""


def stage_text(name: str, kind: str, column: str, row: str, out: str) -> str:
    """A stage in place on %t, or into %y."""
    i = "(m, n) -> (m, n)"
    if name == "relu":
        body = UNARY.format("    %r = arith.maximumf %x, %zero : f32")
        return generic(f"{i}; {i}", "pp", f"%t : {kind}", f"%{out} : {kind}", body)
    if name == "gelu":
        return generic(f"{i}; {i}", "pp", f"%t : {kind}", f"%{out} : {kind}", UNARY.format(GELU))
    other, amap, operation = {
        "residual": (f"%d, KIND : {kind}, {kind}", i, "addf"),
        "scale": (f"%s, KIND : {column}, {kind}", "(m, n) -> (n)", "mulf"),
        "rows": (f"%h, KIND : {row}, {kind}", "(m, n) -> (m)", "addf"),
    }[name]
    body = BINARY.format(f"    %r = arith.{operation} %x, %w : f32")
    return generic(f"{amap}; {i}; {i}", "pp", other.replace("KIND", "%t"), f"%{out} : {kind}", body)


def text_of(case: Case) -> str:
    m, n = ("?", "?") if case.dynamic else (case.rows, case.columns)
    n = case.columns if case.width else n
    kind, column, row = f"memref<{m}x{n}xf32>", f"memref<{n}xf32>", f"memref<{m}xf32>"
    lhs = f"memref<{m}x{case.depth}xf32>"
    rhs, rhs_map = f"memref<{case.depth}x{n}xf32>", "(k, n)"
    if case.width:
        panels = -(-case.columns // case.width)
        rhs = f"memref<{panels}x{case.depth}x{case.width}xf32>"
        rhs_map = f"(n floordiv {case.width}, k, n mod {case.width})"
    lines = []
    identity = "(m, n) -> (m, n)"
    if case.beginning != "memory":
        value, amap = ("%s", "(m, n) -> (n)") if case.beginning == "bias" else ("%zero", "(m, n) -> ()")
        of_kind = column if case.beginning == "bias" else "f32"
        body = UNARY.format("    %r = arith.addf %x, %x : f32")
        lines.append(generic(f"{amap}; {identity}", "pp", f"{value} : {of_kind}", f"%t : {kind}", body))
    maps = f"(m, n, k) -> (m, k); (m, n, k) -> {rhs_map}; (m, n, k) -> (m, n)"
    lines.append(generic(maps, "ppr", f"%a, %b : {lhs}, {rhs}", f"%t : {kind}", product_body("f32", "f32")))
    outs = ["y" if k == len(case.stages) - 1 and case.kept else "t" for k in range(len(case.stages))]
    lines += [stage_text(s, kind, column, row, o) for s, o in zip(case.stages, outs, strict=True)]
    arguments = f"%a: {lhs}, %b: {rhs}, %s: {column}, %h: {row}, %d: {kind}, %t: {kind}, %y: {kind}"
    body = "\n  ".join(["%zero = arith.constant 0.0 : f32", *lines, "return"])
    return f"func.func @main({arguments}) attributes {{llvm.emit_c_interface}} {{\n  {body}\n}}"


def expected(
    case: Case, a: np.ndarray, b: np.ndarray, rest: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The final contents of %t and %y."""
    start = {"memory": rest["t"], "zero": 0.0, "bias": 2 * rest["s"]}[case.beginning]
    t, y = start + a @ b, rest["y"]
    for number, stage in enumerate(case.stages):
        value = {
            "relu": lambda t: np.maximum(t, 0),
            "gelu": lambda t: np.tanh(np.exp(np.vectorize(_erf)(t))) * t,
            "residual": lambda t: t + rest["d"],
            "scale": lambda t: t * rest["s"],
            "rows": lambda t: t + rest["h"][:, None],
        }[stage](t)
        if number == len(case.stages) - 1 and case.kept:
            y = value
        else:
            t = value
    return t, y


def _erf(x: float) -> float:
    from math import erf

    return erf(x)


def close(found: np.ndarray, wanted: np.ndarray, tolerance: float = 1e-4) -> bool:
    if not wanted.size:
        return True
    return bool(np.abs(found - wanted).max() <= tolerance * max(np.abs(wanted).max(), 1e-6))


@settings(
    max_examples=25, deadline=None, phases=[Phase.generate], suppress_health_check=[HealthCheck.too_slow]
)
@given(cases, st.integers(0, 2**31))
def test_products(case: Case, seed: int) -> None:
    rng = np.random.default_rng(seed)

    def array(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(np.float32)

    m, n, k = case.rows, case.columns, case.depth
    a, b = array(m, k), array(k, n)
    rest = {"s": array(n), "h": array(m), "d": array(m, n), "t": array(m, n), "y": array(m, n)}
    wanted = expected(case, a, b, {key: value.copy() for key, value in rest.items()})
    run(text_of(case), [a, packed(b, case.width) if case.width else b, *rest.values()], case.features)
    assert close(rest["t"], wanted[0])
    assert close(rest["y"], wanted[1])


def guarded(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A copy with 64 more elements on either side, all of it and the copy alone."""
    memory = np.full(array.size + 128, 7, array.dtype)
    inner = memory[64 : 64 + array.size].reshape(array.shape)
    inner[...] = array
    return memory, inner


KINDS = [
    ("f32", "f32", 1),
    ("f32", "f32", 2),
    ("f64", "f64", 1),
    ("f16", "f32", 2),
    ("bf16", "f32", 1),
    ("i8", "i32", 2),
]


@pytest.mark.parametrize("features", FEATURES)
@pytest.mark.parametrize(("narrow", "wide", "stride"), KINDS)
def test_convolutions(narrow: str, wide: str, stride: int, features: str) -> None:
    """Windows in two dimensions, all types of elements, packed filters with an edge; nothing is written beside."""
    dtypes = {"f32": "f4", "f64": "f8", "f16": "f2", "bf16": "bfloat16", "i32": "i4", "i8": "i1"}
    rng = np.random.default_rng(1)
    image = rng.integers(-4, 4, (11, 13, 3)).astype(np.dtype(dtypes[narrow]))
    filters = rng.integers(-4, 4, (3, 2, 3, 21)).astype(np.dtype(dtypes[narrow]))
    height, width = (11 - 3) // stride + 1, (13 - 2) // stride + 1
    result = rng.integers(-4, 4, (height, width, 21)).astype(np.dtype(dtypes[wide]))
    rhs = packed(filters, 16)
    maps = (
        f"(h, w, f, y, x, c) -> (h * {stride} + y, w * {stride} + x, c); "
        "(h, w, f, y, x, c) -> (f floordiv 16, y, x, c, f mod 16); (h, w, f, y, x, c) -> (h, w, f)"
    )
    kinds = [
        f"memref<{'x'.join(map(str, a.shape))}x{t}>"
        for a, t in ((image, narrow), (rhs, narrow), (result, wide))
    ]
    body = generic(
        maps, "ppprrr", f"%a, %b : {kinds[0]}, {kinds[1]}", f"%t : {kinds[2]}", body_of(narrow, wide)
    )
    arguments = f"%a: {kinds[0]}, %b: {kinds[1]}, %t: {kinds[2]}"
    wanted = result.astype("f8")
    for y, x in np.ndindex(3, 2):
        window = image[y : y + stride * height : stride, x : x + stride * width : stride].astype("f8")
        wanted[...] += window[:height, :width] @ filters[y, x].astype("f8")
    memory, inner = guarded(result)
    text = f"func.func @main({arguments}) attributes {{llvm.emit_c_interface}} {{\n  {body}\n  return\n}}"
    run(text, [image, rhs, inner], features)
    assert close(inner.astype("f8"), wanted, 1e-6)
    assert (memory[:64] == 7).all()
    assert (memory[-64:] == 7).all()


def body_of(narrow: str, wide: str) -> str:
    body = product_body(narrow, wide)
    if wide.startswith("i"):
        body = body.replace("arith.extf", "arith.extsi").replace("mulf", "muli").replace("addf", "addi")
    return body


@pytest.mark.parametrize("sizes", [(0, 8, 4), (3, 0, 4), (3, 8, 0)])
@pytest.mark.parametrize("dynamic", [False, True])
def test_empty_products(sizes: tuple[int, int, int], dynamic: bool) -> None:
    m, n, k = ("?", "?", "?") if dynamic else sizes
    kinds = [f"memref<{m}x{k}xf32>", f"memref<{k}x{n}xf32>", f"memref<{m}x{n}xf32>"]
    maps = "(m, n, k) -> (m, k); (m, n, k) -> (k, n); (m, n, k) -> (m, n)"
    body = generic(
        maps, "ppr", f"%a, %b : {kinds[0]}, {kinds[1]}", f"%t : {kinds[2]}", product_body("f32", "f32")
    )
    arguments = f"%a: {kinds[0]}, %b: {kinds[1]}, %t: {kinds[2]}"
    rows, columns, depth = sizes
    result = np.ones((rows, columns), np.float32)
    text = f"func.func @main({arguments}) attributes {{llvm.emit_c_interface}} {{\n  {body}\n  return\n}}"
    run(text, [np.ones((rows, depth), np.float32), np.ones((depth, columns), np.float32), result])
    assert (result == 1).all()


def test_shared_heads_in_strided_buffers() -> None:
    """Scores of attention: two query heads a key head, keys in panels, operands that are parts of larger buffers."""
    whole = "memref<4x7x8xf32, strided<[8, 64, 1], offset: 16>>"
    kinds = (
        "memref<4x7x8xf32, strided<[8, 64, 1], offset: ?>>",
        "memref<2x3x8x4xf32>",
        "memref<4x7x11xf32, strided<[100, 12, 1], offset: 1>>",
    )
    keys_map = "(h, q, k, d) -> (h floordiv 2, k floordiv 4, d, k mod 4)"
    maps = f"(h, q, k, d) -> (h, q, d); {keys_map}; (h, q, k, d) -> (h, q, k)"
    ins, body = f"%part, %b : {kinds[0]}, {kinds[1]}", product_body("f32", "f32")
    rng = np.random.default_rng(2)
    queries, keys = rng.standard_normal((7, 64)).astype("f4"), rng.standard_normal((2, 8, 11)).astype("f4")
    scores = np.zeros((500,), "f4")
    arguments = f"%a: memref<7x64xf32>, %b: {kinds[1]}, %t: memref<500xf32>"
    lines = [
        f"func.func @main({arguments}) attributes {{llvm.emit_c_interface}} {{",
        "%u = memref.reinterpret_cast %a to offset: [16], sizes: [4, 7, 8], strides: [8, 64, 1]",
        f": memref<7x64xf32> to {whole}",
        f"%part = memref.cast %u : {whole} to {kinds[0]}",
        "%v = memref.reinterpret_cast %t to offset: [1], sizes: [4, 7, 11], strides: [100, 12, 1]",
        f": memref<500xf32> to {kinds[2]}",
        generic(maps, "pppr", ins, f"%v : {kinds[2]}", body),
        "return",
        "}",
    ]
    text = "\n".join(lines)
    run(text, [queries, np.stack([packed(key, 4) for key in keys]), scores])
    part = queries[:, 16:48].reshape(7, 4, 8).transpose(1, 0, 2)
    wanted = np.einsum("hqd,hdk->hqk", part, np.repeat(keys, 2, 0))
    found = np.lib.stride_tricks.as_strided(scores[1:], (4, 7, 11), (400, 48, 4))
    assert close(found, wanted)
    assert np.count_nonzero(scores) == wanted.size
