"""Vector operations against a loop that executes one element at a time."""

from __future__ import annotations

import itertools

import ml_dtypes
import numpy as np
import pytest
from fabric_programs import X, access, ints, rect
from hypothesis import given, settings
from hypothesis import strategies as st

from wse_mlir.wse_target.image import HostTransfer, PEClass, Program, TensorSpec
from wse_mlir.wse_target.instructions import Access, Buffer, Dtype, Vector
from wse_mlir.wse_target.kinds import ARITY
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import Binary, const
from wse_mlir.wse_target.sim import simulate
from wse_mlir.wse_target.sim.arithmetic import ELEMENTARY, NUMPY_DTYPE, fma

TINY = load_machine("tiny")
WIDTH, SIZE = 3, 24


def run_vector(
    op: Vector, contents: dict[str, np.ndarray], dtypes: dict[str, Dtype]
) -> dict[str, np.ndarray]:
    """Executes one operation on WIDTH PEs that hold `contents` [WIDTH, SIZE] in buffers; returns the buffers."""
    names = sorted(contents)
    where = rect(0, 0, WIDTH, 1)
    block = ints(1, SIZE), (X, const(0))
    specs = tuple(TensorSpec(n, (WIDTH, SIZE), dtypes[n]) for n in names)
    move = tuple(HostTransfer(i, where, *block, access(n, 0, 1)) for i, n in enumerate(names))
    buffers = {n: Buffer(n, 256 * i, (SIZE,), dtypes[n]) for i, n in enumerate(names)}
    program = Program("vector", (WIDTH, 1), specs, specs, buffers, (PEClass("all", where, (op,)),),
                      scatters=move, gathers=move)  # fmt: skip
    outputs = simulate(program, TINY, [contents[n] for n in names]).outputs
    return dict(zip(names, outputs, strict=True))


