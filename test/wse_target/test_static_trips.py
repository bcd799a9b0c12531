"""Two trips of a loop in place of all of them: when that is a proof, and that it says no more than it may."""

from __future__ import annotations

from dataclasses import replace

from switched_layers import layers

from wse_mlir.wse_target.analysis.deadlock import execute_whole, verdict
from wse_mlir.wse_target.analysis.trips import shortened
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.instructions import Instruction, Loop, Receive, Send, Switch, all_instructions
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import const

MACHINE = load_machine("wse3")
WORK = 2_000_000


def changed(program: Program, change) -> Program:
    """The program with each class's body changed: change(class's name, body)."""
    classes = tuple(replace(c, body=tuple(change(c.name, c.body))) for c in program.classes)
    return replace(program, classes=classes)


def in_layer(program: Program, change) -> Program:
    """The program with the body of its loop over layers changed."""

    def of(name: str, body: tuple[Instruction, ...]):
        for op in body:
            if isinstance(op, Loop) and op.variable == "layer":
                op = replace(op, body=tuple(change(name, op.body)))
            yield op

    return changed(program, of)


def test_a_million_layers_are_proven_free_by_two() -> None:
    program = layers(1_000_000)
    assert execute_whole(layers(1000), MACHINE, WORK).outcome == "undecided"
    assert verdict(program, MACHINE, WORK).outcome == "free"
    short = shortened(program)
    assert short is not None
    switches = sum(isinstance(op, Switch) for op in all_instructions(short.classes[0].body))
    assert switches == sum(isinstance(op, Switch) for op in all_instructions(program.classes[0].body))


def test_a_layer_that_waits_for_ever_is_found() -> None:
    """The right half of the PEs takes two words more than it is sent."""

    def longer(name: str, body: tuple[Instruction, ...]):
        for op in body:
            if isinstance(op, Receive) and name == "right":
                op = replace(op, bounds=(op.bounds[0], const(2)))
            yield op

    found = verdict(in_layer(layers(50), longer), MACHINE)
    assert (found.outcome, "takes" in found.reason) == ("deadlocks", True)


def test_a_router_that_forgets_to_switch_in_the_loop_is_found() -> None:
    def without(name: str, body: tuple[Instruction, ...]):
        switches = [op for op in body if isinstance(op, Switch)]
        yield from (op for op in body if name == "left" or op is not switches[-1])

    assert verdict(in_layer(layers(50), without), MACHINE).outcome == "deadlocks"


def skewed(trips: int) -> Program:
    """What is sent in one trip is taken in the next: no trip ends with everything at rest."""
    program = layers(trips, words=1)

    def body(name: str, ops: tuple[Instruction, ...]):
        sends = [op for op in all_instructions(ops) if isinstance(op, Send)][:1]
        takes = [op for op in all_instructions(ops) if isinstance(op, Receive)][:1]
        switch = next(op for op in all_instructions(ops) if isinstance(op, Switch))
        return (switch, *sends, Loop("layer", const(trips), (*sends, *takes)), *takes)

    return changed(program, body)


def test_trips_that_overlap_leave_the_whole_to_decide() -> None:
    program = skewed(5)
    short = shortened(program)
    assert short is not None
    assert execute_whole(short, MACHINE).outcome == "undecided"
    assert verdict(program, MACHINE).outcome == "free"


def test_loops_whose_trips_differ_are_not_shortened() -> None:
    assert shortened(layers(2)) is None
    assert shortened(layers(20, turning=True)) is None


def test_classes_with_other_loops_are_not_shortened() -> None:
    def other(name: str, body: tuple[Instruction, ...]):
        for op in body:
            yield replace(op, trips=const(21)) if isinstance(op, Loop) and name == "left" else op

    assert shortened(changed(layers(20), other)) is None


def test_classes_without_transfers_wait_at_the_barriers() -> None:
    program = layers(20)
    first, second = program.classes
    row = replace(second.where, base=(0, 1), extent=(6, 1))
    idle = replace(second, name="idle", where=row, body=(Loop("i", const(3), ()),))
    taller = replace(
        program, grid=(6, 2), classes=(first, second, idle), scatters=(), gathers=(), arguments=(), results=()
    )
    short = shortened(taller)
    assert short is not None
    assert execute_whole(short, MACHINE).outcome == "free"
