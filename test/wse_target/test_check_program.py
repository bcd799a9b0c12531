"""What is refused before a program runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fabric_programs import access, broadcast, ints, rect, values

from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import PEClass, Program, Route
from wse_mlir.wse_target.instructions import Buffer, Control, Loop, Send, Source, Switch, Vector
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import Expr, Lookup, Var, const
from wse_mlir.wse_target.sim import Simulation, check_program, simulate
from wse_mlir.wse_target.sim.check import sram_use
from wse_mlir.wse_target.sim.engine import EngineName

TINY = load_machine("tiny")
GOOD = broadcast(4, 8)


def changed(**fields: object) -> Program:
    return replace(GOOD, **fields)  # type: ignore[arg-type]


def with_op(op: object) -> Program:
    return changed(classes=(PEClass("all", rect(0, 0, 4, 1), (op,)),))  # type: ignore[arg-type]


FIFTH = (*GOOD.routes, Route("b", rect(1, 0, 1, 1), "west", ("ramp",), position=4))
BIG = {**GOOD.buffers, "weights": Buffer("weights", 64, (12000,), "f32")}
BAD = {
    r"needs 9x1 PEs, tiny gives 8x8": changed(grid=(9, 1)),
    r"48064 \(buffers\) \+ 0 \(code\) \+ 4096 \(host-transfer runtime\) = 52160 bytes > 49152": changed(
        buffers=BIG
    ),
    r"= 52224 bytes > 49152": changed(buffers=BIG, code_bytes={"root": 64}),
    "is at byte 2, which is not a multiple of 4": changed(
        buffers={**GOOD.buffers, "x": Buffer("x", 2, (1,), "f32")}
    ),
    "colour 'b' has number 23, but programs on tiny may route 21 colours": changed(colours={"b": 23}),
    "colours 'b' and 'c' both have number 0 and start on one router": changed(
        colours={"b": 0, "c": 0},
        routes=(*GOOD.routes, Route("c", rect(1, 0, 1, 1), "east", ("ramp",))),
    ),
    "a route is of colour 'z'": changed(routes=(Route("z", rect(0, 0, 1, 1), "ramp", ("east",)),)),
    "a route of colour 'b' reaches outside": changed(
        routes=(Route("b", rect(3, 0, 2, 1), "ramp", ("east",)),)
    ),
    r"PE \(0, 0\) belongs to two classes, 'root' and 'again'": changed(
        classes=(*GOOD.classes, PEClass("again", rect(0, 0, 1, 1), ()))
    ),
    "class 'all' reaches outside": changed(classes=(PEClass("all", rect(0, 0, 4, 2), ()),)),
    "a host transfer reaches PEs that have no program": changed(classes=GOOD.classes[1:]),
    "there is no buffer 'nowhere'": with_op(Vector("copy", ints(1), access("nowhere", 1), (1.0,))),
    "has 2 strides for 1 loops": with_op(Vector("copy", ints(1), access("a", 1, 1), (1.0,))),
    "vector 'fly' with 1 sources, expected a known kind": with_op(
        Vector("fly", ints(1), access("a", 1), (1.0,))
    ),
    "vector 'add' with 1 sources, expected 2 sources": with_op(
        Vector("add", ints(1), access("a", 1), (1.0,))
    ),
    "a transfer is of colour 'z'": with_op(Send("z", ints(1), access("a", 1))),
    "microthread 9 does not exist: a PE of tiny has 8": with_op(Send("b", ints(1), access("a", 1), thread=9)),
    "there is no unit 'coffee'; there are task, branch": with_op(Control("coffee", const(1))),  # type: ignore[arg-type]
    "a switch is of colour 'z', which the program does not declare": with_op(Switch("z", const(0))),
    "a switch of colour 'b' goes to position 4; a switch of tiny has 4": with_op(Switch("b", Var("x") + 1)),
    "a switch of colour 'b' goes to position -2": with_op(Switch("b", Var("x") - 2, rewrite=True)),
    "a route of colour 'b' has position 4; a switch of tiny has 4": changed(routes=FIFTH),
    "colour 'b' starts at position 7; a switch of tiny has 4": changed(positions={"b": 7}),
    "the start of colour 'z' is given": changed(positions={"z": -1}),
    "queues of colour 'z' are given": changed(queues={"z": (0, 0)}),
    "colour 'b' has output queue 8; a PE of tiny has 8, from 0": changed(queues={"b": (0, 8)}),
    "entry 3 of table 't' is looked up, which has 3": with_op(
        Vector("copy", (Lookup("t", (1, 1, 1), Var("x")),), access("r", 1), (1.0,))
    ),
    "entry -1 of table 't' is looked up": with_op(Control("task", Lookup("t", (1, 1, 1, 1), Var("x") - 1))),
}


def test_settings_that_pes_write_are_as_many_as_they_like() -> None:
    rewrite = PEClass("all", rect(0, 0, 4, 1), (Switch("b", const(4), rewrite=True),))
    check_program(changed(routes=FIFTH, classes=(rewrite,)), TINY)


def test_colours_may_share_a_number_apart_in_space_or_one_after_the_other() -> None:
    far = Route("c", rect(0, 1, 1, 1), "ramp", ("south",))
    two_rows = replace(broadcast(4, 8, 2), colours={"b": 0, "c": 0})
    only_first = tuple(
        replace(r, where=rect(r.where.base[0], 0, r.where.extent[0], 1)) for r in two_rows.routes
    )
    check_program(replace(two_rows, routes=(*only_first, far)), TINY)
    over = replace(two_rows, routes=(*two_rows.routes, far))
    check_program(replace(over, positions={"c": -1}), TINY)
    with pytest.raises(TargetError, match="both have number 0"):
        check_program(over, TINY)


@pytest.mark.parametrize("engine", ["flow", "wavelet"])
@pytest.mark.parametrize(
    ("index", "entry"),
    [(Var("i"), 3), (Var("i") - 2, -2), ((Var("x") + Var("i")) // 2, 3), (Var("i") + 9, 9)],
)
def test_a_table_looked_up_too_far_in_a_loop_is_named(engine: EngineName, index: Expr, entry: int) -> None:
    source = Source("layer", "model.py:7")
    looked_up = Control("task", Lookup("t", (1, 2, 3), index), source=source)
    program = with_op(Loop("i", const(4), (looked_up,)))
    with pytest.raises(TargetError) as error:
        Simulation(program, TINY, timing_only=True, engine=engine).call([])
    assert str(error.value) == f"layer (model.py:7): entry {entry} of table 't' is looked up, which has 3"


def test_tables_take_memory() -> None:
    """Whole ones in loops; of those that the PE's place says the entry of, that entry."""
    table = Lookup("t", tuple(range(500)), Var("step"))
    looked_up = with_op(
        Loop("step", const(4), (Control("task", table + Lookup("u", (1, 2, 3, 4), Var("x"))),))
    )
    assert sram_use(replace(looked_up, code_bytes={"all": 100}), TINY).code == 100 + 2 * 501
    huge = with_op(Loop("step", const(4), (Control("task", Lookup("t", (0,) * 24000, Var("step"))),)))
    with pytest.raises(TargetError, match=r"48000 \(code\)") as caught:
        check_program(huge, TINY)
    assert "the code holds 48000 bytes of tables" in caught.value.notes