def reference(op: Vector, contents: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same, one PE and one element after the other."""
    memory = {name: array.copy() for name, array in contents.items()}
    dtype = memory[op.dst.buffer].dtype
    for x in range(WIDTH):

        def at(access: Access, index: tuple[int, ...], x: int = x) -> tuple[int, int]:
            offset = int(access.offset.evaluate({"x": x, "y": 0}))
            return x, offset + sum(s * i for s, i in zip(access.strides, index, strict=True))

        bounds = [max(0, int(b.evaluate({"x": x, "y": 0}))) for b in op.bounds]
        for index in itertools.product(*map(range, bounds)):
            values = [
                memory[s.buffer][at(s, index)].astype(dtype) if isinstance(s, Access) else dtype.type(s)
                for s in op.srcs
            ]
            place = at(op.dst, index)
            if op.kind == "fma":
                result = fma(*(np.asarray(v) for v in (memory[op.dst.buffer][place], *values)))
            else:
                result = ELEMENTARY[op.kind](*values)
            memory[op.dst.buffer][place] = result
    return memory


@st.composite
def accesses(draw: st.DrawFn, buffer: str, bounds: tuple[int, ...]) -> Access:
    """A walk that stays inside of SIZE elements on every PE, of any strides, negative and zero ones included."""
    room = SIZE - WIDTH
    strides, low = [], 0
    for bound in bounds:
        most = room // max(1, bound - 1)
        stride = draw(st.integers(-most, most))
        room -= abs(stride) * (bound - 1)
        low += min(0, stride * (bound - 1))
        strides.append(stride)
    start = const(-low + draw(st.integers(0, room)))
    return Access(buffer, start + X if draw(st.booleans()) else start, tuple(strides))


@st.composite
def operations(draw: st.DrawFn) -> Vector:
    """Operations on buffers "p" and "q", sources and destination free to overlap in any way."""
    bounds = tuple(draw(st.lists(st.integers(1, 4), min_size=0, max_size=3)))
    kind = draw(st.sampled_from(["fma", "add", "mul", "max", "copy", "sub"]))
    buffers = st.sampled_from(["p", "q"])
    dst = draw(accesses(draw(buffers), bounds))
    srcs = []
    for _ in range(ARITY[kind]):
        choice = draw(st.integers(0, 3))
        srcs.append(dst if choice == 0 else 0.5 if choice == 1 else draw(accesses(draw(buffers), bounds)))
    exprs = ints(*bounds)
    if bounds and draw(st.booleans()):
        exprs = (Binary("min", const(bounds[0]), X + draw(st.integers(0, 2))), *exprs[1:])
    return Vector(kind, exprs, dst, tuple(srcs))


@settings(max_examples=300, deadline=None, derandomize=True)
@given(operations(), st.sampled_from(["f32", "f16", "bf16"]), st.integers(0, 2**32 - 1))
def test_agrees_with_one_element_at_a_time(op: Vector, dtype: Dtype, seed: int) -> None:
    random = np.random.default_rng(seed)
    contents = {n: random.normal(size=(WIDTH, SIZE)).astype(NUMPY_DTYPE[dtype]) for n in "pq"}
    with np.errstate(all="ignore"):
        expected = reference(op, contents)
    got = run_vector(op, contents, dict.fromkeys("pq", dtype))
    for name in "pq":
        assert got[name].tobytes() == expected[name].tobytes(), (op, name)


@pytest.mark.parametrize(
    "kind", sorted(set(ARITY) - {"fma", "select", "iota", "and", "or", "xor", "convert"})
)
def test_every_kind_on_floats(kind: str) -> None:
    comparison = kind in ("eq", "ne", "lt", "le", "gt", "ge")
    dtypes: dict[str, Dtype] = {"p": "i1" if comparison else "f32", "q": "f32"}
    q = np.random.default_rng(1).uniform(0.25, 2, (WIDTH, SIZE)).astype(np.float32)
    other = q[:, ::-1]
    srcs = (access("q", 1), access("q", -1, offset=SIZE - 1))[: ARITY[kind]]
    contents = {"p": np.zeros((WIDTH, SIZE), NUMPY_DTYPE[dtypes["p"]]), "q": q}
    got = run_vector(Vector(kind, ints(SIZE), access("p", 1), srcs), contents, dtypes)["p"]
    expected = ELEMENTARY[kind](*(q, other)[: ARITY[kind]])
    np.testing.assert_array_equal(got, expected)


def test_erf_and_sigmoid_are_right_to_the_last_bits() -> None:
    x = np.linspace(-5, 5, 101, dtype=np.float32)
    import torch

    np.testing.assert_allclose(ELEMENTARY["erf"](x), torch.erf(torch.from_numpy(x)).numpy(), rtol=2e-7)
    np.testing.assert_allclose(
        ELEMENTARY["sigmoid"](x), torch.sigmoid(torch.from_numpy(x)).numpy(), rtol=1e-6
    )


def test_select_iota_and_conversions() -> None:
    random = np.random.default_rng(2)
    p = random.normal(size=(WIDTH, SIZE)).astype(np.float32)
    c = random.integers(0, 2, (WIDTH, SIZE)).astype(bool)
    select = Vector("select", ints(SIZE), access("p", 1), (access("c", 1), access("p", 1), -1.0))
    got = run_vector(select, {"p": p, "c": c}, {"p": "f32", "c": "i1"})
    np.testing.assert_array_equal(got["p"], np.where(c, p, np.float32(-1)))
    iota = Vector("iota", ints(2, 5), access("p", 5, 1, offset=X), (10,))
    got = run_vector(iota, {"p": p}, {"p": "f32"})
    for x in range(WIDTH):
        np.testing.assert_array_equal(got["p"][x, x : x + 10], [10, 11, 12, 13, 14] * 2)
    to_int = Vector("convert", ints(SIZE), access("i", 1), (access("p", 1),))
    got = run_vector(to_int, {"p": 10 * p, "i": np.zeros((WIDTH, SIZE), np.int32)}, {"p": "f32", "i": "i32"})
    np.testing.assert_array_equal(got["i"], (10 * p).astype(np.int32))


def test_integer_division_is_towards_zero() -> None:
    p = np.array([7, -7, 7, -7, 0, 5], np.int32)
    q = np.array([2, 2, -2, -2, 3, 0], np.int32)
    np.testing.assert_array_equal(ELEMENTARY["div"](p, q), [3, -3, -3, 3, 0, 0])


def test_narrow_products_accumulate_in_the_destinations_type() -> None:
    """bf16 times bf16 into f32: sources are widened, products and sums round to f32."""
    random = np.random.default_rng(3)
    q = random.normal(size=(WIDTH, SIZE)).astype(ml_dtypes.bfloat16)
    p = np.zeros((WIDTH, SIZE), np.float32)
    dot = Vector("fma", ints(SIZE), access("p", 0), (access("q", 1), access("q", 1)))
    got = run_vector(dot, {"p": p, "q": q}, {"p": "f32", "q": "bf16"})["p"]
    total = np.zeros(WIDTH, np.float32)
    for i in range(SIZE):
        total = total + q[:, i].astype(np.float32) * q[:, i].astype(np.float32)
    np.testing.assert_array_equal(got[:, 0], total)


def cycles(op: Vector, **changes: object) -> float:
    where = rect(0, 0, 1, 1)
    buffers = {"p": Buffer("p", 0, (4096,), "f32"), "h": Buffer("h", 16384, (4096,), "f16")}
    program = Program("cost", (1, 1), (), (), buffers, (PEClass("one", where, (op,)),))
    return simulate(program, TINY.replace(**changes), []).report.cycles.makespan


def test_cycles_are_setup_plus_elements_over_rate() -> None:
    def add(n: int, buffer: str = "p", stride: int = 1) -> Vector:
        return Vector("add", ints(n), access(buffer, stride), (access(buffer, stride), 1.0))

    assert cycles(add(1000)) == 16 + 500
    assert cycles(add(1000, "h")) == 16 + 250
    assert cycles(add(0)) == 0
    assert cycles(add(1000), vector__setup=0.0) == 500
    # A stride of 4 words comes back to half of the banks only.
    assert cycles(add(1000, stride=4)) == 16 + 2 * 500


def test_outer_loops_cost_by_schedule_and_dense_ones_nothing() -> None:
    def nest(schedule: str, row: int) -> Vector:
        walk = access("p", 64, row, 1)
        return Vector("add", ints(4, 3, 10), walk, (walk, 1.0), schedule=schedule)  # type: ignore[arg-type]

    assert cycles(nest("mapped", 16)) == 16 + 60 + 11 * 1 + 3 * 30
    assert cycles(nest("looped", 16)) == 16 + 60 + 11 * 20
    dense = access("p", 30, 10, 1)
    assert cycles(Vector("add", ints(4, 3, 10), dense, (dense, 1.0))) == 16 + 60
