"""Small programs lowered to the wafer and run on the simulator, stage by stage, for the tests of this folder."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils import _pytree as pytree

from wse_mlir.compiler.compile import compile as compile_model
from wse_mlir.frontend.imported import ImportedModel, import_model
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.pipelines.named import named_pipeline
from wse_mlir.runtime.wafer.image_builder import build_image
from wse_mlir.runtime.wafer.target import read_constants
from wse_mlir.wse_target.image import Program
from wse_mlir.wse_target.layout.mesh import Mesh
from wse_mlir.wse_target.layout.rectangle import Rect
from wse_mlir.wse_target.layout.tensor_layout import TensorLayout
from wse_mlir.wse_target.layout.text import layout_text
from wse_mlir.wse_target.machine_file import load_machine
from wse_mlir.wse_target.sim.engine import EngineName
from wse_mlir.wse_target.sim.report import SimulationResult
from wse_mlir.wse_target.sim.simulation import simulate


class Function(nn.Module):
    """A function as a model."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: torch.Tensor) -> Any:
        return self.function(*args)


def blocks(shape: Sequence[int], axes: Sequence[str], grid: tuple[int, int], rest: str = "") -> str:
    """The attribute of a tensor in blocks along grid axes, "" for a dimension that is whole."""
    mesh = Mesh.of(Rect(0, 0, *grid))
    return f'#wse.layout<"{layout_text(TensorLayout.blocks(shape, axes, mesh))}{rest}">'


def error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """max |a - b| / max |b|, infinite where NaN and infinities differ in place."""
    a, b = actual.double(), expected.double()
    if a.shape != b.shape or not torch.equal(torch.isfinite(a), torch.isfinite(b)):
        return float("inf")
    finite = torch.isfinite(b)
    if not finite.any():
        return 0.0
    return float((a - b)[finite].abs().max() / b[finite].abs().max().clamp_min(1e-30))


def element_errors(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """The largest error of an element in terms of itself, or of the type's least normal number.

    Infinities, NaN and signs have to be the same.
    """
    a, b = actual.double(), expected.double()
    assert torch.equal(a.isnan(), b.isnan())
    assert torch.equal(a.isinf(), b.isinf())
    assert torch.equal(torch.signbit(a)[~a.isnan()], torch.signbit(b)[~b.isnan()])
    finite = b.isfinite()
    return float(((a - b)[finite].abs() / b[finite].abs().clamp_min(torch.finfo(expected.dtype).tiny)).max())


def wafer_errors(
    model: nn.Module, args: Sequence[torch.Tensor], target: str = "tiny", **options: Any
) -> list[float]:
    """Errors of every output on the simulated wafer against PyTorch."""
    with torch.no_grad():
        expected = pytree.tree_leaves(model(*args))
    actual = pytree.tree_leaves(compile_model(model, args, target=target, **options)(*args))
    return [error(a, e) for a, e in zip(actual, expected, strict=True)]


def lower(model: nn.Module, args: Sequence[torch.Tensor], grid: str, until: str) -> ImportedModel:
    """A model lowered up to and including the stage row `until` of the pipeline `wafer`."""
    imported = import_model(model, args)
    pipeline = named_pipeline("wafer").override(partition=f"wse-partition{{machine=tiny grid={grid}}}")
    names = [stage.name for stage in pipeline.stages]
    run(imported, [s.text for s in pipeline.stages[: names.index(until) + 1]])
    return imported


def lower_rest(imported: ImportedModel, after: str) -> ImportedModel:
    """The rest of the pipeline, from the row behind `after`."""
    pipeline = named_pipeline("wafer")
    names = [stage.name for stage in pipeline.stages]
    run(imported, [s.text for s in pipeline.stages[names.index(after) + 1 :]])
    return imported


def from_partition(grid: str, until: str = "plan-memory") -> str:
    """The pipeline from the row `partition` up to and including `until`, for linalg on tensors as it is read."""
    stages = named_pipeline("wafer").override(partition=f"wse-partition{{machine=tiny grid={grid}}}").stages
    names = [stage.name for stage in stages]
    chosen = stages[names.index("partition") : names.index(until) + 1]
    return f"builtin.module({','.join(stage.text for stage in chosen)})"


def run(imported: ImportedModel, passes: Sequence[str]) -> None:
    run_pipeline(imported.module, f"builtin.module({','.join(p for p in passes if p)})")


def simulated(
    imported: ImportedModel,
    args: Sequence[torch.Tensor],
    change: Callable[[Program], Program] = lambda program: program,
    engine: EngineName = "flow",
) -> SimulationResult:
    """Builds the image of an executable module, changes it, and runs it."""
    program = change(build_image(imported.module.operation))
    remaining = iter(args)
    arrays = [
        (a.tensor if a.kind == "parameter" and a.tensor is not None else next(remaining)).detach().numpy()
        for a in imported.arguments
    ]
    constants = read_constants(imported.module.operation)
    given = [*map(np.ascontiguousarray, arrays), *constants]
    return simulate(program, load_machine("tiny"), given, engine=engine)
