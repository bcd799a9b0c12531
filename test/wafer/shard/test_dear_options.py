"""Options that a search leaves out: dearer than others by far, and no smaller."""

from wse_mlir.passes.wafer.shard.choice.dear_options import without_dear_ones
from wse_mlir.passes.wafer.shard.cost import CostModel
from wse_mlir.passes.wafer.shard.layout_rules import grid_mesh
from wse_mlir.passes.wafer.shard.nodes import Option
from wse_mlir.wse_target.machine_file import load_machine


def test_dear_options_are_kept_for_the_memory_they_spare():
    """In the order that they came in."""
    options = [Option(None, (), (), cycles, scratch) for cycles, scratch in
               ((9000.0, 10), (1000.0, 20), (9000.0, 20), (1500.0, 30))]  # fmt: skip
    cost = CostModel(load_machine("wse3"))
    kept = without_dear_ones(options, lambda o: o.scratch, grid_mesh(4, 4), cost)
    assert kept == [options[0], options[1], options[3]]


def test_what_crossing_the_grid_takes_is_allowed():
    """On a large grid it is more than twice the cycles of what is short."""
    options = [Option(None, (), (), cycles) for cycles in (10.0, 500.0)]
    cost = CostModel(load_machine("wse3"))
    assert without_dear_ones(options, lambda o: 0, grid_mesh(256, 256), cost) == options
    assert without_dear_ones(options, lambda o: 0, grid_mesh(4, 4), cost) == options[:1]
