"""Native PE kernels against the NumPy ones, on operations of every kind, shape and type, on any groups of PEs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from indirect_operations import NUMBER_TYPES, contents_of, operations, run

import wse_mlir
from wse_mlir.passes.cpu.processor import Processor
from wse_mlir.runtime.wafer import pe_kernels_nest
from wse_mlir.runtime.wafer.pe_kernels import NativeKernels, special_code
from wse_mlir.runtime.wafer.pe_kernels_nest import plan_blocks
from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import PEClass, Program, StridedRect
from wse_mlir.wse_target.instructions import Access, Buffer, Dtype, Vector
from wse_mlir.wse_target.kinds import ARITY
from wse_mlir.wse_target.quasi_affine import const
from wse_mlir.wse_target.sim.arithmetic import FUNCTIONS, NUMPY_DTYPE, fma, operand_dtypes
from wse_mlir.wse_target.sim.code import place
from wse_mlir.wse_target.sim.kernels import KernelKey, KernelOperand, NumpyKernels, Walk
from wse_mlir.wse_target.sim.located import Located
from wse_mlir.wse_target.sim.memory import Memory

DTYPES = sorted(NUMPY_DTYPE)
FLOATS = ("f64", "f32", "f16", "bf16")
ROW = 20480  # bytes of a PE; a quarter holds the largest operand
SPECIAL_ONLY, GENERAL_ONLY = NativeKernels(break_even=0), NativeKernels(break_even=1 << 60)
PROVIDERS = (NumpyKernels(), SPECIAL_ONLY, GENERAL_ONLY)
SPECIAL = [
    0.0,
    -0.0,
    np.inf,
    -np.inf,
    np.nan,
    1.0,
    -1.0,
    0.5,
    1e-8,
    65504.0,
    3e38,
    2**31,
    -(2**31),
    1e-40,
    127.5,
]


@dataclass(frozen=True)
class Case:
    """A signature, and where its operands begin in a PE's row, in bytes."""

    signature: KernelKey
    starts: tuple[int, ...]


def fill(random: np.random.Generator, memory: np.ndarray, dtypes: set[str]) -> None:
    """Puts numbers of one of the types everywhere; bytes of another type stay what they are taken for."""
    for row in memory:
        dtype = NUMPY_DTYPE[sorted(dtypes)[int(random.integers(len(dtypes)))]]
        count = ROW // dtype.itemsize
        if dtype.kind in "iub":
            info = np.iinfo(dtype) if dtype.kind == "i" else None
            small = random.integers(-9, 10, count) if info else random.integers(0, 2, count)
            numbers = small.astype(dtype)
            if info:
                numbers[random.random(count) < 0.1] = info.min
        else:
            numbers = np.where(
                random.random(count) < 0.1, random.choice(SPECIAL, count), random.normal(size=count)
            )
            with np.errstate(all="ignore"):
                numbers = numbers.astype(dtype)
        row[:] = numbers.view(np.uint8)


def same(a: np.ndarray, b: np.ndarray, dtype: str, units: int = 0) -> bool:
    """Equal bit for bit, but that any NaN is as good as any other; or equal within `units` in the last place."""
    if dtype not in FLOATS:
        return a.tobytes() == b.tobytes()
    with np.errstate(all="ignore"):
        wide_a, wide_b = a.astype(np.float64), b.astype(np.float64)
    nan = np.isnan(wide_b)
    if not units:
        bits = np.dtype(f"u{a.dtype.itemsize}")
        return bool((np.isnan(wide_a) == nan).all() and (a.view(bits)[~nan] == b.view(bits)[~nan]).all())
    digits = {"f64": 52, "f32": 23, "f16": 10, "bf16": 7}[dtype]
    tiny = {"f64": 1e-300, "f32": 1e-37, "f16": 6e-5, "bf16": 1e-37}[dtype]
    with np.errstate(all="ignore"):
        near = np.abs(wide_a - wide_b) <= units * 2.0**-digits * np.maximum(np.abs(wide_b), tiny)
    return bool((near | (wide_a == wide_b) | (nan & np.isnan(wide_a))).all())


def run_all(case: Case, pes: np.ndarray, memory: np.ndarray, units: int = 0) -> None:
    """Runs a case on the rows `pes` of a memory by all providers, and compares all of the memory."""
    results = []
    for provider in PROVIDERS:
        mine = memory.copy()
        operands = [KernelOperand(mine.reshape(-1), pes * ROW, start) for start in case.starts]
        provider.kernel(case.signature)(len(pes), operands)
        results.append(mine)
    dtype = case.signature.dst.dtype
    expected, *others = (r.reshape(-1).view(NUMPY_DTYPE[dtype]) for r in results)
    for got, provider in zip(others, PROVIDERS[1:], strict=True):
        assert same(got, expected, dtype, units), (case, provider)


