"""Routines of a text: nothing else changes, descriptors that differ are counted, and results stay what they were."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from cpu_families import FAMILIES
from cpu_families.case import Case
from hypothesis import given
from hypothesis import strategies as st
from lowering import lower
from random_programs import random_program

import wse_mlir
from wse_mlir.passes.wafer.emit import wse_emit_programs
from wse_mlir.passes.wafer.emit.write.descriptor_words import WordRecord
from wse_mlir.passes.wafer.emit.write.shared_text import Enter, Leave, SharedText
from wse_mlir.passes.wafer.emit.write.text_shapes import merged_loops
from wse_mlir.passes.wafer.executable import ENTERS
from wse_mlir.passes.wafer.memory import wse_share_text
from wse_mlir.passes.wafer.memory.text_bytes import saved_by_call, saved_by_words
from wse_mlir.passes.wafer.memory.wse_plan_memory import MemoryPlan
from wse_mlir.wse_target.footprint import text_bytes
from wse_mlir.wse_target.instructions import Access, Buffer, Control, Instruction, Loop, Vector
from wse_mlir.wse_target.quasi_affine import Expr, Var, const

BUFFERS = {name: Buffer(name, 0, (64,), "f32") for name in "abcdefgh"}


def walk(name: str, offset: int | Expr = 0) -> Access:
    return Access(name, const(offset) if isinstance(offset, int) else offset, (1,))


def chain(source: str, target: str, length: int = 8) -> list[Instruction]:
    """Three operations that differ from another chain in two descriptors."""
    bounds = (const(length),)
    return [
        Vector("exp", bounds, walk(target), (walk(source),)),
        Vector("mul", bounds, walk(target), (walk(target), walk(source))),
        Vector("neg", bounds, walk(target), (walk(target),)),
    ]


def marked(text: Sequence[Instruction]) -> tuple[Any, ...]:
    return SharedText(BUFFERS).marked(tuple(text))


def without_marks(text: Sequence[Any]) -> tuple[Instruction, ...]:
    return tuple(
        replace(op, body=without_marks(op.body)) if isinstance(op, Loop) else op
        for op in text
        if not isinstance(op, Enter | Leave)
    )


def shared_bytes(text: Sequence[Any]) -> int:
    """Bytes of a text whose marks are calls."""
    total, seen, inside = 0, set[str](), ""
    for op in text:
        if isinstance(op, Enter):
            total += 8 + op.record
            inside = op.routine if op.routine in seen else ""
            seen.add(op.routine)
        elif isinstance(op, Leave):
            total, inside = total + 8, ""
        elif isinstance(op, Loop):
            total += 16 + shared_bytes(op.body) if not inside else 0
        elif not inside:
            total += text_bytes((op,))
    return total


def test_calls_have_the_descriptors_that_differ() -> None:
    text = [*chain("a", "b"), Control("task", const(1)), *chain("c", "d"), *chain("a", "d")]
    found = marked(text)
    assert without_marks(found) == tuple(text)
    enters = [op for op in found if isinstance(op, Enter)]
    assert [e.record for e in enters] == [0, 16, 16] and len({e.routine for e in enters}) == 1
    assert shared_bytes(found) == text_bytes(text) - 2 * 120 + 2 * 16 + 3 * 16


def test_words_that_differ_by_the_same_number_take_no_place_in_records() -> None:
    """Two addresses in one tensor, three trips that are equal: a tensor's place and a length are two words."""

    def pieces(target: str, length: int) -> list[Instruction]:
        bounds = (const(length),)
        return [Vector("neg", bounds, walk(target, 8 * k), (walk("a", 8 * k),)) for k in range(3)]

    lengths = {"b": 8, "c": 7, "d": 6, "e": 5, "f": 4, "g": 3, "h": 2}
    found = marked([op for item in lengths.items() for op in (*pieces(*item), Control("task", const(1)))])
    enters = [op for op in found if isinstance(op, Enter)]
    assert [e.record for e in enters] == [0] + 6 * [6 * 8]  # six walks, all of which differ in their length
    # Nine words are set: of each piece the target's address, and the lengths of both walks.
    assert [e.by_words for e in enters] == [(9 * 8 + 8, 9)] + 6 * [(2 * 2, 9)]


def test_descriptors_of_which_all_words_differ_are_brought_as_they_are() -> None:
    walks = [
        (Access("abcd"[k], const(k * k), (9 + k, 3 + 2 * k)), (const(3 + k), const(2 + k * k)))
        for k in range(4)
    ]
    assert WordRecord.of([walks]) == WordRecord(record=8, code=8, words=0)
    assert WordRecord.of([[(access, bounds[:1]) for access, bounds in walks[:1]]]).record == 0


@pytest.mark.parametrize(
    ("bounds", "strides", "expected"),
    [
        ((3, 4), (4, 1), ((12,), (1,))),
        ((2, 1, 4), (9, 7, 1), ((2, 4), (9, 1))),
        ((2, 3, 4), (12, 4, 1), ((24,), (1,))),
        ((2, 3, 4), (13, 4, 1), ((2, 12), (13, 1))),
        ((1, 1), (5, 1), ((), ())),
    ],
)
def test_loops_are_those_of_descriptors(bounds: Any, strides: Any, expected: Any) -> None:
    merged, (one,) = merged_loops(tuple(map(const, bounds)), [Access("a", const(0), strides)])
    assert (merged, one.strides) == (tuple(map(const, expected[0])), expected[1])


