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
from wse_mlir.passes.wafer.emit.write.shared_text import Enter, Leave, SharedText
from wse_mlir.passes.wafer.executable import ENTERS
from wse_mlir.passes.wafer.memory import wse_share_text
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


@pytest.mark.parametrize(
    "change",
    [
        {"bounds": (const(2), const(4))},
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


@pytest.mark.parametrize("family", ["lenet", "bert"])
def test_programs_of_routines_compute_the_same(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = FAMILIES[family].case("tiny")
    plain = wse_mlir.compile(case.model, case.args, target="tiny", grid="4x2")
    expected = results(plain, case)
    monkeypatch.setattr(wse_emit_programs, "_LONG_TEXT", 1 << 20)
    monkeypatch.setattr(wse_share_text, "_needed", wse_share_text.saved_by_call)
    shared = wse_mlir.compile(case.model, case.args, target="tiny", grid="4x2")
    assert all(map(torch.equal, results(shared, case), expected))
    assert shared.report["sram"]["code"] < plain.report["sram"]["code"]
    assert shared.report["cycles"]["device"] > plain.report["cycles"]["device"]
