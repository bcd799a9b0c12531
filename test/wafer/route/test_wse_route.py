"""Colours and queues by liveness: merged where routes are equal, rewritten where numbers run out, refused by name."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
from collective_programs import program_of
from fabric_programs import access, ints, rect, row_program, values

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_manager import PipelineFailure, run_pipeline
from wse_mlir.passes.wafer.algorithms.collectives import turning
from wse_mlir.passes.wafer.algorithms.collectives.turning import Turning
from wse_mlir.passes.wafer.algorithms.fragment import Fragment, Line, RectangleText, TileWalk, sequence
from wse_mlir.passes.wafer.algorithms.roles import in_classes
from wse_mlir.passes.wafer.emit.write.program import program_module
from wse_mlir.passes.wafer.executable import symbols
from wse_mlir.runtime.wafer.image_builder import build_image
from wse_mlir.wse_target.analysis.deadlock import verdict
from wse_mlir.wse_target.image import PEClass, Program, Route
from wse_mlir.wse_target.instructions import (
    Choose,
    Control,
    Instruction,
    Join,
    Loop,
    Phase,
    Receive,
    Send,
    Source,
    Switch,
    Vector,
)
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import Lookup, Var, const, maximum
from wse_mlir.wse_target.sim.simulation import simulate

TINY = load_machine("tiny")
WORDS = 4
Pair = tuple[int, int]


@pytest.fixture(autouse=True)
def context() -> Iterator[None]:
    with create_context():
        yield


def path(colour: str, source: int, target: int) -> list[Route]:
    """From one PE of a row to another, by the PEs between."""
    onwards, back = ("east", "west") if target > source else ("west", "east")
    routes = [Route(colour, rect(source, 0, 1, 1), "ramp", (onwards,))]  # type: ignore[arg-type]
    between = abs(target - source) - 1
    if between:
        routes.append(Route(colour, rect(min(source, target) + 1, 0, between, 1), back, (onwards,)))  # type: ignore[arg-type]
    return [*routes, Route(colour, rect(target, 0, 1, 1), back, ("ramp",))]  # type: ignore[arg-type]


def program(width: int, phases: Sequence[Sequence[Pair]]) -> Program:
    """In each phase, for each (source, target), the target adds what the source began with; a colour for each."""
    n = ints(WORDS)
    bodies: list[list[Instruction]] = [
        [Vector("copy", n, access("r", 1), (access("a", 1),))] for _ in range(width)
    ]
    routes, colours = [], []
    for number, pairs in enumerate(phases):
        for body in bodies:
            body.append(Phase(f"p{number}", Source(f"layer{number}")))
        for source, target in pairs:
            colour = f"c{len(colours)}"
            colours.append(colour)
            routes += path(colour, source, target)
            place = Source(f"layer{number}", "model.py:3")
            bodies[source].append(Send(colour, n, access("a", 1), source=place))
            bodies[target].append(Receive(colour, n, access("r", 1), "add", source=place))
    classes = [PEClass(f"pe{x}", rect(x, 0, 1, 1), tuple(body)) for x, body in enumerate(bodies)]
    return replace(row_program(width, WORDS, classes, routes, colours), colours=dict.fromkeys(colours, -1))


def expected(width: int, phases: Sequence[Sequence[Pair]], a: np.ndarray) -> np.ndarray:
    result = a.copy()
    for pairs in phases:
        for source, target in pairs:
            result[0, target] += a[0, source]
    return result


def routed(before: Program) -> Program:
    module = program_module(before, "tiny")
    run_pipeline(module, "builtin.module(wse-route)")
    return build_image(module.operation)


def check(width: int, phases: Sequence[Sequence[Pair]]) -> Program:
    before = program(width, phases)
    after = routed(before)
    a = values(before)
    result = simulate(after, TINY, [a])
    np.testing.assert_allclose(result.outputs[0], expected(width, phases, a), rtol=1e-6)
    assert verdict(after, TINY).outcome == "free"
    return after


def switches(found: Program) -> list[Switch]:
    return [op for c in found.classes for op in c.body if isinstance(op, Switch)]


def test_the_same_routes_again_are_the_same_colour() -> None:
    after = check(3, [[(0, 1), (2, 1)], [(0, 1)], [(2, 1), (0, 1)]])
    assert len(after.colours) == 2 and not switches(after)


def test_numbers_are_rewritten_only_when_they_run_out() -> None:
    pairs = [(s, t) for s in range(6) for t in range(6) if s != t]
    few = check(6, [[pair] for pair in pairs[:21]])
    assert len(set(few.colours.values())) == 21 and not switches(few)
    many = check(6, [[pair] for pair in pairs])
    assert len(many.colours) == 30 and len(set(many.colours.values())) == 21
    assert set(many.positions) == {op.colour for op in switches(many)} and len(many.positions) == 9
    assert all(op.rewrite for op in switches(many)) and set(many.positions.values()) == {-1}
    first = next(i for i, op in enumerate(many.classes[0].body) if isinstance(op, Switch))
    assert isinstance(many.classes[0].body[first - 1], Phase)


def test_pes_that_share_a_text_with_routers_that_change() -> None:
    """Each class has two rows, of which only the first transfers anything and has routes."""
    pairs = [(s, t) for s in range(6) for t in range(6) if s != t]
    one = program(6, [[pair] for pair in pairs])
    n = (const(WORDS) * maximum(0, const(1) - Var("y")),)

    def first_row(op: Instruction) -> Instruction:
        return replace(op, bounds=n) if isinstance(op, Send | Receive) else op

    classes = [
        PEClass(c.name, replace(c.where, extent=(1, 2)), tuple(map(first_row, c.body))) for c in one.classes
    ]
    both = row_program(6, WORDS, classes, one.routes, list(one.colours), height=2)
    after = routed(replace(both, colours=one.colours))
    a = values(both)
    result = simulate(after, TINY, [a])
    np.testing.assert_allclose(result.outputs[0][:1], expected(6, [pairs], a)[:1], rtol=1e-6)
    np.testing.assert_array_equal(result.outputs[0][1], a[1])
    assert len(switches(after)) > 9


def test_roles_of_one_class_share_queues() -> None:
    """Every PE has a neighbour on each side, and a class of its own or a case of the one class that there is."""
    pairs = [(s, t) for s in range(8) for t in (s - 1, s + 1) if 0 <= t < 8]
    several = program(8, [pairs])
    cases = tuple(c.body[1:] for c in several.classes)
    choose = Choose(Lookup("role", tuple(range(8)), Var("x")), cases)
    one = PEClass("all", rect(0, 0, 8, 1), (several.classes[0].body[0], choose))
    after = routed(replace(several, classes=(one,)))
    a = values(several)
    np.testing.assert_allclose(simulate(after, TINY, [a]).outputs[0], expected(8, [pairs], a), rtol=1e-6)
    assert verdict(after, TINY).outcome == "free"


def test_transfers_of_a_role_one_after_the_other_share_queues() -> None:
    """Nine colours, one after the other in the case of a choice."""
    pairs = [(1, 0)] * 9
    several = program(2, [pairs])
    choose = Choose(Lookup("role", (0, 1), Var("x")), tuple(c.body[1:] for c in several.classes))
    one = PEClass("all", rect(0, 0, 2, 1), (several.classes[0].body[0], choose))
    after = routed(replace(several, classes=(one,)))
    a = values(several)
    np.testing.assert_allclose(simulate(after, TINY, [a]).outputs[0], expected(2, [pairs], a), rtol=1e-6)
    assert verdict(after, TINY).outcome == "free"


def test_a_colour_in_several_places_of_a_text_has_its_queue_in_these_alone() -> None:
    """Nine colours up and down, as in a text that many roles share: bounds leave out what a PE does not do."""
    pairs = [(1, 0)] * 9
    several = program(2, [pairs])
    classes = tuple(replace(c, body=(*c.body, *reversed(c.body[2:]))) for c in several.classes)
    after = routed(replace(several, classes=classes))
    assert len(after.colours) == 9, "none is before another one"
    a = values(several)
    result = simulate(after, TINY, [a]).outputs[0]
    np.testing.assert_allclose(result, expected(2, [pairs + pairs], a), rtol=1e-6)
    assert verdict(after, TINY).outcome == "free"


def test_transfers_of_a_role_that_are_under_way_at_a_time_do_not() -> None:
    """On microthreads that are joined in the case, or behind the choice."""
    for behind in (False, True):
        several = parallel(8)
        cases = tuple(c.body[:-1] if behind else c.body for c in several.classes)
        choose = Choose(Lookup("role", (0, 1), Var("x")), cases)
        body = (choose, *several.classes[0].body[-1:]) if behind else (choose,)
        after = routed(replace(several, classes=(PEClass("all", rect(0, 0, 2, 1), body),)))
        assert sorted(after.queues.values()) == [(i, i) for i in range(8)]


def test_numbers_are_kept_for_paths_that_come_again() -> None:
    """30 paths one after the other, twice, with 21 numbers: 21 paths find their number as they left it."""
    pairs = [(s, t) for s in range(6) for t in range(6) if s != t]
    after = check(6, [[pair] for pair in (pairs[0], *pairs, *pairs)])
    assert len(after.colours) == 61 - 1 - 21 and len(set(after.colours.values())) == 21


def test_numbers_that_are_rewritten_in_a_loop_are_given_back_for_the_next_trip() -> None:
    """Some colours are used before the loop or behind it as well, and keep their numbers."""
    pairs = [(s, t) for s in range(6) for t in range(6) if s != t]
    once = program(6, [[pair] for pair in pairs])
    classes = []
    for pe_class in once.classes:
        first, *rest = pe_class.body
        transfers = [op for op in rest if isinstance(op, Send | Receive)]
        again = [Phase("before"), *(op for op in transfers if op.colour in ("c3", "c4"))]
        behind = [Phase("behind"), *(op for op in transfers if op.colour in ("c3", "c29"))]
        body = (first, *again, Loop("layer", const(3), tuple(rest)), *behind)
        classes.append(replace(pe_class, body=body))
    after = routed(replace(once, classes=tuple(classes)))
    a = values(once)
    phases = [[pairs[3], pairs[4]], *[[pair] for pair in pairs] * 3, [pairs[3], pairs[29]]]
    np.testing.assert_allclose(simulate(after, TINY, [a]).outputs[0], expected(6, phases, a), rtol=1e-6)
    assert verdict(after, TINY).outcome == "free"
    by_number: dict[int, list[str]] = {}
    for name, number in after.colours.items():
        by_number.setdefault(number, []).append(name)
    shared = {name for names in by_number.values() if len(names) > 1 for name in names}
    assert len(by_number) == 21 and len(after.colours) == 30 and not shared & {"c3", "c4", "c29"}
    loops = [op for c in after.classes for op in c.body if isinstance(op, Loop)]
    assert {op.colour for loop in loops for op in loop.body if isinstance(op, Switch)} == shared
    assert {name for name, position in after.positions.items() if position == -1} == shared


def test_numbers_are_rewritten_once_in_a_loop_that_classes_share() -> None:
    """The loop is a routine of all classes, each of which has routers that change in it."""
    pairs, width = [(s, t) for s in range(6) for t in range(6) if s != t], 6
    once = program(width, [[pair] for pair in pairs])
    everywhere, fragments = rect(0, 0, width, 1), []
    for number, (source, target) in enumerate(pairs):
        send, receive = (once.classes[x].body[1:] for x in (source, target))
        colour = f"c{number}"
        parts = [
            RectangleText(rect(x, 0, 1, 1), tuple(op for op in body if getattr(op, "colour", "") == colour))
            for x, body in ((source, send), (target, receive))
        ]
        fragments += [Fragment((RectangleText(everywhere, (Phase(f"p{number}"),)),)), Fragment(tuple(parts))]
    (shared,) = in_classes(fragments, (width, 1), 1).parts
    loop = Loop("layer", const(3), shared.body)
    classes = tuple(
        replace(c, body=(Control("scalar", const(x + 1)), c.body[0], loop))
        for x, c in enumerate(once.classes)
    )
    after, a = routed(replace(once, classes=classes)), values(once)
    assert len(set(after.colours.values())) == 21
    found = simulate(after, TINY, [a]).outputs[0]
    np.testing.assert_allclose(found, expected(width, [[pair] for pair in pairs] * 3, a), rtol=1e-6)
    assert verdict(after, TINY).outcome == "free"


def test_colours_that_each_pe_sets_once_share_numbers() -> None:
    """24 multicasts from other roots: who takes over a number writes its setting where it is set anyway."""
    grid, tile = (4, 1), TileWalk(access("a", 1), ints(WORDS), "f32")
    made, everywhere = [], rect(0, 0, *grid)
    for k in range(24):
        target = TileWalk(access(f"r{k}", 1), ints(WORDS), "f32")
        made.append(Fragment((RectangleText(everywhere, (Phase(f"p{k}", Source(f"layer{k}")),)),)))
        made.append(turning.build(Line("x", grid), Turning(const(k % 4), tile, target), TINY, f"c{k}_"))
    names = [f"r{k}" for k in range(24)]
    listed = [(name, WORDS, "f32") for name in ("a", *names)]
    before = program_of(sequence(made, grid), grid, listed, inputs=["a"], outputs=names)
    after = routed(replace(before, colours=dict.fromkeys(before.colours, -1)))
    assert len(set(after.colours.values())) == 21 and list(after.positions.values()).count(-1) == 3
    assert [op.rewrite for op in switches(after)].count(True) == 3 * len(after.classes)
    a = np.arange(4 * WORDS, dtype=np.float32).reshape(1, 4, WORDS)
    for k, result in enumerate(simulate(after, TINY, [a]).outputs):
        np.testing.assert_array_equal(result, np.repeat(a[:, k % 4 : k % 4 + 1], 4, axis=1))
    assert verdict(after, TINY).outcome == "free"


def test_colours_that_each_pe_sets_in_each_trip_share_numbers() -> None:
    """24 loops whose trips have another root each; the last one's words stay."""
    grid, tile, trip = (4, 1), TileWalk(access("a", 1), ints(WORDS), "f32"), Var("trip")
    made, everywhere = [], rect(0, 0, *grid)
    for k in range(24):
        target = TileWalk(access(f"r{k}", 1), ints(WORDS), "f32")
        made.append(Fragment((RectangleText(everywhere, (Phase(f"p{k}", Source(f"layer{k}")),)),)))
        once = turning.build(Line("x", grid), Turning(trip, tile, target), TINY, f"c{k}_")
        parts = tuple(replace(p, body=(Loop(trip.name, const(k % 4 + 1), p.body),)) for p in once.parts)
        made.append(replace(once, parts=parts))
    names = [f"r{k}" for k in range(24)]
    listed = [(name, WORDS, "f32") for name in ("a", *names)]
    before = program_of(sequence(made, grid), grid, listed, inputs=["a"], outputs=names)
    after = routed(replace(before, colours=dict.fromkeys(before.colours, -1)))
    assert len(set(after.colours.values())) == 21 and list(after.positions.values()).count(-1) == 3
    a = np.arange(4 * WORDS, dtype=np.float32).reshape(1, 4, WORDS)
    for k, result in enumerate(simulate(after, TINY, [a]).outputs):
        np.testing.assert_array_equal(result, np.repeat(a[:, k % 4 : k % 4 + 1], 4, axis=1))
    assert verdict(after, TINY).outcome == "free"


