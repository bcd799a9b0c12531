"""Broadcast, reduce and all-reduce: data against a sequential reference in the documented order, bit for bit."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from collective_programs import COMBINE, Y, along, combined, contents, in_place, line, tile, wide

from wse_mlir.passes.wafer.algorithms.algorithm import choose
from wse_mlir.passes.wafer.algorithms.collectives import reduce, reduction_plan
from wse_mlir.passes.wafer.algorithms.collectives.reduction_plan import ReductionPlan
from wse_mlir.passes.wafer.algorithms.fragment import CollectiveRequest, TileWalk
from wse_mlir.wse_target.instructions import Access
from wse_mlir.wse_target.quasi_affine import const

MACHINE = wide("wse3")
REDUCTIONS = ["chain", "tree", "auto_tree", "two_phase", "two_phase{group=2}", "two_phase{group=5}"]
OVER_THE_MIDDLE = [
    *(f"{name}{{middle=1}}" for name in ("chain", "tree", "auto_tree", "two_phase")),
    "two_phase{group=2 middle=1}",
]


def tree_sum(plan: ReductionPlan, tiles: np.ndarray, combine: str = "add") -> np.ndarray:
    """What the plan's root ends up with; `tiles` is [positions, elements]."""
    sums: dict[int, np.ndarray] = {}
    for position in plan.leaves_first:
        total = tiles[position]
        for child in plan.children[position]:
            total = COMBINE[combine](total, sums[child])
        sums[position] = total
    return sums[plan.root]


