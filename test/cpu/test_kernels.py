"""Programs on buffers mean the same when groups of operations are functions and temporaries lie in an arena."""

import random
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.passes.tensor.bufferization.arena import (
    LiveInterval,
    arena_bytes,
    liveness_bound,
    plan_offsets,
)
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.runtime.cpu.jit import compile_function

KERNELS = "wse-form-kernels,wse-plan-arena{stack-bytes=2048}"
PARALLEL, ROW = '["parallel", "parallel"]', '["parallel", "reduction"]'
ALL, ROWS, COLUMNS = (f"affine_map<(m, n) -> ({r})>" for r in ("m, n", "m", "n"))
SIZE, PART = 24, 8  # of the matrices, and of their slices
PART_TYPE = f"memref<{SIZE}x{PART}xf32, strided<[{SIZE}, 1], offset: ?>>"


class Program:
    """A random function on square matrices: arguments, temporaries and slices of either, read and written at will."""

    def __init__(self, seed: int, length: int) -> None:
        self._random = random.Random(seed)
        self._lines: list[str] = []
        self._whole = ["%a", "%b", "%c"]
        self._parts: list[str] = []
        self._rows: list[str] = []
        for number in range(length):
            self._statement(number)

    def _statement(self, number: int) -> None:
        pick = self._random.choice
        kind = pick(["temporary", "slice", "map", "map", "map", "part", "product", "sum", "scale", "loop"])
        if kind == "temporary" or (kind == "scale" and not self._rows):
            self._temporary(number)
        elif kind == "slice" or (kind == "part" and len(self._parts) < 2):
            self._lines.append(part_of(pick(self._whole), pick([0, 8, 16]), number))
            self._parts.append(f"%s{number}")
        elif kind == "map":
            self._map(pick(self._whole), pick(self._whole), matrix())
        elif kind == "part":
            self._map(pick(self._parts), pick(self._parts), PART_TYPE)
        elif kind == "product":
            self._product(*(pick(self._whole) for _ in range(3)))
        elif kind == "sum":
            self._sum(number, pick(self._whole))
        elif kind == "scale":
            self._scale(pick(self._rows), pick(self._whole))
        else:
            body = f"memref.store %half, {pick(self._whole)}[%i, %i] : {matrix()}"
            self._lines.append(f"scf.for %i = %c0 to %c5 step %c1 {{ {body} }}")

    def _temporary(self, number: int) -> None:
        self._lines.append(f"%t{number} = memref.alloc() : {matrix()}")
        self._lines.append(generic([], [f"%t{number}"], [ALL], [matrix()], PARALLEL, "", "%half"))
        self._whole.append(f"%t{number}")

    def _map(self, source: str, target: str, kind: str) -> None:
        if source == target:
            body = "%r = arith.mulf %x0, %half : f32"
            self._lines.append(generic([], [target], [ALL], [kind], PARALLEL, body, "%r"))
            return
        body = self._random.choice(
            [
                "%r = arith.addf %x0, %x1 : f32",
                "%r = arith.mulf %x0, %half : f32",
                "%r = arith.negf %x0 : f32",
            ]
        )
        self._lines.append(generic([source], [target], [ALL, ALL], [kind] * 2, PARALLEL, body, "%r"))

    def _product(self, a: str, b: str, c: str) -> None:
        if c in (a, b):
            return
        maps = [f"affine_map<(m, n, k) -> ({r})>" for r in ("m, k", "k, n", "m, n")]
        body = (
            "%p = arith.mulf %x0, %x1 : f32\n%q = arith.mulf %x2, %half : f32\n%r = arith.addf %q, %p : f32"
            if self._random.random() < 0.3
            else "%p = arith.mulf %x0, %x1 : f32\n%r = arith.addf %x2, %p : f32"
        )
        iterators = '["parallel", "parallel", "reduction"]'
        self._lines.append(generic([a, b], [c], maps, [matrix()] * 3, iterators, body, "%r"))

    def _sum(self, number: int, source: str) -> None:
        self._lines.append(f"%t{number} = memref.alloc() : memref<{SIZE}xf32>")
        line = "affine_map<(m) -> (m)>"
        self._lines.append(
            generic([], [f"%t{number}"], [line], [f"memref<{SIZE}xf32>"], '["parallel"]', "", "%half")
        )
        kinds = [matrix(), f"memref<{SIZE}xf32>"]
        body = "%r = arith.addf %x0, %x1 : f32"
        self._lines.append(generic([source], [f"%t{number}"], [ALL, ROWS], kinds, ROW, body, "%r"))
        self._rows.append(f"%t{number}")

    def _scale(self, row: str, target: str) -> None:
        kinds = [f"memref<{SIZE}xf32>", matrix()]
        along = self._random.choice([ROWS, COLUMNS])
        body = "%r = arith.addf %x0, %x1 : f32"
        self._lines.append(generic([row], [target], [along, ALL], kinds, PARALLEL, body, "%r"))

    def text(self) -> str:
        lines = "\n".join(self._lines)
        arguments = f'%a: {matrix()}, %b: {matrix()}, %c: {matrix()} {{wse.kind = "output"}}'
        return f"""
func.func @main({arguments}) attributes {{llvm.emit_c_interface}} {{
  %half = arith.constant 0.5 : f32
  %c0 = arith.constant 0 : index
  %c1 = arith.constant 1 : index
  %c5 = arith.constant 5 : index
{lines}
  return
}}"""