def test_a_class_that_leaves_out_a_phase_cannot_change_its_routers() -> None:
    pairs = [(s, t) for s in range(6) for t in range(6) if s != t]
    whole = program(6, [[pair] for pair in pairs])
    idle = replace(whole.classes[2], body=())
    with pytest.raises(PipelineFailure, match="class '@pe2' has 0 phases, but its routers change in phase"):
        routed(replace(whole, classes=(*whole.classes[:2], idle, *whole.classes[3:])))


def test_rewriting_costs_what_the_machine_says() -> None:
    pairs = [(s, t) for s in range(6) for t in range(6) if s != t]
    after, a = routed(program(6, [[pair] for pair in pairs])), values(program(6, [[(0, 1)]]))
    costly = TINY.replace(fabric__route_rewrite=TINY.fabric.route_rewrite + 1000)
    slow, fast = (simulate(after, m, [a]).report.cycles.makespan for m in (costly, TINY))
    assert slow - fast >= 1000


def test_colours_that_run_out_are_named_with_their_users() -> None:
    pairs = [(s, t) for s in range(6) for t in range(6) if s != t]
    with pytest.raises(
        PipelineFailure, match=r"22 colours are in use at a time, machine 'tiny' has 21"
    ) as error:
        routed(program(6, [pairs[:22]]))
    assert "c0: layer0 (model.py:3)" in str(error.value)