def plan_of(name: str, request: CollectiveRequest) -> ReductionPlan:
    if "middle=1" in name:
        name = name.replace(" middle=1", "").replace("{middle=1}", "")
        request = replace(request, root=request.line.extent // 2)
    base, _, option = name.partition("{group=")
    if base == "k_tree":
        return reduction_plan.two_level(request.line.extent, min(int(option[:-1]), request.line.extent))
    planner = getattr(reduce, f"plan_{base}")
    return planner(request, group=int(option[:-1])) if option else planner(request)


@pytest.mark.parametrize("name", REDUCTIONS)
@pytest.mark.parametrize(("extent", "root"), [(1, 0), (2, 1), (3, 0), (5, 2), (7, 6), (16, 0), (33, 10)])
@pytest.mark.parametrize("axis", ["x", "y"])
def test_reduce_sums_in_the_plans_order(name: str, extent: int, root: int, axis: str) -> None:
    request = CollectiveRequest(line(axis, extent, 3), tile("t", 9), MACHINE, "r_", root=root)
    data = contents(request.line.grid, 9)
    result = along(in_place("reduce", name, request, 9, data), axis)
    for given, got in zip(along(data, axis), result, strict=True):
        np.testing.assert_array_equal(got[root], tree_sum(plan_of(name, request), given))


@pytest.mark.parametrize("name", [*REDUCTIONS, *OVER_THE_MIDDLE, "k_tree{group=3}", "k_tree{group=15}"])
@pytest.mark.parametrize(("extent", "root"), [(1, 0), (2, 0), (3, 1), (7, 3), (16, 15), (33, 0)])
def test_all_reduce_leaves_the_sum_everywhere(name: str, extent: int, root: int) -> None:
    request = CollectiveRequest(line("x", extent, 2), tile("t", 5), MACHINE, "a_", root=root)
    data = contents(request.line.grid, 5)
    for given, got in zip(data, in_place("all_reduce", name, request, 5, data), strict=True):
        np.testing.assert_array_equal(got, np.tile(tree_sum(plan_of(name, request), given), (extent, 1)))


@pytest.mark.parametrize("combine", ["add", "mul", "max", "min"])
@pytest.mark.parametrize("dtype", ["f16", "f32", "i32"])
def test_types_and_ways_to_combine(combine: str, dtype: str) -> None:
    request = CollectiveRequest(
        line("y", 6, 2),
        tile("t", 7, dtype),
        MACHINE,
        "c_",
        combine=combine,
        root=4,  # type: ignore[arg-type]
    )
    data = contents(request.line.grid, 7, dtype)
    result = along(in_place("reduce", "tree", request, 7, data), "y")
    for given, got in zip(along(data, "y"), result, strict=True):
        np.testing.assert_array_equal(got[4], tree_sum(plan_of("tree", request), given, combine))


@pytest.mark.parametrize("name", ["chain", "tree", "two_phase{group=3}", "k_tree{group=3}"])
def test_lines_may_hold_different_amounts_or_nothing(name: str) -> None:
    """Row y has 2 y elements, the first none."""
    request = CollectiveRequest(line("x", 8, 4), tile("t", Y * 2), MACHINE, "z_")
    data = contents(request.line.grid, 8)
    result = in_place("all_reduce", name, request, 8, data)
    for y in range(4):
        expected = data[y].copy()
        expected[:, : 2 * y] = tree_sum(plan_of(name, request), data[y])[: 2 * y]
        np.testing.assert_array_equal(result[y], expected)


@pytest.mark.parametrize(("extent", "root"), [(1, 0), (2, 1), (5, 0), (7, 3), (16, 15)])
@pytest.mark.parametrize("axis", ["x", "y"])
def test_broadcast(extent: int, root: int, axis: str) -> None:
    request = CollectiveRequest(line(axis, extent, 2), tile("t", 11, "f16"), MACHINE, "b_", root=root)
    data = contents(request.line.grid, 11, "f16")
    result = along(in_place("broadcast", "multicast", request, 11, data), axis)
    for given, got in zip(along(data, axis), result, strict=True):
        np.testing.assert_array_equal(got, np.tile(given[root], (extent, 1)))


def test_scalars() -> None:
    scalar = TileWalk(Access("t", const(0), ()), (), "f32")
    request = CollectiveRequest(line("x", 40), scalar, MACHINE, "s_")
    data = contents((40, 1), 1)
    got = in_place("all_reduce", "two_phase{group=6}", request, 1, data)
    np.testing.assert_array_equal(
        got[0], np.tile(tree_sum(plan_of("two_phase{group=6}", request), data[0]), (40, 1))
    )


@pytest.mark.parametrize("name", ["chain", "tree", "two_phase{group=32}", "k_tree{group=15}"])
def test_lines_of_512_need_few_texts_and_colours(name: str) -> None:
    request = CollectiveRequest(line("x", 512), tile("t", 4), MACHINE, "n_")
    fragment = choose("all_reduce", name).build(request)
    assert len(fragment.parts) <= 20
    most = {"chain": 2, "tree": 9, "two_phase{group=32}": 3, "k_tree{group=15}": 4}[name]
    assert len(fragment.colours) <= most + 1


@pytest.mark.parametrize("name", ["star", "star{colours=1}", "star{colours=3}"])
@pytest.mark.parametrize(("extent", "root"), [(1, 0), (2, 1), (3, 0), (5, 2), (7, 6), (16, 0), (33, 10)])
@pytest.mark.parametrize("engine", ["flow", "wavelet"])
def test_star_adds_the_high_side_and_then_the_low_one(name: str, extent: int, root: int, engine: str) -> None:
    request = CollectiveRequest(line("y", extent, 2), tile("t", 9), MACHINE, "r_", root=root)
    data = contents(request.line.grid, 9)
    result = along(in_place("reduce", name, request, 9, data, engine=engine), "y")
    for given, got in zip(along(data, "y"), result, strict=True):
        order = [root, *range(root + 1, extent), *range(root - 1, -1, -1)]
        np.testing.assert_array_equal(got[root], combined([given[p] for p in order]))


def test_star_of_512_needs_one_text_a_colour() -> None:
    request = CollectiveRequest(line("x", 512), tile("t", 64), MACHINE, "n_")
    fragment = choose("reduce", "star{colours=2}").build(request)
    assert (len(fragment.colours), len(fragment.parts)) == (2, 3)


def test_all_reduce_by_star() -> None:
    request = CollectiveRequest(line("x", 30, 2), tile("t", 5), MACHINE, "a_", root=4)
    data = contents(request.line.grid, 5)
    for given, got in zip(data, in_place("all_reduce", "star", request, 5, data), strict=True):
        expected = combined([given[p] for p in [4, *range(5, 30), 3, 2, 1, 0]])
        np.testing.assert_array_equal(got, np.tile(expected, (30, 1)))