@st.composite
def walks(draw: st.DrawFn, dtype: str, bounds: tuple[int, ...]) -> tuple[Walk, int]:
    """A walk of any strides, zero and negative ones included, and the byte it begins at; stays in the row."""
    room = 250
    strides, low = [], 0
    for bound in bounds:
        most = min(40, room // max(1, bound - 1))
        stride = draw(st.one_of(st.sampled_from([0, 1, 1]), st.integers(-most, most)))
        stride = max(-most, min(most, stride))
        room -= abs(stride) * (bound - 1)
        low += min(0, stride * (bound - 1))
        strides.append(stride)
    first = -low + draw(st.integers(0, 7))
    return Walk(dtype, tuple(strides)), first * NUMPY_DTYPE[dtype].itemsize


KINDS = sorted(set(ARITY) - FUNCTIONS - {"pow", "iota"})


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Operations without dependences: the operands lie in parts of the row of their own, or in the same place."""
    bounds = tuple(draw(st.lists(st.sampled_from([1, 2, 3, 5, 7, 12, 16, 17, 33]), max_size=3)))
    while np.prod(bounds) > 600:
        bounds = bounds[1:]
    kind = draw(st.sampled_from(["fma", "fma", "fma", "copy", "convert", *KINDS]))
    dst, at = draw(walks(draw(st.sampled_from(DTYPES)), bounds))
    parallel = sorted((abs(s), b) for s, b in zip(dst.strides, bounds, strict=True) if s)
    span = 0
    for stride, bound in parallel:
        if stride <= span:  # it would meet itself
            dst, at = Walk(dst.dtype, tuple(int(np.prod(bounds[i + 1 :])) for i in range(len(bounds)))), 0
            break
        span += stride * (bound - 1)
    srcs, starts, own = [], [at], []
    for number in range(ARITY[kind]):
        mine = draw(st.booleans()) and kind != "fma"
        walk, start = (dst, at) if mine else draw(walks(draw(st.sampled_from([dst.dtype, *DTYPES])), bounds))
        srcs.append(walk)
        starts.append(start if mine else start + (1 + number) * ROW // 4)
        own.append(mine)
    return Case(KernelKey(kind, bounds, dst, tuple(srcs), tuple(own)), tuple(starts))


@settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(cases(), st.integers(0, 2**32 - 1))
def test_native_and_numpy_agree_bit_for_bit(case: Case, seed: int) -> None:
    random = np.random.default_rng(seed)
    signature = case.signature
    try:
        operand_dtypes(signature.kind, signature.dst.dtype, [s.dtype for s in signature.srcs])
    except TargetError:
        with pytest.raises(TargetError, match="not defined on"):
            NativeKernels().kernel(signature)
        return
    memory = np.zeros((7, ROW), np.uint8)
    fill(random, memory, {signature.dst.dtype, *(s.dtype for s in signature.srcs)})
    if "i1" in (signature.dst.dtype, *(s.dtype for s in signature.srcs)):
        memory &= 1
    groups = [np.arange(7), np.array([5, 0, 3, 6]), np.array([2])]
    run_all(case, groups[int(random.integers(3))], memory)


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("kind", sorted(FUNCTIONS | {"pow", "rem"}))
def test_functions_agree_within_units_in_the_last_place(kind: str, dtype: str) -> None:
    random = np.random.default_rng(5)
    memory = np.zeros((3, ROW), np.uint8)
    numbers = memory.view(NUMPY_DTYPE[dtype])
    half = numbers.shape[1] // 2
    numbers[:, half:] = random.uniform(0.1, 3, (3, half))
    if kind in ("sin", "cos", "tanh", "erf", "expm1", "sigmoid", "exp", "exp2"):
        numbers[:, half::2] *= -1
    numbers[:, half : half + 10] *= 1e-4
    walk = Walk(dtype, (1,))
    arity = ARITY[kind]
    signature = KernelKey(kind, (100,), walk, (walk,) * arity, (False,) * arity)
    run_all(Case(signature, (0, ROW // 2, ROW * 5 // 8)[: 1 + arity]), np.arange(3), memory, units=4)


@pytest.mark.parametrize("dtype", ["i8", "i16", "i32", "i64"])
@pytest.mark.parametrize("kind", ["pow", "div", "rem", "abs", "neg"])
def test_integers_agree_at_their_ends(kind: str, dtype: str) -> None:
    numpy_dtype = NUMPY_DTYPE[dtype]
    info = np.iinfo(numpy_dtype)
    numbers = np.array([0, 1, -1, 2, -2, 3, 7, 63, info.min, info.min + 1, info.max], numpy_dtype)
    pairs = np.stack(np.meshgrid(numbers, numbers)).reshape(2, -1)
    memory = np.zeros((1, ROW), np.uint8)
    memory.view(numpy_dtype)[0, 150 : 150 + pairs.size] = pairs.ravel()
    count, size = pairs.shape[1], numpy_dtype.itemsize
    walk, arity = Walk(dtype, (1,)), ARITY[kind]
    signature = KernelKey(kind, (count,), walk, (walk,) * arity, (False,) * arity)
    starts = (0, 150 * size, (150 + count) * size)[: 1 + arity]
    run_all(Case(signature, starts), np.arange(1), memory)


@pytest.mark.parametrize("dtype", ["f64", "f16", "i8", "i1"])
@pytest.mark.parametrize("strides", [(0, 1), (20, 1), (1, 4), (0, 0), (-20, -1)])
def test_iota_counts_the_last_loop(dtype: str, strides: tuple[int, ...]) -> None:
    if dtype == "i1":
        with pytest.raises(TargetError, match="'iota' is not defined on i1"):
            NativeKernels().kernel(KernelKey("iota", (3,), Walk(dtype, (1,)), (Walk(dtype, (0,)),), (False,)))
        return
    signature = KernelKey("iota", (4, 20), Walk(dtype, strides), (Walk(dtype, (0, 0)),), (False,))
    memory = np.zeros((2, ROW), np.uint8)
    memory.view(NUMPY_DTYPE[dtype])[:, 400] = 7
    size = NUMPY_DTYPE[dtype].itemsize
    run_all(Case(signature, (100 * size, 400 * size)), np.array([1, 0]), memory)


@pytest.mark.parametrize("dtype", ["f32", "f16", "i8"])
@pytest.mark.parametrize("kind", ["add", "fma", "copy"])
def test_iterations_that_depend_on_others_run_in_order(kind: str, dtype: str) -> None:
    """Windows that overlap, and sources that earlier iterations wrote."""
    walk = Walk(dtype, (1, 1))
    signature = KernelKey(kind, (9, 5), walk, (walk,) * ARITY[kind], (False,) * ARITY[kind], dependent=True)
    memory = np.zeros((4, ROW), np.uint8)
    fill(np.random.default_rng(0), memory, {dtype})
    size = NUMPY_DTYPE[dtype].itemsize
    case = Case(signature, (3 * size, 2 * size, 7 * size)[: 1 + ARITY[kind]])
    run_all(case, np.array([3, 0, 1]), memory)


def test_many_pes_are_shared_between_threads() -> None:
    """A product tile by tile on PEs in any order, one operand the same for all of them."""
    random = np.random.default_rng(4)
    pes = random.permutation(1500)
    tiles = random.normal(size=(1500, 3, 13 * 11)).astype(np.float16)
    weights = random.normal(size=13 * 11).astype(np.float16)
    bounds = (11, 11, 13)  # columns of the first factor, columns of the product, rows
    dst, x, w = Walk("f16", (0, 13, 1)), Walk("f16", (13, 0, 1)), Walk("f16", (1, 11, 0))
    results = []
    for provider in PROVIDERS:
        mine = tiles.copy()
        memory, rows = mine.reshape(-1).view(np.uint8), pes * (3 * 13 * 11 * 2)
        operands = [KernelOperand(memory, rows), KernelOperand(memory, rows, 13 * 11 * 2)]
        operands.append(KernelOperand(weights.view(np.uint8), np.zeros(1, np.int64)))
        provider.kernel(KernelKey("fma", bounds, dst, (x, w), (False, False)))(len(pes), operands)
        results.append(mine)
    assert results[0].tobytes() == results[1].tobytes() == results[2].tobytes()


@pytest.mark.parametrize("columns", [1, 6, 12, 31])
def test_without_masks_vectors_divide_the_loop(columns: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        pe_kernels_nest,
        "processor",
        lambda: Processor("haswell", "", 256, 16, has_fma=True, converts_half=True),
    )
    special_code.cache_clear()
    walks = Walk("f16", (0, 31, 1)), Walk("f16", (31, 0, 1)), Walk("f16", (1, 5, 0))
    signature = KernelKey("fma", (5, 4, columns), walks[0], walks[1:], (False, False))
    assert columns % plan_blocks(signature).lanes == 0
    memory = np.zeros((3, ROW), np.uint8)
    fill(np.random.default_rng(8), memory, {"f16"})
    run_all(Case(signature, (0, ROW // 4, ROW // 2)), np.arange(3), memory)
    special_code.cache_clear()


def test_fma_on_f32_rounds_once() -> None:
    """Against exact arithmetic, on sums that cancel and on ties."""
    random = np.random.default_rng(6)
    a, b = (random.normal(size=2000).astype(np.float32) for _ in range(2))
    near = (-a.astype(np.float64) * b * (1 + random.choice([0, 1e-7, 1e-3, 1], 2000))).astype(np.float32)
    exact = [
        Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z))
        for x, y, z in zip(a, b, near, strict=True)
    ]
    got = fma(near, a, b)
    below, above = np.nextafter(got, np.float32(-np.inf)), np.nextafter(got, np.float32(np.inf))
    for value, result, low, high in zip(exact, got, below, above, strict=True):
        error = abs(Fraction(float(result)) - value)
        assert error <= min(abs(Fraction(float(low)) - value), abs(Fraction(float(high)) - value))


def test_a_compiled_program_computes_with_native_code_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Products, an all-reduce, host transfers: NumPy has no part in any of them."""

    def refuse(*_: object) -> None:
        raise AssertionError("arithmetic by NumPy")

    monkeypatch.setattr(NumpyKernels, "kernel", refuse)
    monkeypatch.setattr("wse_mlir.wse_target.sim.arithmetic.ELEMENTARY", {})
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(24, 36), torch.nn.Tanh(), torch.nn.Linear(36, 8))
    example = torch.randn(6, 24)
    compiled = wse_mlir.compile(model, (example,), target="tiny", grid="3x2")
    torch.testing.assert_close(compiled(example), model(example), rtol=1e-4, atol=1e-5)


