"""An unmodified upstream tool reads our IR with the exported dialect, lowered programs included."""

import subprocess
from pathlib import Path

import pytest
import torch_mlir

import wse_mlir
from wse_mlir.dialects import wse
from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.pipelines.named import named_pipeline

EXAMPLES = Path(__file__).resolve().parents[1] / "lit" / "dialects" / "wse"
UPSTREAM_OPT = Path(next(iter(torch_mlir.__path__))) / "_mlir_libs" / "torch-mlir-opt"

MATMUL = """
func.func @main(%a: tensor<8x16xf32> {wse.kind = "input", wse.name = "0"},
                %w: tensor<16x12xf32> {wse.kind = "parameter", wse.name = "w"})
    -> (tensor<8x12xf32> {wse.kind = "output", wse.name = "0"}) {
  %zero = arith.constant 0.0 : f32
  %empty = tensor.empty() : tensor<8x12xf32>
  %init = linalg.fill ins(%zero : f32) outs(%empty : tensor<8x12xf32>) -> tensor<8x12xf32>
  %0 = linalg.matmul ins(%a, %w : tensor<8x16xf32>, tensor<16x12xf32>) outs(%init : tensor<8x12xf32>)
      -> tensor<8x12xf32>
  return %0 : tensor<8x12xf32>
}
"""


@pytest.fixture
def upstream(tmp_path):
    exported = tmp_path / "wse.irdl.mlir"
    exported.write_text(wse.irdl_text())

    def run(text: str) -> subprocess.CompletedProcess[str]:
        command = [str(UPSTREAM_OPT), f"--irdl-file={exported}"]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)

    return run


@pytest.mark.parametrize("name", ["logical-ops.mlir", "program-ops.mlir", "effects.mlir"])
def test_examples(upstream, name):
    with create_context():
        text = str(ir.Module.parse((EXAMPLES / name).read_text()))
        read = upstream(text)
        assert read.returncode == 0, read.stderr
        assert str(ir.Module.parse(read.stdout)) == text


def test_a_lowered_program(upstream):
    with create_context():
        module = ir.Module.parse(MATMUL)
        text = str(wse_mlir.opt(module, named_pipeline("wafer").text))
        assert '"wse.vector"' in text and '"wse.pe_class"' in text
        read = upstream(text)
        assert read.returncode == 0, read.stderr
        assert str(ir.Module.parse(read.stdout)) == text


def test_what_the_exported_dialect_forbids_is_refused(upstream):
    read = upstream('"wse.colour"() {sym_name = "c"} : () -> ()')
    assert read.returncode != 0 and "id" in read.stderr
