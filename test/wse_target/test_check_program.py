"""What is refused before a program runs."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from fabric_programs import access, broadcast, ints, rect, values
from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.image import Buffer, PEClass, Program, Route, Send, Vector
from wse_mlir.wse_target.machine import load_machine
from wse_mlir.wse_target.sim import Simulation, check_program, simulate

TINY = load_machine("tiny")
GOOD = broadcast(4, 8)


def changed(**fields: object) -> Program:
    return replace(GOOD, **fields)  # type: ignore[arg-type]


def with_op(op: object) -> Program:
    return changed(classes=(PEClass("all", rect(0, 0, 4, 1), (op,)),))  # type: ignore[arg-type]


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
    "colours 'b' and 'c' both have number 0": changed(colours={"b": 0, "c": 0}),
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
}


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
    from wse_mlir.wse_target.quasi_affine import Var, const

    everywhere = replace(GOOD.gathers[0], origin=(Var("y"), const(0), const(0)), access=access("a", 0, 0, 1))
    with pytest.raises(TargetError, match="PEs that hold the same elements of result 'r' disagree"):
        simulate(changed(gathers=(GOOD.gathers[0], everywhere)), TINY, [values(GOOD)])
    beyond = replace(GOOD.scatters[0], origin=(Var("y"), Var("x") + 1, const(0)))
    with pytest.raises(TargetError, match="of 'a' lies outside its shape"):
        simulate(changed(scatters=(beyond,)), TINY, [values(GOOD)])
