"""What plans know of ways that plans before them looked for."""

from wse_mlir.passes.wafer.communicate import remembered_ways, ways_on
from wse_mlir.passes.wafer.shard.cost import CostModel
from wse_mlir.passes.wafer.shard.layout_rules import grid_mesh
from wse_mlir.wse_target.layout.tensor_layout import TensorLayout
from wse_mlir.wse_target.machine_file import load_machine


def test_plans_with_less_memory_for_data_know_the_same_ways():
    """One object, while it is remembered; prices alone where text is scarce."""
    machine = load_machine("wse3")
    with remembered_ways():
        first = CostModel(machine, 0.9).ways
        assert CostModel(load_machine("wse3"), 0.6).ways is first
        brief = CostModel(machine, 0.6, brief=True).ways
        assert brief.brief and brief is not first and brief._prices is first._prices
        assert ways_on(load_machine("tiny"), brief=False) is not first
        assert CostModel(machine, 0.6, brief=True).ways is brief
    assert CostModel(machine).ways is not first


def test_what_is_remembered_changes_no_way():
    """Of brief ways neither, whose prices were found before."""
    mesh = grid_mesh(6, 4)
    source, target = (TensorLayout.blocks((24, 30), axes, mesh) for axes in (("x", "y"), ("y", "")))
    machine = load_machine("wse3")
    for brief in (False, True):
        alone = ways_on(machine, brief=brief).between(source, target, "f32")
        with remembered_ways():
            ways_on(machine, brief=not brief).between(source, target, "f32")
            assert ways_on(machine, brief=brief).between(source, target, "f32") == alone
