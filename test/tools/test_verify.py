"""`wse verify` agrees with PyTorch on every family, and names the stage that a planted fault is in."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import zoo
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.pipelines.runtime.cpu import CpuTarget
from wse_mlir.pipelines.verification import ExecutableStage, executable_stages, verify_stages

BIN = Path(sys.executable).parent
WORKLOAD = """
import torch
def load():
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 6), torch.nn.ReLU()).eval(), (torch.randn(3, 8),)
"""


@pytest.mark.parametrize("name", zoo.FAMILIES)
def test_every_cpu_stage_of_every_family_matches(name: str) -> None:
    made = zoo.family(name)
    stages = [s for s in executable_stages("tiny") if s.name != "wafer"]
    for result in verify_stages(made.model, [made.args] * made.steps, stages):
        assert result.matches, f"{result.stage.name}: {result.errors} {result.failure}"


def test_a_planted_fault_is_found_where_it_is() -> None:
    """A pipeline that drops the rectifier (its body's maximum becomes its input) differs from that stage on."""
    made = zoo.family("mlp")
    sound = [s for s in executable_stages("tiny") if s.name in ("imported", "tensor")]

    class Faulty(CpuTarget):
        def build(self, imported, options, timer):  # type: ignore[no-untyped-def]
            def visit(op):  # type: ignore[no-untyped-def]
                if op.name in ("arith.maximumf", "arith.select"):
                    op.results[0].replace_all_uses_with(op.operands[-2])
                from wse_mlir.dialects.host import ir

                return ir.WalkResult.ADVANCE

            imported.module.operation.walk(visit)
            return super().build(imported, options, timer)

    faulty = ExecutableStage("bufferized", "bufferization", Faulty)
    results = list(verify_stages(made.model, [made.args], [*sound, faulty]))
    assert [r.matches for r in results] == [True, True, False]


def test_a_stage_that_fails_is_reported_and_the_others_run() -> None:
    made = zoo.family("mlp")

    def refuse() -> CpuTarget:
        raise CompilerError("no such thing")

    stages = [ExecutableStage("one", "", refuse), executable_stages("tiny")[3]]
    first, second = verify_stages(made.model, [made.args], stages)
    assert "no such thing" in first.failure and second.matches


def test_a_model_that_fails_in_pytorch_is_said_to() -> None:
    made = zoo.family("mlp")
    with pytest.raises(CompilerError, match="fails in PyTorch already: RuntimeError"):
        list(verify_stages(made.model, [(made.args[0][:, :5],)], []))


def test_the_command_prints_stages_and_writes_json(tmp_path: Path) -> None:
    (tmp_path / "model.py").write_text(WORKLOAD)
    done = subprocess.run(
        [BIN / "wse", "verify", "model.py", "--json", "out.json"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "every stage matches PyTorch" in done.stdout
    stages = json.loads((tmp_path / "out.json").read_text())
    assert [s["stage"] for s in stages] == ["imported", "tensor", "bufferized", "llvm", "wafer"]
