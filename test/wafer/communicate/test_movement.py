"""Movements between layouts: every PE's tile against the tensor, on any pair of layouts; prices; what bites."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from collective_programs import NUMPY, program_of, timed, wide
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from random_layouts import coordinates, dimensions, meshes
from same_programs import difference

from wse_mlir.dialects.context import create_context
from wse_mlir.passes.wafer.algorithms.fragment import Fragment, sequence
from wse_mlir.passes.wafer.algorithms.roles import in_classes
from wse_mlir.passes.wafer.communicate import Movement, Ways, emit, emit_steps, movements
from wse_mlir.passes.wafer.communicate.movement import problem
from wse_mlir.passes.wafer.communicate.search import Search
from wse_mlir.passes.wafer.communicate.steps import Step
from wse_mlir.passes.wafer.emit.write.program import program_module
from wse_mlir.runtime.wafer.image_builder import build_image
from wse_mlir.wse_target.analysis.deadlock import verdict
from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.footprint import text_bytes
from wse_mlir.wse_target.image import StridedRect
from wse_mlir.wse_target.instructions import Dtype, Instruction, Loop, Receive, Send
from wse_mlir.wse_target.layout.dimension import Digit, Dimension
from wse_mlir.wse_target.layout.mesh import Mesh
from wse_mlir.wse_target.layout.tensor_layout import Partial, TensorLayout
from wse_mlir.wse_target.layout.text import layout_text, parse_layout
from wse_mlir.wse_target.sim import Simulation

MACHINE = wide("wse3", 755)


def tiles(layout: TensorLayout, parts: np.ndarray, other: int) -> tuple[np.ndarray, np.ndarray]:
    """What PEs have, [height, width, elements], and where it is of the tensor.

    Args:
        parts: the tensor for each combination of coordinates along the sub-axes that it is partial over.
        other: what buffers hold elsewhere.
    """
    rect, room = layout.mesh.rect, max(1, layout.elements)
    values = np.full((rect.h, rect.w, room), other, parts.dtype)
    there = np.zeros(values.shape, bool)
    summed = [name for partial in layout.partial for name in partial.axes]
    for y, x in itertools.product(range(rect.h), range(rect.w)):
        at = coordinates(layout.mesh, x, y)
        tensor = parts[tuple(at[name] for name in summed)]
        tile, held = (a[y, x][: layout.elements].reshape(layout.tile_shape) for a in (values, there))
        pieces = [
            list(zip(dim.local_positions(), layout.tile_ranges(d, x, y), strict=True))
            for d, dim in enumerate(layout.dims)
        ]
        for chosen in itertools.product(*pieces):
            if all(end > start for _, (start, end) in chosen):
                place = tuple(i for piece, (start, end) in chosen for i in (*piece, slice(0, end - start)))
                tile[place] = tensor[tuple(slice(*indices) for _, indices in chosen)]
                held[place] = True
    return values, there


def run(movement: Movement, fragment: Fragment, parts: np.ndarray, engine: str = "flow") -> float:
    """Moves a tensor, checks every PE's tile, and returns the cycles."""
    source, target, dtype = movement.source, movement.target, movement.dtype
    rect = source.mesh.rect
    before, _ = tiles(source, parts, 99)
    over = tuple(range(parts.ndim - len(source.dims)))
    kinds = {partial.kind for partial in source.partial}
    expected, there = tiles(target, parts.max(axis=over) if kinds == {"max"} else parts.sum(axis=over), 0)
    listed = [("s", before.shape[2], dtype), ("t", expected.shape[2], dtype)]
    program = program_of(fragment, (rect.w, rect.h), listed, inputs=["s"], outputs=["t"])
    done = Simulation(program, movement.machine, engine=engine).call([before])  # type: ignore[arg-type]
    np.testing.assert_array_equal(done.outputs[0][there], expected[there], str(movement))
    return done.report.cycles.makespan


def random_parts(source: TensorLayout, dtype: str) -> np.ndarray:
    """Small whole numbers, so that sums are exact in any order."""
    summed = [source.mesh[name].extent for partial in source.partial for name in partial.axes]
    return np.random.default_rng(0).integers(-9, 9, (*summed, *source.shape)).astype(NUMPY[dtype])