def parallel(count: int) -> Program:
    """PE 0 sends on `count` colours at once, PE 1 takes them at once: all but the last on microthreads."""
    n = ints(WORDS)
    threads = [*range(1, count), 0]
    join = (Join(tuple(range(1, count))),)
    place = Source("fc", "model.py:9")
    sends = tuple(Send(f"c{i}", n, access("a", 1), t, place) for i, t in enumerate(threads))
    takes = tuple(Receive(f"c{i}", n, access("r", 1), "add", t, place) for i, t in enumerate(threads))
    classes = [
        PEClass("left", rect(0, 0, 1, 1), (*sends, *join)),
        PEClass("right", rect(1, 0, 1, 1), (*takes, *join)),
    ]
    routes = [route for i in range(count) for route in path(f"c{i}", 0, 1)]
    colours = [f"c{i}" for i in range(count)]
    return replace(row_program(2, WORDS, classes, routes, colours), colours=dict.fromkeys(colours, -1))


def test_what_overlaps_has_queues_of_its_own() -> None:
    after = routed(parallel(8))
    assert len(after.colours) == 8, "equal routes, but at the same time"
    assert sorted(after.queues.values()) == [(i, i) for i in range(8)]
    with pytest.raises(PipelineFailure, match=r"9 colours need input queues at a time on a PE") as error:
        routed(parallel(9))
    assert "c8: fc (model.py:9)" in str(error.value)


def test_the_longest_messages_have_the_deepest_queues() -> None:
    before = parallel(3)
    long = tuple(
        replace(op, bounds=ints(20 * (op.colour == "c1") + 1)) if isinstance(op, Send | Receive) else op
        for c in before.classes for op in c.body
    )  # fmt: skip
    half = len(long) // 2
    classes = tuple(
        replace(c, body=b) for c, b in zip(before.classes, (long[:half], long[half:]), strict=True)
    )
    module = program_module(replace(before, classes=classes), "wse2")
    run_pipeline(module, "builtin.module(wse-route)")
    queues = {
        c.sym_name.value: (c.input_queue, c.output_queue) for c in symbols(module.operation, "wse.colour")
    }
    depths = load_machine("wse2").queues
    inputs, outputs = (ir.IntegerAttr(q).value for q in queues["c1"])
    assert depths.input[inputs] == max(depths.input) and depths.output[outputs] == max(depths.output)