PES, SIZE = 5, 40


@st.composite
def anywhere(draw: st.DrawFn, bounds: tuple[int, ...]) -> Located:
    """An access to "p" or "q" that begins somewhere else on each PE, of any strides that stay inside."""
    room, low, strides = SIZE - 4, 0, []
    for bound in bounds:
        stride = draw(st.integers(-(room // max(1, bound - 1)), room // max(1, bound - 1)))
        room -= abs(stride) * (bound - 1)
        low += min(0, stride * (bound - 1))
        strides.append(stride)
    bases = draw(
        st.lists(st.integers(0, 3), min_size=PES, max_size=PES) if draw(st.booleans()) else st.just([1] * PES)
    )
    start = -low + draw(st.integers(0, room))
    return Located(Access(draw(st.sampled_from("pq")), const(0), tuple(strides)), np.array(bases) + start)


@settings(max_examples=80, deadline=None, derandomize=True)
@given(st.data(), st.sampled_from(["f32", "f16", "i16"]), st.integers(0, 2**32 - 1))
def test_accesses_that_overlap_in_any_way(data: st.DataObject, dtype: Dtype, seed: int) -> None:
    """Buffers "p" and "q" share a third of their bytes; sources and destination may be anywhere in them."""
    bounds = tuple(data.draw(st.lists(st.integers(1, 5), max_size=3)))
    kind = data.draw(st.sampled_from(["fma", "add", "max", "copy", "sub"]))
    dst = data.draw(anywhere(bounds))
    srcs = [data.draw(st.one_of(st.just(dst), st.just(2), anywhere(bounds))) for _ in range(ARITY[kind])]
    random = np.random.default_rng(seed)
    pes = random.permutation(PES)[: data.draw(st.integers(1, PES))]
    size = NUMPY_DTYPE[dtype].itemsize
    buffers = {"p": Buffer("p", 0, (SIZE,), dtype), "q": Buffer("q", 26 * size, (SIZE,), dtype)}
    classes = (PEClass("all", StridedRect((0, 0), (PES, 1)), ()),)
    results = []
    contents = (4 * random.normal(size=(PES, 2 * SIZE))).astype(NUMPY_DTYPE[dtype]).view(np.uint8)
    for provider in PROVIDERS:
        memory = Memory(Program("any", (PES, 1), (), (), buffers, classes), place(PES, 1, classes))
        memory.bytes[:] = contents[:, : memory.bytes.shape[1]]
        some = [Located(s.access, s.base[pes]) if isinstance(s, Located) else s for s in (dst, *srcs)]
        memory.apply(provider, kind, pes, bounds, some[0], some[1:])
        results.append(memory.bytes.view(NUMPY_DTYPE[dtype]))
    assert same(results[1], results[0], dtype)
    assert same(results[2], results[0], dtype)


@settings(max_examples=120, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
@given(
    operations(),
    st.sampled_from(["f32", "f16", "i8"]),
    st.sampled_from(NUMBER_TYPES),
    st.integers(0, 2**32 - 1),
)
def test_what_numbers_in_memory_move(op: Vector, dtype: Dtype, numbers: Dtype, seed: int) -> None:
    """Gathers and scatters, also after so much work that other nests would have code of their own."""
    dtypes: dict[str, Dtype] = {"p": dtype, "q": dtype, "n": numbers}
    contents = contents_of(seed, dtypes)
    expected = run(op, contents, dtypes)
    got = run(op, contents, dtypes, kernels=SPECIAL_ONLY)
    for name in "pqn":
        assert same(got[name], expected[name], dtypes[name]), (op, name)