@st.composite
def plain_dimensions(draw: st.DrawFn, mesh: Mesh, free: list[str], size: int) -> Dimension:
    """Whole, or in blocks over one sub-axis or two, with or without a halo; at times a slice, or more than there is."""
    low, high = draw(st.sampled_from([(0, size)] * 4 + [(1, size), (0, size - 1), (-1, size + 1)]))
    low, high = (low, high) if high > low else (0, size)
    names = [free.pop() for _ in range(min(len(free), draw(st.integers(0, 2))))]
    digits: list[Digit] = []
    block = high - low
    for name in names:
        block = -(-block // mesh[name].extent)
        digits.append(Digit(mesh[name].extent, block, (name,)))
    halo = [draw(st.sampled_from([0, 0, 1, 3])) for _ in range(2)] if len(names) == 1 else [0, 0]
    return Dimension(size, tuple(digits), low, high, *halo)


def all_indices(layout: TensorLayout) -> list[set[int]]:
    """By dimension, what some PE has; no index where a PE has none of another dimension."""
    rect = layout.mesh.rect
    held = [layout.indices(x, y) for x in range(rect.w) for y in range(rect.h)]
    return [set().union(*(map(int, each[d]) for each in held)) for d in range(len(layout.dims))]


@st.composite
def pairs(draw: st.DrawFn) -> tuple[TensorLayout, TensorLayout]:
    """Two layouts of a tensor; the source's values may be partial."""
    mesh = draw(meshes())
    sizes = draw(st.lists(st.sampled_from([1, 2, 3, 5, 7, 8, 12]), min_size=1, max_size=2))
    found = []
    for _ in range(2):
        free = list(draw(st.permutations(mesh.names)))
        of = draw(st.sampled_from([plain_dimensions, plain_dimensions, dimensions]))
        found.append((TensorLayout(mesh, tuple(draw(of(mesh, free, size)) for size in sizes)), free))
    (source, free), (target, _) = found
    if free and draw(st.booleans()):
        source = source.with_partial(Partial("add", tuple(free[:2])))
    assume(not source.problem() and not target.problem())
    return source, target


@settings(deadline=None, max_examples=40, derandomize=True, suppress_health_check=list(HealthCheck))
@given(pairs(), st.sampled_from(["f32", "f16", "i32"]))
def test_any_layout_becomes_any_other(pair: tuple[TensorLayout, TensorLayout], dtype: str) -> None:
    source, target = pair
    ways = movements(source, target, dtype, MACHINE)  # type: ignore[arg-type]
    if not all(want <= have for have, want in zip(all_indices(source), all_indices(target), strict=True)):
        assert not ways
        return
    assert ways, f"{layout_text(source)} to {layout_text(target)}"
    for way in ways:
        run(way, emit(way, "s", "t", "m_"), random_parts(source, dtype))
    assert [w.cycles for w in ways] == sorted(w.cycles for w in ways)
    assert [w.peak_bytes for w in ways] == sorted((w.peak_bytes for w in ways), reverse=True)


@settings(deadline=None, max_examples=300, derandomize=True, suppress_health_check=list(HealthCheck))
@given(pairs(), st.sampled_from(["f32", "f16"]))
def test_what_is_known_without_a_search(pair: tuple[TensorLayout, TensorLayout], dtype: Dtype) -> None:
    ways, known = movements(*pair, dtype, MACHINE), Ways(MACHINE)
    least, fastest = known.at_least(*pair, dtype), known.fastest(*pair, dtype)
    assert (fastest is None) == (not ways)
    if fastest is not None:
        assert (fastest.cycles, fastest.peak_bytes) == (ways[0].cycles, ways[0].peak_bytes)
        assert least <= fastest.cycles, f"at least {least}, yet {fastest}"


SQUARE, TALL = " on x:8; y:8 at (0, 0)", " on x:3; y:7 at (0, 0)"
WIDE = " on x:6; y:12 at (0, 0)"
LONG = " on x:2; y:8 at (0, 0)"
QUARTERS = " on xo:2 xi:4; y:4 at (0, 0)"
MANY = " on xo:3 xi:10; y:1 at (0, 0)"  # more lines cross along xo than there are colours for
FACTORED = " on xo:3 xi:4; y:2 at (0, 0)"
CASES = [  # shape, from, to, and what the fastest way is made of
    ((40, 24), f"[x:8/5, -]{SQUARE}", f"[-, -]{SQUARE}", ["all_gather"]),
    ((40, 24), f"[-, -]{SQUARE}", f"[y:8/5, x:8/3]{SQUARE}", ["copy"]),
    ((40, 24), f"[x:8/5, y:8/3]{SQUARE}", f"[x:8/5, -]{SQUARE}", ["all_gather"]),
    ((40, 24), f"[x:8/5, -]{SQUARE}", f"[-, x:8/3]{SQUARE}", ["all_gather", "copy"]),
    ((40, 24), f"[x:8/5, -]{SQUARE}", f"[y:8/5, -]{SQUARE}", ["turn"]),
    ((24, 24), f"[x:8/3, y:8/3]{SQUARE}", f"[y:8/3, x:8/3]{SQUARE}", ["all_gather", "turn", "copy"]),
    ((39, 6), f"[xi:4/10, xo:2/3]{QUARTERS}", f"[y:4/10, -]{QUARTERS}", ["turn", "all_gather"]),
    ((29, 3), f"[x:2/16, -]{LONG}", f"[y:8/4, -]{LONG}", ["turn"]),  # a part of what one PE has
    ((3, 31), f"[-, y:12/3]{WIDE}", f"[-, x:6/6]{WIDE}", ["turn"]),  # what several have
    ((61, 2), f"[y:4/16, -]{QUARTERS}", f"[xo:2/32 xi:4/8, -]{QUARTERS}", ["turn"]),
    ((61, 2), f"[xo:2/32 xi:4/8, -]{QUARTERS}", f"[y:4/16, -]{QUARTERS}", ["turn"]),
    ((9, 4), f"[y:12/1, -]{WIDE}", f"[x:6/2, -]{WIDE}", ["turn"]),  # some have nothing at all
    ((25, 9), f"[x:3/9, y:7/2]{TALL}", f"[y:7/4, x:3/3]{TALL}", ["all_gather", "neighbours"]),
    ((40, 24), f"[x:8/5, -]{SQUARE}", f"[x:8/5 halo 2,1, -]{SQUARE}", ["neighbours"]),
    ((10, 4), f"[x:3/4, -]{TALL}", f"[x:3/5, -]{TALL}", ["neighbours"]),
    ((8, 64), f"[x:8/1, -]{SQUARE}", f"[x:8/1 halo 2,2, -]{SQUARE}", ["neighbours"]),
    ((8, 64), f"[x:8/1, -]{SQUARE}", f"[x:8/1 halo 3,1, -]{SQUARE}", ["neighbours"]),
    ((15, 32), f"[x:8/2, y:8/4]{SQUARE}", f"[x:8/2 halo 3,3, y:8/4 halo 1,0]{SQUARE}", ["neighbours"] * 2),
    ((12, 40), f"[xo:3/4, xi:4/10]{FACTORED}", f"[xo:3/4 halo 5,0, xi:4/10]{FACTORED}", ["neighbours"]),
    ((23, 16), f"[x:8/3, -]{SQUARE}", f"[x:8/3 cut 0..24 halo 4,-1, -]{SQUARE}", ["neighbours"]),
    ((30, 4), f"[x:8/4, -]{SQUARE}", f"[x:8/5, -]{SQUARE}", ["neighbours"]),  # from two PEs further on
    ((24, 3), f"[xo:3/8 xi:4/2, -]{FACTORED}", f"[xo:3/8, -]{FACTORED}", ["all_gather"]),
    ((24, 3), f"[xo:3/8, -]{FACTORED}", f"[-, -]{FACTORED}", ["all_gather"]),
    ((24, 8), f"[xo:3/8, xi:4/2]{FACTORED}", f"[-, xi:4/2]{FACTORED}", ["all_gather"]),
    ((24, 8), f"[-, -]{SQUARE}, partial add over x", f"[-, -]{SQUARE}", ["all_reduce"]),
    ((64, 8), f"[-, -]{SQUARE}, partial add over x", f"[x:8/8, -]{SQUARE}", ["reduce_scatter"]),
    ((64, 8), f"[y:8/8, -]{SQUARE}, partial add over x", f"[y:8/8, -]{SQUARE}", ["all_reduce"]),
    ((24, 10), f"[xo:3/8, xi:10/1]{MANY}", f"[-, xi:10/1]{MANY}", ["all_gather", "all_gather", "copy"]),
    ((20, 10), f"[xi:10/2, -]{MANY}", f"[xo:3/8, xi:10/1]{MANY}", ["all_gather", "copy"]),
    ((24, 10), f"[-, xi:10/1]{MANY}, partial add over xo", f"[-, -]{MANY}", ["all_gather", "all_reduce"]),
    ((24, 10), f"[-, -]{MANY}, partial add over xo", f"[-, xi:10/1]{MANY}", ["all_reduce", "copy"]),
    ((64, 8), f"[-, -]{SQUARE}, partial max over x", f"[y:8/8, -]{SQUARE}", ["copy", "all_reduce"]),
]


@pytest.mark.parametrize(("shape", "before", "after", "steps"), CASES)
def test_fastest_ways_and_their_prices(
    shape: tuple[int, ...], before: str, after: str, steps: list[str]
) -> None:
    source, target = parse_layout(before, shape), parse_layout(after, shape)
    ways = movements(source, target, "f32", MACHINE)
    assert [step.kind for step in ways[0].steps] == steps
    for way in ways:
        for engine in ("flow", "wavelet"):
            cycles = run(way, emit(way, "s", "t", "m_"), random_parts(source, "f32"), engine)
            assert way.cycles == pytest.approx(cycles, rel=0.15, abs=20), f"{way}, {engine}: {cycles}"


def test_what_cannot_move_is_said() -> None:
    whole = parse_layout(f"[-]{SQUARE}", (9,))
    blocks = parse_layout(f"[x:8/2]{SQUARE}", (9,))
    elsewhere = parse_layout("[-] on x:4; y:8 at (0, 0)", (9,))
    assert "shall be on" in problem(whole, elsewhere)
    assert "partial" in problem(whole, whole.with_partial(Partial("add", ("x",))))
    assert "rotate" in problem(parse_layout(f"[(x+t):8/2]{SQUARE}", (9,)), whole)
    cut = replace(blocks, dims=(replace(blocks.dims[0], low=3),))
    assert movements(cut, whole, "f32", MACHINE) == []
    assert movements(whole, elsewhere, "f32", MACHINE) == []
    same = movements(blocks, blocks, "f32", MACHINE)
    assert [(w.steps, w.cycles, w.peak_bytes) for w in same] == [((), 0.0, 0)]


def moves_words(op: Instruction, where: StridedRect) -> bool:
    """Whether an instruction is a transfer of anything on some PE, or a loop."""
    if not isinstance(op, Send | Receive):
        return isinstance(op, Loop)
    columns, rows = (
        base + step * np.arange(count)
        for base, count, step in zip(where.base, where.extent, where.step, strict=True)
    )
    pes = dict(zip("xy", np.meshgrid(columns, rows), strict=True))
    return bool((np.minimum.reduce([bound.evaluate(pes) + 0 * pes["x"] for bound in op.bounds]) > 0).any())


@pytest.mark.parametrize(
    ("shape", "before", "after", "number"),
    [
        ((25, 9), f"[x:3/9, y:7/2]{TALL}", f"[y:7/4, x:3/3]{TALL}", -1),
        ((7, 9), f"[y:7/1, -]{TALL}", f"[y:7/1 halo 3,2, -]{TALL}", 0),
    ],
)
def test_without_a_message_a_movement_gets_stuck_or_is_wrong(
    shape: tuple[int, ...], before: str, after: str, number: int
) -> None:
    source, target = parse_layout(before, shape), parse_layout(after, shape)
    way = movements(source, target, "f32", MACHINE)[number]
    whole = emit(way, "s", "t", "m_")
    run(way, whole, random_parts(source, "f32"), "wavelet")
    bitten = 0
    for number, part in enumerate(whole.parts):
        moves = [place for place, op in enumerate(part.body) if moves_words(op, part.where)]
        for place in (*moves[:1], *moves[-1:]):
            less = replace(part, body=(*part.body[:place], *part.body[place + 1 :]))
            broken = replace(whole, parts=(*whole.parts[:number], less, *whole.parts[number + 1 :]))
            with pytest.raises((AssertionError, TargetError)):
                run(way, broken, random_parts(source, "f32"))
            bitten += 1
    assert bitten > 5


@pytest.mark.parametrize(("shape", "before", "after", "steps"), CASES[:15:2])
def test_movements_are_free_of_deadlock_and_programs_of_the_dialect(
    shape: tuple[int, ...], before: str, after: str, steps: list[str]
) -> None:
    source, target = parse_layout(before, shape), parse_layout(after, shape)
    for way in movements(source, target, "f32", MACHINE):
        rect = source.mesh.rect
        listed = [("s", source.elements, "f32"), ("t", target.elements, "f32")]
        program = program_of(emit(way, "s", "t", "m_"), (rect.w, rect.h), listed, inputs=[], outputs=[])
        assert verdict(program, MACHINE).outcome == "free"
        with create_context():
            written = program_module(program, "wse3").operation
            assert written.verify()
            assert difference(program, build_image(written)) == ""
        assert way.queues <= len(MACHINE.queues.input)
        assert way.colours <= len(MACHINE.usable_colours)
        assert way.code < 200


def test_prices_are_looked_up_once() -> None:
    source = parse_layout(f"[y:8/8, -]{SQUARE}, partial add over x", (64, 8))
    target = parse_layout(f"[y:8/8, x:8/1]{SQUARE}", (64, 8))
    prices: dict[tuple[object, ...], float] = {}
    first = movements(source, target, "f32", MACHINE, prices)
    known = dict(prices)
    second = movements(source, target, "f32", MACHINE, prices)
    assert known and prices == known
    assert [str(way) for way in first] == [str(way) for way in second]
    assert [str(way) for way in first] == [str(w) for w in movements(source, target, "f32", MACHINE)]


def test_ways_to_one_target_are_looked_for_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a layout in between leads to is worked out once, and the ways are those that are found alone."""
    on, shape = "on xo:4 xi:2; y:4 at (0, 0)", (32, 16)
    target = parse_layout(f"[-, xo:4/4] {on}", shape)
    sources = [f"[{rows}, {columns}] {on}" for rows in ("xo:4/8", "xi:2/16", "xo:4/8 xi:2/4")
               for columns in ("-", "y:4/4")]  # fmt: skip
    asked: list[TensorLayout] = []
    next_steps = Search.next_steps

    def noted(search: Search, here: TensorLayout) -> Iterator[Step]:
        asked.append(here)
        return next_steps(search, here)

    monkeypatch.setattr(Search, "next_steps", noted)
    ways, given = Ways(MACHINE), [parse_layout(text, shape) for text in sources]
    found = [ways.fastest(source, target, "f32") for source in given]
    assert len(asked) <= len(given) + len(set(asked))
    asked.clear()
    alone = [Ways(MACHINE).fastest(source, target, "f32") for source in given]
    assert len(asked) > len(given) + len(set(asked))
    assert [way and (way.texts, way.cycles, way.peak_bytes) for way in found] == [
        way and (way.texts, way.cycles, way.peak_bytes) for way in alone
    ]


def test_where_pes_choose_their_roles_they_do_so_step_by_step() -> None:
    """In each of two exchanges with neighbours they differ by few roles, in both together by as many as these make."""
    on, shape = "on xo:8 xi:2; y:8 at (0, 0)", (8, 8)
    source, target = (
        parse_layout(f"{text} {on}", shape)
        for text in ("[xo:8/1, y:8/1]", "[xo:8/1 halo 1,1, y:8/1 halo 1,1]")
    )
    way = Ways(MACHINE).fastest(source, target, "f32")
    assert way is not None and len(way.steps) == 2
    steps = emit_steps(way, "source", "target", "m")
    assert sequence(steps, (16, 8)) == emit(way, "source", "target", "m")
    whole, apart = (
        in_classes(made, (16, 8), most=1) for made in ([emit(way, "source", "target", "m")], steps)
    )
    assert 2 * sum(text_bytes(p.body) for p in apart.parts) < sum(text_bytes(p.body) for p in whole.parts)


def test_activations_between_layers_do_not_cost_a_gathering_of_all() -> None:
    """4,096 f16 in blocks over the columns of a grid of 420 become blocks over its rows."""
    mesh = " on x:420; y:420 at (0, 0)"
    source = parse_layout(f"[x:420/10]{mesh}", (4096,))
    target = parse_layout(f"[y:420/10]{mesh}", (4096,))
    best = movements(source, target, "f16", MACHINE)[0]
    assert best.cycles < 1000
    row = parse_layout("[x:420/10] on x:420; y:1 at (0, 0)", (4096,))
    whole = parse_layout("[-] on x:420; y:1 at (0, 0)", (4096,))
    way = movements(row, whole, "f16", MACHINE)[0]
    listed = [("s", row.elements, "f16"), ("t", whole.elements, "f16")]
    assert way.cycles == pytest.approx(timed(emit(way, "s", "t", "m_"), MACHINE, (420, 1), listed), rel=0.15)
