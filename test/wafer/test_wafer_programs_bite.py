"""Nothing in an executable program is for show: what is deleted or displaced makes the answer wrong."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from lowering import error, from_partition, lower, lower_rest, simulated
from torch import nn

from wse_mlir.dialects.host import ir
from wse_mlir.dialects.wse import build
from wse_mlir.frontend.imported import ImportedModel
from wse_mlir.passes.wafer.executable import bodies, instructions, symbols
from wse_mlir.pipelines.opt import opt
from wse_mlir.runtime.wafer.image_builder import build_image
from wse_mlir.wse_target.errors import TargetError
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim.simulation import simulate

ARGS = (torch.randn(2, 96, generator=torch.Generator().manual_seed(5)),)


def model() -> nn.Module:
    torch.manual_seed(4)
    return nn.Sequential(nn.Linear(96, 24), nn.ReLU(), nn.Linear(24, 7), nn.Softmax(-1)).eval()


def executable() -> ImportedModel:
    return lower(model(), ARGS, "3x3", "plan-memory")


def expected() -> torch.Tensor:
    with torch.no_grad():
        return model()(*ARGS)


def outcome(imported: ImportedModel) -> tuple[float, float]:
    """Error and cycles; an infinite error where the program no longer gets to its end."""
    try:
        result = simulated(imported, ARGS)
    except TargetError:
        return float("inf"), 0.0
    return error(torch.from_numpy(result.outputs[0]), expected()), result.report.cycles.makespan


def vectors(imported: ImportedModel) -> Iterator[Any]:
    """Vector operations of all classes; position n of each class is one operation of the SPMD program."""
    for _, function in bodies(imported.module.operation):
        found = [op for op in instructions(function.body.blocks[0]) if op.operation.name == "wse.vector"]
        yield found


def test_the_whole_program_is_right() -> None:
    assert outcome(executable())[0] <= 1e-3


def test_deleting_any_vector_operation_changes_result_and_cycles() -> None:
    _, cycles = outcome(executable())
    count = len(next(vectors(executable())))
    # Writing the sum's neutral number is only felt where memory held something else before.
    for position in range(count):
        imported = executable()
        doomed = list({found[position].operation: found[position] for found in vectors(imported)}.values())
        is_fill = doomed[0].kind.value == "fill"
        for op in doomed:
            op.operation.erase()
        wrong, shorter = outcome(imported)
        assert shorter != cycles, f"vector operation {position} takes no time"
        assert is_fill or wrong > 1e-3, f"vector operation {position} does not matter"


@pytest.mark.parametrize("kind", ["wse.all_reduce"])
def test_deleting_a_collective_makes_the_result_wrong(kind: str) -> None:
    imported = lower(model(), ARGS, "3x3", "place")
    block = symbols(imported.module.operation, "func.func")[0].body.blocks[0]
    found = [op for op in block.operations if op.operation.name == kind]
    assert found, "the plan has no such collective"
    found[0].result.replace_all_uses_with(found[0].input)
    found[0].operation.erase()
    assert outcome(lower_rest(imported, "place"))[0] > 1e-3


MOVES = """
#id = affine_map<(d0) -> (d0)>
func.func @main(%a: tensor<13xf32>) -> tensor<13xf32> {
  %empty = tensor.empty() : tensor<13xf32>
  %0 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%a : tensor<13xf32>) outs(%empty : tensor<13xf32>) attrs = {wse.iterators = ["y"]} {
  ^bb0(%l: f32, %o: f32):
    %s = arith.negf %l : f32
    linalg.yield %s : f32
  } -> tensor<13xf32>
  %1 = linalg.generic {indexing_maps = [#id, #id], iterator_types = ["parallel"]}
      ins(%0 : tensor<13xf32>) outs(%empty : tensor<13xf32>) attrs = {wse.iterators = ["x"]} {
  ^bb0(%l: f32, %o: f32):
    %s = arith.negf %l : f32
    linalg.yield %s : f32
  } -> tensor<13xf32>
  return %1 : tensor<13xf32>
}
"""


@pytest.mark.parametrize("grid", ["2x3", "3x5", "4x8", "1x8"])
def test_a_redistribution_gathers_and_without_its_relays_does_not(grid: str) -> None:
    x = np.arange(1, 14, dtype=np.float32)

    def result(module: ir.Module) -> np.ndarray:
        program = build_image(module.operation)
        return simulate(program, load_machine("tiny"), [x]).outputs[0]

    module = opt(MOVES, from_partition(grid))
    np.testing.assert_array_equal(result(module), x)
    for _, function in bodies(module.operation):
        for op in list(instructions(function.body.blocks[0])):
            if op.operation.name in ("wse.relay", "wse.send", "wse.receive"):
                op.operation.erase()
    assert not np.array_equal(result(module), x)


def test_what_pes_repeat_is_work_once() -> None:
    """Each negation is along one axis of 5x3 PEs: what the other axis repeats is counted apart."""
    module = opt(MOVES, from_partition("5x3"))
    x = np.arange(13, dtype=np.float32)
    for engine in ("flow", "wavelet"):
        report = simulate(build_image(module.operation), load_machine("tiny"), [x], engine=engine).report
        assert (report.flops, report.repeated_flops) == (2 * 13, 13 * 4 + 13 * 2)
        assert report.per_pe["flops"].sum() == 13 * 5 + 13 * 3
        assert [phase.flops for phase in report.phases if phase.flops] == [13, 13]


@pytest.mark.parametrize("name", ["wse.send", "wse.receive", "wse.relay"])
def test_deleting_a_transfer_is_noticed(name: str) -> None:
    imported = executable()
    found = [
        op
        for _, function in bodies(imported.module.operation)
        for op in instructions(function.body.blocks[0])
        if op.operation.name == name
    ]
    found[0].operation.erase()
    assert outcome(imported)[0] > 1e-3


def test_a_misplaced_tile_is_caught() -> None:
    for position in range(len(symbols(executable().module.operation, "wse.host_scatter"))):
        imported = executable()
        scatter = symbols(imported.module.operation, "wse.host_scatter")[position]
        with imported.context:
            first, *rest = (ir.AffineMapAttr(a).value for a in scatter.origin)
            moved = ir.AffineMap.get(0, 2, [first.results[0] + 1])
            scatter.attributes["origin"] = build.map_array([moved, *rest])
        assert outcome(imported)[0] > 1e-3, f"scatter {position}"


def test_a_class_at_another_place_is_caught() -> None:
    imported = executable()
    classes = symbols(imported.module.operation, "wse.pe_class")
    with imported.context:
        first, second = classes[0].attributes["body"], classes[-1].attributes["body"]
        classes[0].attributes["body"], classes[-1].attributes["body"] = second, first
    assert outcome(imported)[0] > 1e-3
