"""Random programs mean the same before and after each tensor pass, bit for bit."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from linalg_reference import run_function
from random_tensor_programs import Shape, programs

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_base import PassRun
from wse_mlir.passes.infra.registry import find_pass

PIPELINES = [
    ["wse-fuse"],
    ["wse-fuse{recompute-ops=100 max-uses=100 contraction-ops=100}"],
    ["wse-fuse{multi-result=false}"],
    ["wse-generalize", "wse-fuse", "wse-dce"],
    ["wse-fold-constants", "wse-dce"],
    ["wse-dce"],
    ["wse-fold-constants", "wse-fuse", "wse-fuse", "wse-specialize", "wse-generalize"],
]


def _run_pass(module: ir.Module, text: str) -> None:
    name, _, options = text.partition("{")
    parsed = dict(o.split("=") for o in options.rstrip("}").split())
    instance = find_pass(name).from_options(parsed)
    operations = list(module.body.operations) if instance.anchor == "func.func" else [module]
    for op in operations:
        instance.run(op.operation, PassRun(name))
    module.operation.verify()


def _materialized(module: ir.Module) -> int:
    """Number of tensors that generics write."""
    operations = module.body.operations[0].regions[0].blocks[0].operations
    return sum(len(op.results) for op in operations if op.operation.name == "linalg.generic")


def _inputs(shapes: list[Shape]) -> list[np.ndarray]:
    generator = np.random.default_rng(0)
    return [generator.integers(-4, 5, s).astype(np.float32) / 2 for s in shapes]


@pytest.mark.parametrize("pipeline", PIPELINES, ids=lambda p: ",".join(p))
@settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@given(programs())
def test_same_results(pipeline: list[str], program: tuple[str, list[Shape]]) -> None:
    text, shapes = program
    with create_context(), ir.Location.unknown():
        module = ir.Module.parse(text)
        expected = run_function(module.body.operations[0], _inputs(shapes))
        before = _materialized(module)
        for name in pipeline:
            _run_pass(module, name)
        actual = run_function(module.body.operations[0], _inputs(shapes))
        if "wse-generalize" not in pipeline:
            assert _materialized(module) <= before
        for a, b in zip(actual, expected, strict=True):
            np.testing.assert_array_equal(a, b)
