"""Collectives from logical operations to numbers: what the fabric computes is what the operation says."""

from collections.abc import Iterator

import numpy as np
import pytest
from lowering import blocks

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_manager import PipelineFailure, run_pipeline
from wse_mlir.passes.wafer.algorithms.collectives import strided
from wse_mlir.passes.wafer.algorithms.fragment import CollectiveRequest, Line, TileWalk
from wse_mlir.passes.wafer.emit.collectives import cheapest
from wse_mlir.runtime.wafer.image_builder import build_image
from wse_mlir.wse_target.analysis.deadlock import verdict
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.instructions import Access
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.quasi_affine import const
from wse_mlir.wse_target.sim.simulation import simulate

TINY = load_machine("tiny")
WIDTH, HEIGHT = 5, 4
RECT = f"#wse.rect<0, 0, {WIDTH}, {HEIGHT}>"


def layout(*axes: str, rest: str = "") -> str:
    return blocks((12, 10, 15)[: len(axes)], axes, (WIDTH, HEIGHT), rest)


@pytest.fixture(autouse=True)
def context() -> Iterator[None]:
    with create_context():
        yield


def compiled(body: str, result: str) -> Program:
    """`body` defines %r of type tensor<12x10xf32> in layout `result`, from %sum, rows summed in parts along x."""
    held, rows = layout("y", "", "x"), layout("y", "", rest=", partial add over x")
    text = f"""
    func.func @main(%a: tensor<12x10x15xf32>) -> tensor<12x10xf32>
        attributes {{wse.machine = "tiny", wse.rect = {RECT}}} {{
      %zero = arith.constant dense<0.0> : tensor<12x10xf32>
      %a1 = "wse.scatter"(%a) {{layout = {held}}} : (tensor<12x10x15xf32>) -> tensor<12x10x15xf32>
      %sum = linalg.generic {{indexing_maps = [affine_map<(i, j, k) -> (i, j, k)>, affine_map<(i, j, k) -> (i, j)>],
                             iterator_types = ["parallel", "parallel", "reduction"]}}
          ins(%a1 : tensor<12x10x15xf32>) outs(%zero : tensor<12x10xf32>)
          attrs = {{wse.iterators = {held}, wse.layouts = [{rows}]}} {{
        ^bb0(%l: f32, %acc: f32):
          %s = arith.addf %acc, %l : f32
          linalg.yield %s : f32
      }} -> tensor<12x10xf32>
      {body}
      %g = "wse.gather"(%r) {{layout = {result}}} : (tensor<12x10xf32>) -> tensor<12x10xf32>
      return %g : tensor<12x10xf32>
    }}"""
    module = ir.Module.parse(text)
    run_pipeline(module, "builtin.module(wse-emit-programs,wse-route,wse-plan-memory)")
    return build_image(module.operation)


def op(name: str, operand: str, result: str, **attributes: object) -> str:
    written = ", ".join(f"{k} = {v}" for k, v in attributes.items())
    return f'{result} = "wse.{name}"({operand}) {{{written}}} : (tensor<12x10xf32>) -> tensor<12x10xf32>'


A = np.random.default_rng(0).integers(-9, 10, (12, 10, 15)).astype(np.float32)
SUM = A.sum(2)


def check(program: Program, expected: np.ndarray) -> None:
    result = simulate(program, TINY, [A])
    np.testing.assert_array_equal(result.outputs[0], expected)
    assert verdict(program, TINY).outcome == "free"


ROWS = layout("y", "")
ALGORITHMS = ["", "chain", "tree", "two_phase{group=2}", "k_tree", "ring"]


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_all_reduce(algorithm: str) -> None:
    reduce = op("all_reduce", "%sum", "%r", axis='"x"', kind='"add"', algorithm=f'"{algorithm}"', layout=ROWS)
    check(compiled(reduce, ROWS), SUM)


@pytest.mark.parametrize("kind", ["add", "max"])
def test_reduce_to_a_root_and_broadcast_from_there(kind: str) -> None:
    reduce = op("reduce", "%sum", "%0", axis='"x"', kind=f'"{kind}"', root=2, algorithm='""', layout=ROWS)
    spread = op("broadcast", "%0", "%r", axis='"x"', root=2, algorithm='""', layout=ROWS)
    parts = A.reshape(12, 10, WIDTH, 3).sum(3)
    check(compiled(f"{reduce}\n{spread}", ROWS), SUM if kind == "add" else parts.max(2))


def test_a_value_that_something_else_reads_is_not_overwritten() -> None:
    """Both the maximum and the sum of one partial result: neither spoils the other's operand."""
    most = op("all_reduce", "%sum", "%m", axis='"x"', kind='"max"', algorithm='""', layout=ROWS)
    total = op("all_reduce", "%sum", "%r", axis='"x"', kind='"add"', algorithm='""', layout=ROWS)
    check(compiled(f"{most}\n{total}", ROWS), SUM)


