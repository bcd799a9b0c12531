"""The same input gives byte-identical IR at each stage, whatever seed Python hashes with."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
sys.path.insert(0, {tests!r})
import zoo
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.frontend.imported import import_model
from wse_mlir.pipelines.named import named_pipeline

for family in ("mlp", "encoder"):
    made = zoo.family(family)
    module = import_model(made.model, made.args).module
    print("//", family, "imported"); print(module.operation.get_asm(enable_debug_info=True))
    for stage in named_pipeline({pipeline!r}).stages:
        run_pipeline(module, f"builtin.module({{stage.text}})")
        print("//", family, stage.name); print(module.operation.get_asm(enable_debug_info=True))
"""


def stages_of(pipeline: str, seed: int) -> str:
    script = SCRIPT.format(tests=str(Path(__file__).parents[1]), pipeline=pipeline)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("pipeline", ["cpu", "wafer"])
def test_every_stage_is_the_same_text(pipeline: str) -> None:
    first, second = (stages_of(pipeline, seed) for seed in (1, 2))
    assert first == second and first.count("\n// mlp ") + first.count("\n// encoder ") >= 7
