"""Contents of messages: kept without a copy, and yet what was there when they were sent."""

from __future__ import annotations

from typing import Any

import numpy as np
from fabric_programs import access, rect
from hypothesis import given, settings
from hypothesis import strategies as st

from wse_mlir.wse_target.image import PEClass, Program
from wse_mlir.wse_target.instructions import Access, Buffer
from wse_mlir.wse_target.sim.code import place
from wse_mlir.wse_target.sim.contents import MessageContents
from wse_mlir.wse_target.sim.kernels import Kernel, KernelKey, NumpyKernels
from wse_mlir.wse_target.sim.located import Located
from wse_mlir.wse_target.sim.memory import Memory

PES, SIZE = 6, 24


class Counting(NumpyKernels):
    """NumPy kernels that count the elements that are copied."""

    def __init__(self) -> None:
        self.copied = 0

    def kernel(self, signature: KernelKey) -> Kernel:
        inner = super().kernel(signature)

        def run(pes: int, operands: Any) -> None:
            self.copied += pes * int(np.prod(signature.bounds)) if signature.kind == "copy" else 0
            inner(pes, operands)

        return run


def make() -> tuple[Memory, MessageContents, Counting]:
    """Buffers "p" and "q" of SIZE f32 on a row of PES, full of numbers; "r" shares half of p's bytes."""
    where = rect(0, 0, PES, 1)
    buffers = {
        "p": Buffer("p", 0, (SIZE,), "f32"),
        "q": Buffer("q", 256, (SIZE,), "f32"),
        "r": Buffer("r", 2 * SIZE, (SIZE,), "f32"),
    }
    classes = (PEClass("all", where, ()),)
    memory = Memory(Program("contents", (PES, 1), (), (), buffers, classes), place(PES, 1, classes))
    memory.bytes.view(np.float32)[:] = np.random.default_rng(0).normal(size=(PES, memory.bytes.shape[1] // 4))
    kernels = Counting()
    return memory, MessageContents(memory, kernels), kernels


def at(buffer: str, stride: int, pes: np.ndarray, offset: int = 0) -> Located:
    return Located(access(buffer, stride), np.full(len(pes), offset))


def read(memory: Memory, buffer: str) -> np.ndarray:
    return np.array(memory.read(at(buffer, 1, np.arange(PES)), (SIZE,), np.arange(PES)))


def test_a_tile_that_nobody_overwrites_moves_once() -> None:
    memory, contents, kernels = make()
    pes = np.arange(PES)
    sent = read(memory, "p")
    batch = contents.hold(at("p", 1, pes), (SIZE,), pes, PES)
    assert kernels.copied == 0
    contents.store(batch, np.roll(pes, 1), "copy", at("q", 1, pes), (SIZE,), pes)
    contents.release(batch, PES)
    assert kernels.copied == PES * SIZE
    np.testing.assert_array_equal(read(memory, "q"), np.roll(sent, 1, axis=0))


def test_what_was_sent_survives_its_overwriting() -> None:
    memory, contents, kernels = make()
    pes, first = np.arange(PES), np.array([0])
    sent = read(memory, "p")
    batch = contents.hold(at("p", 1, pes), (SIZE,), pes, PES)
    memory.apply(kernels, "fill", first, (SIZE,), at("q", 1, first), [1.0])
    assert kernels.copied == 0, "a write elsewhere copies nothing"
    memory.apply(kernels, "fill", first, (2,), at("r", 1, first), [1.0])
    assert kernels.copied == PES * SIZE
    contents.store(batch, pes, "add", at("p", 1, pes), (SIZE,), pes)
    expected = sent.copy()
    expected[0, SIZE // 2 : SIZE // 2 + 2] = 1
    np.testing.assert_array_equal(read(memory, "p"), expected + sent)


def test_exchange_in_one_buffer() -> None:
    memory, contents, _ = make()
    pes = np.arange(PES)
    sent = read(memory, "p")
    batch = contents.hold(at("p", 1, pes), (SIZE,), pes, PES)
    contents.store(batch, pes[::-1].copy(), "copy", at("p", 1, pes), (SIZE,), pes)
    np.testing.assert_array_equal(read(memory, "p"), sent[::-1])


def test_messages_are_taken_in_loops_of_any_shape() -> None:
    """6 rows of 4 go out column by column and come in as 2 x 12, 8 x 3 and 24."""
    memory, contents, _ = make()
    pes = np.arange(PES)
    sent = read(memory, "p").reshape(PES, 6, 4).transpose(0, 2, 1).reshape(PES, SIZE)
    columns = Located(Access("p", at("p", 1, pes).access.offset, (1, 4)), np.zeros(PES, np.int64))
    for bounds in ((2, 12), (8, 3), (24,), (2, 2, 6), (4, 6)):
        strides = tuple(int(np.prod(bounds[i + 1 :])) for i in range(len(bounds)))
        batch = contents.hold(columns, (4, 6), pes, PES)
        dst = Located(Access("q", columns.access.offset, strides), np.zeros(PES, np.int64))
        contents.store(batch, pes, "copy", dst, bounds, pes)
        contents.release(batch, PES)
        np.testing.assert_array_equal(read(memory, "q"), sent)


steps = st.tuples(
    st.sampled_from(["hold", "write", "store", "relay", "pass", "release"]),
    st.sampled_from("pqr"),
    st.sampled_from("pqr"),
    st.lists(st.integers(0, PES - 1), min_size=1, max_size=PES, unique=True),
    st.integers(0, 7),
    st.integers(0, 7),
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.lists(steps, min_size=2, max_size=25))
def test_lazy_contents_are_those_of_eager_copies(script: list[tuple[Any, ...]]) -> None:
    memory, contents, kernels = make()
    batches: list[tuple[int, np.ndarray]] = []  # number, and what its rows must hold
    bounds, count = (2, 4), 8
    for number, (what, source, target, chosen, pick, offset) in enumerate(script):
        pes = np.array(sorted(chosen))
        src, dst = (
            Located(Access(b, access(b, 1).offset, (4, 1)), np.full(len(pes), offset))
            for b in (source, target)
        )
        if what == "hold" or not batches:
            kept = np.array(memory.read(src, bounds, pes)).reshape(len(pes), count)
            batches.append((contents.hold(src, bounds, pes, len(pes)), kept))
            continue
        index = pick % len(batches)
        batch, kept = batches[index]
        rows = (np.arange(len(pes)) + number) % len(kept)
        before = np.array(memory.read(dst, bounds, pes)).reshape(len(pes), count)
        if what == "write":
            memory.apply(kernels, "fill", pes, bounds, dst, [float(number)])
        elif what == "store":
            contents.store(batch, rows, "add", dst, bounds, pes)
            after = np.array(memory.read(dst, bounds, pes)).reshape(len(pes), count)
            np.testing.assert_array_equal(after, before + kept[rows])
        elif what == "relay":
            batches.append(
                (contents.combine(batch, rows, "add", dst, bounds, pes, len(pes)), kept[rows] + before)
            )
        elif what == "pass":
            batches.append((contents.combine(batch, rows, "copy", None, bounds, pes, len(pes)), kept[rows]))
        else:
            contents.release(batch, len(kept))
            del batches[index]
    pes = np.array([0])
    for batch, kept in batches:
        for row in range(len(kept)):
            dst = at("q", 1, pes)
            contents.store(batch, np.array([row]), "copy", dst, (count,), pes)
            np.testing.assert_array_equal(read(memory, "q")[0, :count], kept[row])
