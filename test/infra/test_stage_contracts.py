"""Stage contracts and named pipelines: what may remain where, tables that can be printed and overridden."""

import subprocess
import sys

import pytest

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.diagnostics import CompilerError, PassFailure
from wse_mlir.passes.infra.pass_manager import check_pipeline
from wse_mlir.passes.infra.pipeline_text import parse_pipeline
from wse_mlir.passes.infra.upstream import has_upstream_pass
from wse_mlir.passes.infra.upstream_names import UPSTREAM_PASS_NAMES
from wse_mlir.pipelines.named import NAMED_PIPELINES, named_pipeline
from wse_mlir.pipelines.stages import STAGES, check_stage, stage_contract

TENSOR = "func.func @f(%a: tensor<4xf32>) -> tensor<4xf32> { return %a : tensor<4xf32> }"
LLVM = "llvm.func @f() { llvm.return }"


@pytest.mark.parametrize(
    ("stage", "text", "holds"),
    [
        ("imported", TENSOR, True),
        ("tensor", TENSOR, True),
        ("bufferized", TENSOR, False),
        ("llvm", LLVM, True),
        ("llvm", TENSOR, False),
        ("executable", TENSOR, False),
        ("executable", "func.func @pe(%x: index, %y: index) { return }", True),
    ],
)
def test_a_contract_holds_or_not(stage: str, text: str, holds: bool) -> None:
    module = ir.Module.parse(text, create_context())
    if holds:
        check_stage(module, stage_contract(stage))
        return
    with pytest.raises(PassFailure, match="after pass 'some-pass'"):
        check_stage(module, stage_contract(stage), after_pass="some-pass")


def test_a_linalg_operation_that_is_not_distributed_breaks_the_logical_stage() -> None:
    text = """func.func @f(%a: tensor<4x4xf32>) -> tensor<4x4xf32> {
      %0 = linalg.matmul ins(%a, %a : tensor<4x4xf32>, tensor<4x4xf32>) outs(%a : tensor<4x4xf32>) -> tensor<4x4xf32>
      return %0 : tensor<4x4xf32>
    }"""
    with pytest.raises(PassFailure, match=r"'linalg.matmul' lacks wse\.iterators and wse\.layouts"):
        check_stage(ir.Module.parse(text, create_context()), stage_contract("logical"))


@pytest.mark.parametrize("name", sorted(NAMED_PIPELINES))
def test_every_named_pipeline_has_passes_that_exist(name: str) -> None:
    pipeline = named_pipeline(name)
    check_pipeline(parse_pipeline(pipeline.text), create_context(), pipeline.text)
    assert all(stage.establishes in ("", *STAGES) and stage.reason for stage in pipeline.stages)
    assert pipeline.table().endswith(pipeline.text)


def test_stages_are_overridden_and_cut() -> None:
    tensor = named_pipeline("tensor")
    changed = tensor.override(fold="canonicalize{max-iterations=1}")
    assert "canonicalize{max-iterations=1}" in changed.text and changed.text != tensor.text
    assert (
        tensor.until("imported").text == "builtin.module(wse-lower-tm-tensor,wse-check-stage{stage=imported})"
    )
    with pytest.raises(CompilerError, match="has no stage 'polish'"):
        tensor.override(polish="cse")
    with pytest.raises(CompilerError, match="has no stage 'llvm'"):
        tensor.until("llvm")
    with pytest.raises(CompilerError, match="did you mean tensor"):
        named_pipeline("tensr")


def test_a_pipeline_runs_as_a_script() -> None:
    command = [sys.executable, "-m", "wse_mlir.tools.named_pipeline", "tensor", "-"]
    done = subprocess.run(command, input=TENSOR, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "func.func @f" in done.stdout


def test_the_list_of_upstreams_passes_is_true() -> None:
    context = create_context()
    assert [name for name in UPSTREAM_PASS_NAMES if not has_upstream_pass(name, context)] == []