def test_halos_are_what_the_blocks_around_hold() -> None:
    """Of 12 rows in blocks of 3: two before each block and one behind it, what is outside of the tensor left out."""
    total = op("all_reduce", "%sum", "%0", axis='"x"', kind='"add"', algorithm='""', layout=ROWS)
    halo = op("halo_exchange", "%0", "%r", low="[2, 0]", high="[1, 0]", layout=ROWS)
    program = compiled(f"{total}\n{halo}", ROWS)
    check(program, SUM)
    (buffer,) = (b for name, b in program.buffers.items() if name.startswith("halo_exchange"))
    assert buffer.shape == (6, 10)
    (transfer,) = program.gathers
    rows = [int(transfer.bounds[0].evaluate({"x": 0, "y": y})) for y in range(HEIGHT)]
    assert rows == [4, 6, 6, 5]


def test_reduce_scatter_and_all_gather() -> None:
    cut = layout("y", "x")
    scatter = op("reduce_scatter", "%sum", "%0", axis='"x"', kind='"add"', dim=1, algorithm='""',
                 source_layout=ROWS, layout=cut)  # fmt: skip
    gather = op("all_gather", "%0", "%r", axis='"x"', dim=1, algorithm='""', source_layout=cut, layout=ROWS)
    check(compiled(scatter.replace("%0", "%r"), cut), SUM)
    check(compiled(f"{scatter}\n{gather}", ROWS), SUM)


@pytest.mark.parametrize(("distance", "wrap"), [(1, 1), (-2, 1), (2, 0), (-1, 0)])
def test_shift(distance: int, wrap: int) -> None:
    cut = layout("y", "x")
    scatter = op("reduce_scatter", "%sum", "%0", axis='"x"', kind='"add"', dim=1, algorithm='""',
                 source_layout=ROWS, layout=cut)  # fmt: skip
    shift = op("shift", "%0", "%r", axis='"x"', distance=distance, wrap=wrap, layout=cut)
    expected = np.roll(SUM, 2 * distance, axis=1)
    if not wrap:
        lost = slice(0, 2 * distance) if distance > 0 else slice(2 * distance, None)
        expected[:, lost] = 0
    check(compiled(f"{scatter}\n{shift}", cut), expected)


@pytest.mark.parametrize("target", [("", "x"), ("x", "y"), ("", ""), ("x", ""), ("y", "x")])
def test_redistribute(target: tuple[str, str]) -> None:
    reduce = op("all_reduce", "%sum", "%0", axis='"x"', kind='"add"', algorithm='""', layout=ROWS)
    move = op("redistribute", "%0", "%r", source_layout=ROWS, layout=layout(*target), steps="[]")
    check(compiled(f"{reduce}\n{move}", layout(*target)), SUM)


@pytest.mark.parametrize(
    "steps",
    [
        ["all_gather along y by ring", "copy"],
        ["all_gather along y by multicast{colours=3} to [-, -]", "copy to [x:5/3, -]"],
        ["circulate along y"],
        ["turn along y to [x:5/3, -]"],
    ],
)
def test_steps_of_a_redistribution_can_be_asked_for(steps: list[str]) -> None:
    target = layout("x", "")
    reduce = op("all_reduce", "%sum", "%0", axis='"x"', kind='"add"', algorithm='""', layout=ROWS)
    listed = f"[{', '.join(map(repr, steps))}]".replace("'", '"')
    move = op("redistribute", "%0", "%r", source_layout=ROWS, layout=target, steps=listed)
    check(compiled(f"{reduce}\n{move}", target), SUM)


def test_steps_that_lead_elsewhere_are_refused() -> None:
    move = op(
        "redistribute",
        "%sum",
        "%r",
        source_layout=ROWS,
        layout=layout("x", ""),
        steps='["all_gather along x"]',
    )
    with pytest.raises(PipelineFailure, match=r"do not lead from .* to .*\n.*these do: \[turn along y to"):
        compiled(move, layout("x", ""))


def test_an_algorithm_can_be_asked_for_and_matters() -> None:
    def program(algorithm: str) -> Program:
        text = op(
            "all_reduce", "%sum", "%r", axis='"x"', kind='"add"', algorithm=f'"{algorithm}"', layout=ROWS
        )
        return compiled(text, ROWS)

    makespans = {a: simulate(program(a), TINY, [A]).report.cycles.makespan for a in ALGORITHMS}
    assert len({makespans[a] for a in ("chain", "tree", "ring")}) == 3
    assert makespans[""] in {makespans[a] for a in ALGORITHMS[1:]}, "the default is one of them"


@pytest.mark.parametrize("brief", [1, 2])
def test_where_text_is_scarce_lines_that_cross_leave_colours_to_what_runs_beside_them(brief: int) -> None:
    """Four lines of 64 PEs on the same links: trees take most of the colours, chains three each."""
    machine = load_machine("wse3")
    line = Line("x", (256, 1), stride=4, length=64)
    tile = TileWalk(Access("tile", const(0), (1,)), (const(4),), "f32")
    request = CollectiveRequest(line, tile, machine, "m")
    fast, sparing = (
        strided.build(cheapest(None, "all_reduce", request, brief=b), request) for b in (0, brief)
    )
    assert len(sparing.colours) == 3 * 4 < len(fast.colours)