def matrix() -> str:
    return f"memref<{SIZE}x{SIZE}xf32>"


def part_of(whole: str, offset: int, number: int) -> str:
    exact = f"memref<{SIZE}x{PART}xf32, strided<[{SIZE}, 1]{f', offset: {offset}' if offset else ''}>>"
    return (
        f"%v{number} = memref.subview {whole}[0, {offset}] [{SIZE}, {PART}] [1, 1] : {matrix()} to {exact}\n"
        f"%s{number} = memref.cast %v{number} : {exact} to {PART_TYPE}"
    )


def generic(
    ins: Sequence[str],
    outs: Sequence[str],
    maps: Sequence[str],
    kinds: Sequence[str],
    iterators: str,
    body: str,
    result: str,
) -> str:
    count = len(ins)
    inputs = f"ins({', '.join(ins)} : {', '.join(kinds[:count])}) " if ins else ""
    scalars = ", ".join(f"%x{k}: f32" for k in range(len(kinds)))
    return (
        f"linalg.generic {{indexing_maps = [{', '.join(maps)}], iterator_types = {iterators}}} {inputs}"
        f"outs({', '.join(outs)} : {', '.join(kinds[count:])}) {{\n"
        f"^bb0({scalars}):\n{body}\nlinalg.yield {result} : f32\n}}"
    )


def run(text: str, arrays: list[np.ndarray], passes: str) -> None:
    """Runs @main after some passes, lowered to plain loops; an arena that it asks for is in front of the last array."""
    with create_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        run_pipeline(module, f"builtin.module({passes})")
        main = next(op for op in module.body.operations if str(op.attributes["sym_name"]) == '"main"')
        if "wse.arena_bytes" in main.attributes:
            size = ir.IntegerAttr(main.attributes["wse.arena_bytes"]).value
            arrays = [*arrays[:-1], np.full(size, 77, np.int8), arrays[-1]]
        run_pipeline(module, named_pipeline("loops").text)
        compile_function(module, "main", [a.ndim for a in arrays])(list(enumerate(arrays)))


def agree(seed: int, length: int) -> None:
    text = Program(seed, length).text()
    numbers = np.random.default_rng(seed)
    start = [numbers.uniform(-1, 1, (SIZE, SIZE)).astype(np.float32) for _ in range(3)]
    plain, ours = [a.copy() for a in start], [a.copy() for a in start]
    with np.errstate(all="ignore"):
        run(text, plain, "")
        run(text, ours, KERNELS)
    for one, other in zip(plain, ours, strict=True):
        np.testing.assert_array_equal(one, other, err_msg=text)


@settings(max_examples=10, deadline=None, derandomize=True)
@given(st.integers(0, 10**9), st.integers(6, 24))
def test_random_programs_mean_the_same(seed: int, length: int) -> None:
    agree(seed, length)


@pytest.mark.slow
@settings(max_examples=400, deadline=None, derandomize=True)
@given(st.integers(0, 10**9), st.integers(2, 40))
def test_many_random_programs_mean_the_same(seed: int, length: int) -> None:
    agree(seed, length)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 40), st.integers(0, 12)), max_size=40))
def test_arenas_hold_all_buffers_in_little_more_than_they_need(buffers: list[tuple[int, int, int]]) -> None:
    intervals = [LiveInterval(size, first, first + length) for size, first, length in buffers]
    offsets = plan_offsets(intervals)
    total, bound = arena_bytes(intervals, offsets), liveness_bound(intervals)
    assert bound <= total <= 1.3 * bound
    for k, (one, at) in enumerate(zip(intervals, offsets, strict=True)):
        assert at % 64 == 0
        for other, there in list(zip(intervals, offsets, strict=True))[:k]:
            apart = at + one.size <= there or there + other.size <= at
            assert apart or not one.overlaps(other)
