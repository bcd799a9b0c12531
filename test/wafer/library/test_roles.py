"""Classes that choose between roles: the same programs, in as few classes as one wants."""

from __future__ import annotations

from dataclasses import replace
from itertools import zip_longest

import numpy as np
import pytest
from random_programs import random_program

from wse_mlir.passes.wafer.algorithms.fragment import Fragment, RectangleText, sequence
from wse_mlir.passes.wafer.algorithms.roles import MOST_CLASSES, in_classes
from wse_mlir.wse_target.analysis.deadlock import verdict
from wse_mlir.wse_target.image import PEClass, Program, StridedRect
from wse_mlir.wse_target.instructions import Choose, Control, all_instructions
from wse_mlir.wse_target.quasi_affine import Var, const
from wse_mlir.wse_target.roles import by_role
from wse_mlir.wse_target.sim import Simulation
from wse_mlir.wse_target.sim.engine import EngineName

GRID: tuple[int, int] = (40, 30)


def in_one_class(program: Program) -> Program:
    """The k-th instructions of all classes are the roles of the k-th step."""
    steps = zip_longest(*(c.body for c in program.classes))
    places = [c.where for c in program.classes]
    fragments = [
        Fragment(
            tuple(
                RectangleText(where, (op,)) for where, op in zip(places, step, strict=True) if op is not None
            )
        )
        for step in steps
    ]
    whole = in_classes(fragments, program.grid, 1)
    return replace(program, classes=tuple(PEClass("all", part.where, part.body) for part in whole.parts))


@pytest.mark.parametrize("engine", ["flow", "wavelet"])
def test_one_class_that_chooses_runs_as_several_do(engine: EngineName) -> None:
    """Bit for bit, and cycle for cycle where a branch costs nothing; streams that meet come in other orders."""
    late = 0
    for seed in range(24):
        case = random_program(seed, small=True)
        machine = case.machine.replace(control__branch=0.0)
        before = Simulation(case.program, machine, engine=engine).call(case.inputs, repeat=2)
        merged = in_one_class(case.program)
        assert len(merged.classes) == 1
        after = Simulation(merged, machine, engine=engine).call(case.inputs, repeat=2)
        for a, b in zip(before.outputs, after.outputs, strict=True):
            assert a.tobytes() == b.tobytes(), seed
        late += before.report.cycles.makespan != pytest.approx(after.report.cycles.makespan, rel=0.01)
        assert verdict(merged, machine).outcome == verdict(case.program, machine).outcome
    assert late <= (0 if engine == "wavelet" else 2)


def test_classes_without_choices_are_those_that_were() -> None:
    same = 0
    for seed in range(12):
        program = random_program(seed).program
        before, again = by_role(program.classes), by_role(in_one_class(program).classes)
        assert (before is None) == (again is None), "a loop's variable chooses in both or in none"
        if before is not None and again is not None:
            assert _texts(before, program.grid) == _texts(again, program.grid)
            same += 1
    assert same > 6


def _texts(classes: tuple[PEClass, ...], grid: tuple[int, int]) -> list[object]:
    found: list[object] = [()] * (grid[0] * grid[1])
    for pe_class in classes:
        (bx, by), (w, h), (sx, sy) = pe_class.where.base, pe_class.where.extent, pe_class.where.step
        for x in range(bx, bx + w * sx, sx):
            for y in range(by, by + h * sy, sy):
                found[y * grid[0] + x] = pe_class.body
    return found


def _line(axis: int, roles: int, first: int) -> Fragment:
    """A role for each of the first PEs of a line, and one for the others."""
    parts = []
    for role in range(roles):
        base, extent = [0, 0], [*GRID]
        base[axis], extent[axis] = role, 1 if role < roles - 1 else GRID[axis] - role
        body = (Control("scalar", const(first + role)),) * (1 + first)
        parts.append(RectangleText(StridedRect((base[0], base[1]), (extent[0], extent[1])), body))
    return Fragment(tuple(parts))


def test_what_saves_most_code_makes_the_classes() -> None:
    fragments = [_line(0, 12, 0), _line(1, 12, 3), _line(1, 12, 3), _line(0, 3, 1)]
    assert len(sequence(fragments, GRID).parts) > MOST_CLASSES
    found = in_classes(fragments, GRID)
    assert len(found.parts) == 36
    chosen = [op for op in found.parts[0].body if isinstance(op, Choose)]
    assert [len(op.cases) for op in chosen] == [12] and chosen[0].selector.variables() == {"x"}
    assert len(in_classes(fragments, GRID, 1).parts) == 1


def test_long_texts_have_few_classes_unless_they_may_be_many() -> None:
    fragments = [_line(0, 12, 50), _line(1, 12, 50)]
    assert len(in_classes(fragments, GRID, most_instructions=1_000).parts) == 1
    assert len(in_classes(fragments, GRID, most_instructions=4_000).parts) == 12
    assert len(in_classes(fragments, GRID, 1_000, most_instructions=100_000).parts) > MOST_CLASSES


def test_roles_by_both_coordinates() -> None:
    """Quarters of the grid, and PEs without any role."""
    (w, h), places = (GRID[0] // 2, GRID[1] // 2), [(0, 0), (1, 0), (0, 1)]
    parts = [
        RectangleText(StridedRect((w * i, h * j), (w, h)), (Control("scalar", const(i + 2 * j)),))
        for i, j in places
    ]
    (part,) = in_classes([Fragment(tuple(parts))], GRID, 1).parts
    (choose,) = part.body
    assert isinstance(choose, Choose) and len(list(all_instructions(part.body))) == 4
    at = {"x": np.arange(GRID[0])[None, :], "y": np.arange(GRID[1])[:, None]}
    expected = np.select([(at["x"] >= w) & (at["y"] >= h), at["y"] >= h, at["x"] >= w], [3, 2, 1], 0)
    np.testing.assert_array_equal(choose.selector.evaluate(at), expected)


def test_what_a_loop_chooses_has_no_classes_of_its_own() -> None:
    body = (Choose(Var("step"), ((Control("scalar", const(1)),),)),)
    assert by_role((PEClass("all", StridedRect((0, 0), GRID), body),)) is None
