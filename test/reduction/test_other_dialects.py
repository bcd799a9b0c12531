"""Programs of PEs, operations that nobody has defined, data that cannot be read: all of them shrink."""

import re

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.passes.infra.pass_manager import run_pipeline
from wse_mlir.reduce import reduce
from wse_mlir.runtime.wafer.image_builder import build_image
from wse_mlir.runtime.wafer.target import pipeline_text

SUM_OF_ROWS = """
func.func @main(%a: tensor<2x4096xf32> {wse.kind = "input", wse.name = "0"})
    -> (tensor<2xf32> {wse.kind = "output", wse.name = "0"}) {
  %zero = arith.constant dense<0.0> : tensor<2xf32>
  %0 = linalg.reduce ins(%a : tensor<2x4096xf32>) outs(%zero : tensor<2xf32>) dimensions = [1] (%x: f32, %y: f32) {
    %1 = arith.addf %x, %y : f32
    linalg.yield %1 : f32
  }
  return %0 : tensor<2xf32>
}
"""


def test_a_program_of_pes_shrinks_to_one_instruction_and_still_builds() -> None:
    context = create_context()
    module = ir.Module.parse(SUM_OF_ROWS, context)
    run_pipeline(module, pipeline_text("tiny", {}))

    def builds_and_sends(text: str) -> bool:
        try:
            build_image(ir.Module.parse(text, context).operation)
        except CompilerError:
            return False
        return '"wse.send"' in text

    result = reduce(module, builds_and_sends)
    assert builds_and_sends(result.text)
    assert re.findall(r'"(wse\.\w+)"|(func\.\w+|return\b)', result.text) == [
        ("wse.program", ""), ("", "func.func"), ("wse.send", ""), ("", "return"),
    ]  # fmt: skip


def test_operations_that_nobody_has_defined() -> None:
    text = """
    func.func @f(%x: !mine.thing) -> !mine.thing {
      %0 = "mine.make"(%x) {size = 3 : i32} : (!mine.thing) -> !mine.thing
      %1 = "mine.loop"(%0) ({
        %2 = "mine.use"(%0) {size = 4 : i32} : (!mine.thing) -> !mine.thing
        "mine.yield"(%2) : (!mine.thing) -> ()
      }) : (!mine.thing) -> !mine.thing
      return %1 : !mine.thing
    }
    """
    result = reduce(text, lambda t: "mine.use" in t, context=create_context(allow_unregistered=True))
    assert re.findall(r'%.*"mine.*', result.text) == ['%0 = "mine.use"(%arg0) : (!mine.thing) -> !mine.thing']
    assert result.after.operations == 4


def test_data_that_only_its_printer_can_read_becomes_zeros() -> None:
    text = """
    func.func @f() -> tensor<64xf32> {
      %0 = arith.constant dense_resource<blob> : tensor<64xf32>
      %1 = math.exp %0 : tensor<64xf32>
      return %1 : tensor<64xf32>
    }
    {-# dialect_resources: { builtin: { blob: "0x04000000DEADBEEF" } } #-}
    """
    result = reduce(text, lambda t: "64xf32" in t and "constant" in t)
    assert "dense<0.000000e+00> : tensor<64xf32>" in result.text and "blob" not in result.text


def test_two_thousand_operations_take_few_tests() -> None:
    lines = "\n".join(f"  %{n + 1} = arith.addf %{n}, %{n} : tensor<4xf32>" for n in range(2000))
    lines = lines.replace("arith.addf %777, %777", "math.exp %777")
    text = f"func.func @f(%0: tensor<4xf32>) -> tensor<4xf32> {{\n{lines}\n  return %2000 : tensor<4xf32>\n}}"
    result = reduce(text, lambda t: "math.exp" in t)
    assert result.before.operations == 2003 and result.after.operations == 4
    assert result.tests <= 50
