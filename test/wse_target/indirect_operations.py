"""Vector operations whose operands numbers in memory move, and what they do, one element after the other."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
from fabric_programs import X, access, ints, rect
from hypothesis import strategies as st

from wse_mlir.wse_target.image import HostTransfer, PEClass, Program, TensorSpec
from wse_mlir.wse_target.instructions import Access, Buffer, Dtype, Index, Vector
from wse_mlir.wse_target.kinds import ARITY
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import Expr, const, minimum
from wse_mlir.wse_target.sim import Simulation
from wse_mlir.wse_target.sim.arithmetic import ELEMENTARY, NUMPY_DTYPE, fma

TINY = load_machine("tiny")
WIDTH, SIZE, NUMBERS = 3, 48, 24  # PEs, elements of "p" and "q", of the numbers "n"
KINDS = ("fma", "add", "add", "mul", "max", "min", "copy", "copy", "sub")
NUMBER_TYPES = ("i8", "i16", "i32", "i64")


def program_of(op: Vector, dtypes: dict[str, Dtype], body: tuple = ()) -> Program:
    """One operation on WIDTH PEs, whose buffers are arguments and results [WIDTH, elements]."""
    where, sizes = rect(0, 0, WIDTH, 1), {"p": SIZE, "q": SIZE, "n": NUMBERS}
    specs = tuple(TensorSpec(n, (WIDTH, sizes[n]), dtypes[n]) for n in sizes)
    moves = tuple(
        HostTransfer(i, where, ints(1, sizes[n]), (X, const(0)), access(n, 0, 1)) for i, n in enumerate(sizes)
    )
    buffers = {n: Buffer(n, 512 * i, (sizes[n],), dtypes[n]) for i, n in enumerate(sizes)}
    classes = (PEClass("all", where, (op, *body)),)
    return Program("indirect", (WIDTH, 1), specs, specs, buffers, classes, scatters=moves, gathers=moves)


def run(
    op: Vector, contents: dict[str, np.ndarray], dtypes: dict[str, Dtype], **how: Any
) -> dict[str, np.ndarray]:
    """What the buffers hold after one operation."""
    outputs = Simulation(program_of(op, dtypes), TINY, **how).call([contents[n] for n in "pqn"]).outputs
    return dict(zip("pqn", outputs, strict=True))


def reference(op: Vector, contents: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The same, one PE and one element after the other."""
    memory = {name: array.copy() for name, array in contents.items()}
    dtype = memory[op.dst.buffer].dtype
    for x in range(WIDTH):

        def value(expr: Expr, x: int = x) -> int:
            return int(expr.evaluate({"x": x, "y": 0}))

        def at(walk: Access, index: tuple[int, ...], x: int = x) -> tuple[int, int] | None:
            place = value(walk.offset) + sum(s * i for s, i in zip(walk.strides, index, strict=True))
            for moved in walk.indices:
                numbers = at(moved.numbers, index)
                assert numbers is not None
                position = int(memory[moved.numbers.buffer][numbers]) - value(moved.origin)
                if not 0 <= position < value(moved.size):
                    return None
                place += moved.stride * position
            return x, place

        for index in itertools.product(*(range(max(0, value(b))) for b in op.bounds)):
            places = [at(s, index) if isinstance(s, Access) else s for s in op.srcs]
            place = at(op.dst, index)
            if place is None or any(p is None for p in places):
                continue
            values = [
                memory[s.buffer][p].astype(dtype) if isinstance(s, Access) else dtype.type(s)
                for s, p in zip(op.srcs, places, strict=True)
            ]
            if op.kind == "fma":
                result = fma(*(np.asarray(v) for v in (memory[op.dst.buffer][place], *values)))
            else:
                result = ELEMENTARY[op.kind](*values)
            memory[op.dst.buffer][place] = result
    return memory


@st.composite
def walks(draw: st.DrawFn, buffer: str, bounds: tuple[int, ...], size: int) -> Access:
    """A walk of any strides that stays inside of `size` elements on every PE."""
    room, low, strides = size - WIDTH, 0, []
    for bound in bounds:
        most = room // max(1, bound - 1)
        stride = draw(st.one_of(st.sampled_from([0, min(1, most)]), st.integers(-most, most)))
        room -= abs(stride) * (bound - 1)
        low += min(0, stride * (bound - 1))
        strides.append(stride)
    start = const(-low + draw(st.integers(0, max(room, 0))))
    return Access(buffer, start + X if draw(st.booleans()) else start, tuple(strides))


@st.composite
def moved(draw: st.DrawFn, buffer: str, bounds: tuple[int, ...]) -> Access:
    """A walk that one or two indices move: over rows of their own, over rows that overlap, or over elements."""
    walk = draw(walks(buffer, bounds, SIZE // 2))
    room, indices = SIZE // 2, []
    for _ in range(draw(st.sampled_from([1, 1, 2]))):
        stride = draw(st.integers(1, 6))
        size = draw(st.integers(1, max(1, room // (2 * stride))))
        room -= stride * (size - 1)
        held: Expr = const(size) if draw(st.booleans()) else minimum(const(size), const(3) - X * 2)
        origin: Expr = X * size if draw(st.booleans()) else const(draw(st.integers(-2, 3)))
        indices.append(Index(draw(walks("n", bounds, NUMBERS)), stride, held, origin, partial=True))
    return replace(walk, indices=tuple(indices))


@st.composite
def operations(draw: st.DrawFn) -> Vector:
    """Gathers, scatters and sums of what is scattered, sources and destination free to overlap in any way."""
    bounds = tuple(draw(st.lists(st.integers(1, 4), min_size=0, max_size=3)))
    kind = draw(st.sampled_from(KINDS))
    buffers, dst_moves = st.sampled_from("pq"), draw(st.booleans())
    dst = draw(moved(draw(buffers), bounds) if dst_moves else walks(draw(buffers), bounds, SIZE))
    srcs: list[Access | float] = []
    for position in range(ARITY[kind]):
        accumulates = position == 0 and kind not in ("fma", "copy") and draw(st.booleans())
        choice = 0 if accumulates else draw(st.integers(0, 3))
        moves = choice == 2 or (not dst_moves and not any(isinstance(s, Access) and s.indices for s in srcs))
        other = moved(draw(buffers), bounds) if moves else walks(draw(buffers), bounds, SIZE)
        srcs.append(dst if choice == 0 and position == 0 else 2 if choice == 1 and dst_moves else draw(other))
    exprs = ints(*bounds)
    if bounds and draw(st.booleans()):
        exprs = (minimum(const(bounds[0]), X + draw(st.integers(0, 2))), *exprs[1:])
    return Vector(kind, exprs, dst, tuple(srcs), schedule=draw(st.sampled_from(["mapped", "scalar"])))  # type: ignore[arg-type]


def contents_of(seed: int, dtypes: dict[str, Dtype]) -> dict[str, np.ndarray]:
    """Small numbers in "n", so that many repeat and some are no positions; anything in "p" and "q"."""
    random = np.random.default_rng(seed)
    found = {}
    for name, size in (("p", SIZE), ("q", SIZE), ("n", NUMBERS)):
        shape, dtype = (WIDTH, size), NUMPY_DTYPE[dtypes[name]]
        numbers = random.integers(-3, 10, shape) if name == "n" else random.integers(-99, 99, shape) / 4
        found[name] = numbers.astype(dtype)
    found["n"][random.random((WIDTH, NUMBERS)) < 0.05] = np.iinfo(found["n"].dtype).min
    return found