def test_loops_are_merged_where_all_walks_are() -> None:
    bounds, walks = (const(3), const(4)), [Access("a", const(0), (4, 1)), Access("b", const(0), (5, 1))]
    assert merged_loops(bounds, walks) == (bounds, walks)
    inner = (const(3), Var("x"))  # how far a trip of the outer loop goes, no PE knows of another
    assert merged_loops(inner, walks[:1]) == (inner, walks[:1])


@pytest.mark.parametrize(
    "change",
    [
        {
            "bounds": (const(2), const(4)),
            "dst": Access("c", const(0), (9, 1)),
            "srcs": (Access("a", const(0), (9, 1)),),
        },
        {"schedule": "scalar"},
        {"srcs": (walk("c", Var("i")),)},
        {"srcs": (1.0,)},
    ],
    ids=["loops", "schedule", "what a loop decides", "a number"],
)
def test_what_is_more_than_a_descriptor_is_not_shared(change: dict[str, Any]) -> None:
    first, other = (
        [Vector(kind, (const(8),), walk(target), (walk("a"),)) for kind in ("exp", "sin", "cos", "neg")]
        for target in "bc"
    )
    assert any(isinstance(op, Enter) for op in marked([*first, *other]))
    changed = [replace(op, **change) for op in other]
    assert not any(isinstance(op, Enter) for op in marked([*first, *changed]))


def test_bodies_of_long_loops_share_with_the_text_around_them() -> None:
    loop = Loop(
        "i", const(3), (*chain("c", "d"), *chain("e", "f"), Control("task", const(2)), *chain("g", "h"))
    )
    found = marked([*chain("a", "b"), loop])
    assert without_marks(found) == (*chain("a", "b"), loop)
    inner = found[-1]
    assert isinstance(inner, Loop) and sum(isinstance(op, Enter) for op in inner.body) == 3


@given(st.integers(0, 10_000), st.lists(st.integers(0, 7), min_size=2, max_size=12))
def test_marks_save_bytes_and_change_nothing_else(seed: int, order: list[int]) -> None:
    program = random_program(seed).program
    names = list(program.buffers)
    pieces = [op for pes in program.classes for op in pes.body][:8] or [Control("task", const(1))]
    text = tuple(pieces[k % len(pieces)] for k in order) + tuple(pieces[k % len(pieces)] for k in order)
    found = SharedText(program.buffers).marked(text)
    assert names and without_marks(found) == text
    assert shared_bytes(found) <= text_bytes(text)
    open_name = ""
    for op in found:
        if isinstance(op, Enter):
            assert not open_name
            open_name = op.routine
        elif isinstance(op, Leave):
            assert op.routine == open_name
            open_name = ""
    assert not open_name


def results(compiled: Any, case: Case) -> tuple[torch.Tensor, ...]:
    found = compiled(*case.args)
    return found if isinstance(found, tuple) else (found,)


def test_marks_are_ir_that_verifies(monkeypatch: pytest.MonkeyPatch) -> None:
    """`compile` leaves the verifier out, and `wse-share-text` the marks."""
    monkeypatch.setattr(wse_emit_programs, "_LONG_TEXT", 1 << 20)
    case = FAMILIES["lenet"].case("tiny")
    module = lower(case.model, case.args, "4x2", "emit").module
    assert module.operation.verify() and ENTERS in str(module)


@pytest.mark.parametrize(("family", "sets_words"), [("lenet", False), ("bert", True)])
def test_programs_of_routines_compute_the_same(
    family: str, sets_words: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreseen: list[float] = []

    def needed(memory: MemoryPlan) -> tuple[set[str], set[str]]:
        texts = list(memory.read.values())
        chosen = set(saved_by_call(texts)), set(saved_by_words(texts)) if sets_words else set[str]()
        foreseen.append(max(text.call_cycles(memory.machine.control, *chosen) for text in texts))
        return chosen

    case = FAMILIES[family].case("tiny")
    plain = wse_mlir.compile(case.model, case.args, target="tiny", grid="4x2")
    expected = results(plain, case)
    monkeypatch.setattr(wse_emit_programs, "_LONG_TEXT", 1 << 20)
    monkeypatch.setattr(wse_share_text, "_needed", needed)
    shared = wse_mlir.compile(case.model, case.args, target="tiny", grid="4x2")
    assert all(map(torch.equal, results(shared, case), expected))
    assert shared.report["sram"]["code"] < plain.report["sram"]["code"]
    longer = shared.report["cycles"]["makespan"] - plain.report["cycles"]["makespan"]
    assert 0 < longer <= foreseen[-1], "PEs that wait for others may make calls meanwhile"


def test_bytes_are_those_of_the_program_that_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the choice of routines counts on is what `wse-plan-memory` finds afterwards."""
    counted: list[int] = []

    def needed(memory: MemoryPlan) -> tuple[set[str], set[str]]:
        texts = list(memory.read.values())
        chosen = set(saved_by_call(texts)), set(saved_by_words(texts))
        counted.extend(memory.with_routines(routines).most.code for routines in ((), chosen[0]))
        counted.append(memory.with_routines(*chosen).most.code)
        return chosen

    monkeypatch.setattr(wse_emit_programs, "_LONG_TEXT", 1 << 20)
    monkeypatch.setattr(wse_share_text, "_needed", needed)
    case = FAMILIES["bert"].case("tiny")
    code = wse_mlir.estimate(case.model, case.args, target="tiny", grid="4x4")["sram"]["code"]
    whole, shared, by_words = counted
    assert whole > shared > by_words == code
