"""Sub-axes that follow each other as one line: all PEs of it talk at once, where lines of the outer one would cross."""

from __future__ import annotations

import numpy as np
from test_movement import MACHINE, run

from wse_mlir.passes.wafer.communicate import Movement, Ways, emit
from wse_mlir.wse_target.layout.mesh import Mesh
from wse_mlir.wse_target.layout.rectangle import Rect
from wse_mlir.wse_target.layout.tensor_layout import Partial, TensorLayout

MESH = Mesh.of(Rect(0, 0, 24, 2)).factored({"x": 12})


def fastest(source: TensorLayout, target: TensorLayout) -> Movement:
    way = Ways(MACHINE).fastest(source, target, "f32")
    assert way is not None
    return way


def moved(way: Movement, parts: np.ndarray) -> None:
    run(way, emit(way, "s", "t", "m"), parts)


def test_lines_of_a_mesh() -> None:
    mesh = MESH.factored({"xi": 3})
    assert mesh.lines == ("xo", "xio", "xii", "y", "xo xio", "xo xio xii", "xio xii")
    assert mesh.joined(["xii", "y", "xo", "xio"]) == ["xo xio xii", "y"]
    assert mesh.joined(["xii", "xo"]) == ["xo", "xii"]
    assert (mesh["xo xio"].extent, mesh.stride("xo xio")) == (8, 3)
    for x in range(24):
        place = {name: int(mesh.coordinate(name).evaluate({"x": x, "y": 1})) for name in mesh.lines}
        assert place["xo xio"] == 4 * place["xo"] + place["xio"]
        assert place["xo xio xii"] == x
    assert mesh.line("xio xii", 13, 1) == [(x, 1) for x in range(12, 24)]


def test_partial_values_along_all_columns_are_combined_in_one_go() -> None:
    whole = TensorLayout.whole((5,), MESH)
    way = fastest(whole.with_partial(Partial("add", ("xo", "xi"))), whole)
    assert [step.axis for step in way.steps] == ["xo xi"]
    moved(way, np.random.default_rng(0).integers(-9, 9, (2, 12, 5)).astype(np.float32))


def test_partial_values_are_left_in_blocks_along_all_columns() -> None:
    whole, blocks = TensorLayout.whole((48,), MESH), TensorLayout.blocks((48,), ["xo xi"], MESH)
    way = fastest(whole.with_partial(Partial("add", ("xo", "xi"))), blocks)
    assert [(step.kind, step.axis) for step in way.steps] in (
        [("reduce_scatter", "xo xi")],
        [("all_reduce", "xo xi"), ("copy", "")],
    )
    for each in Ways(MACHINE).between(way.source, blocks, "f32"):
        moved(each, np.random.default_rng(0).integers(-9, 9, (2, 12, 48)).astype(np.float32))


def test_blocks_along_all_columns_are_gathered_in_one_go() -> None:
    whole, blocks = TensorLayout.whole((48,), MESH), TensorLayout.blocks((48,), ["xo xi"], MESH)
    way = fastest(blocks, whole)
    assert [step.axis for step in way.steps] == ["xo xi"]
    moved(way, np.arange(48, dtype=np.float32))