@pytest.mark.parametrize("message", list(BAD))
def test_refused(message: str) -> None:
    with pytest.raises(TargetError, match=message):
        check_program(BAD[message], TINY)


def test_memory_error_lists_the_largest_buffers_and_remedies() -> None:
    with pytest.raises(TargetError) as caught:
        check_program(changed(buffers=BIG), TINY)
    assert "buffer 'weights': 48000 bytes" in caught.value.notes[0]
    assert "more PEs" in caught.value.hint and "f16" in caught.value.hint


def test_inputs_are_checked() -> None:
    with pytest.raises(TargetError, match="argument 'a' is 1x4x8xfloat64, expected 1x4x8xfloat32"):
        simulate(GOOD, TINY, [np.zeros((1, 4, 8))])
    with pytest.raises(TargetError, match="has 1 arguments, got 2"):
        simulate(GOOD, TINY, [values(GOOD)] * 2)
    resident = changed(scatters=(replace(GOOD.scatters[0], resident=True),))
    with pytest.raises(TargetError, match="resident arguments are not loaded: 'a'"):
        Simulation(resident, TINY).call([])


def test_resident_arguments_cost_no_call() -> None:
    resident = changed(scatters=(replace(GOOD.scatters[0], resident=True),))
    once, each = simulate(resident, TINY, [values(GOOD)]), simulate(GOOD, TINY, [values(GOOD)])
    np.testing.assert_array_equal(once.outputs[0], each.outputs[0])
    assert once.report.cycles.host_in == 0
    assert once.report.cycles.host_load == each.report.cycles.host_in == 100 + 32


def test_results_must_be_complete_and_replicas_agree() -> None:
    part = replace(GOOD.gathers[0], where=rect(0, 0, 3, 1))
    with pytest.raises(TargetError, match=r"no PE holds element \(0, 3, 0\) of result 'r'"):
        simulate(changed(gathers=(part,)), TINY, [values(GOOD)])
    everywhere = replace(GOOD.gathers[0], origin=(Var("y"), const(0), const(0)), access=access("a", 0, 0, 1))
    with pytest.raises(TargetError, match="PEs that hold the same elements of result 'r' disagree"):
        simulate(changed(gathers=(GOOD.gathers[0], everywhere)), TINY, [values(GOOD)])
    beyond = replace(GOOD.scatters[0], origin=(Var("y"), Var("x") + 1, const(0)))
    with pytest.raises(TargetError, match="of 'a' lies outside its shape"):
        simulate(changed(scatters=(beyond,)), TINY, [values(GOOD)])
