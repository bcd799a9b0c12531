"""How a pipeline ends in a process of its own, and which ends are the same defect."""

from pathlib import Path

import pytest

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.diagnostics import CompilerError
from wse_mlir.passes.infra.plugins import load_plugin
from wse_mlir.reduce import reduce
from wse_mlir.reduce.outcome import PipelineOutcome, run_apart
from wse_mlir.reduce.pipeline_predicate import PipelinePredicate

load_plugin(str(Path(__file__).resolve().parents[1] / "lit" / "tools" / "Inputs" / "planted_bugs.py"))
CONTEXT = create_context()
TEXT = """
func.func @f(%x: {0}) -> {0} {{
  %0 = math.exp %x : {0}
  %1 = arith.maximumf %x, %0 : {0}
  return %1 : {0}
}}
"""


def outcome(how: str, element: str = "f32", timeout: float | None = None) -> PipelineOutcome:
    pipeline = f"builtin.module(cse,planted-bug{{how={how}}})"
    return run_apart(TEXT.format(element), pipeline, CONTEXT, timeout=timeout)


@pytest.mark.parametrize(
    ("how", "kind", "message"),
    [
        ("segfault", "crashes", "signal SIGSEGV"),
        ("abort", "crashes", "signal SIGABRT"),
        ("fail", "fails", "pass 'planted-bug' failed: cannot handle operands of type 'f32'"),
        ("raise", "fails", "pass 'planted-bug' failed: internal error: IndexError: list index out of range"),
    ],
)
def test_every_end_has_its_kind_its_pass_and_its_message(how: str, kind: str, message: str) -> None:
    ended = outcome(how)
    assert (ended.kind, ended.pass_name, ended.message) == (kind, "planted-bug", message)
    assert ended.mentions("something is wrong inside") == (kind == "crashes")


def test_success_and_a_pass_that_does_not_end() -> None:
    assert run_apart(TEXT.format("f32"), "builtin.module(cse)", CONTEXT) == PipelineOutcome("succeeds")
    ended = outcome("hang", timeout=0.3)
    assert (ended.kind, ended.pass_name) == ("does not end", "planted-bug")
    assert not ended.mentions("")


def test_the_same_defect_may_name_other_values_and_types() -> None:
    assert outcome("fail").is_like(outcome("fail", "vector<4xf16>"))
    assert not outcome("fail").is_like(outcome("raise"))
    assert not outcome("abort").is_like(outcome("segfault"))
    assert not outcome("fail").is_like(PipelineOutcome("fails", "cse", outcome("fail").message))


def test_a_pipeline_that_cannot_run_is_no_failure_of_a_pass() -> None:
    with pytest.raises(CompilerError, match="anchored on"):
        run_apart(TEXT.format("f32"), "func.func(cse)", CONTEXT)


def test_a_failure_of_another_kind_is_not_taken_for_the_one_looked_for() -> None:
    """`planted-bug` fails at both functions; with the message of one, the other one goes."""
    text = TEXT.format("f32") + TEXT.format("f64").replace("@f", "@g")
    predicate = PipelinePredicate("builtin.module(planted-bug{how=fail})", CONTEXT, message="type 'f64'")
    module = ir.Module.parse(text, CONTEXT)
    assert not predicate(str(module))  # it fails at @f, hence never gets to @g
    swapped = ir.Module.parse(text.replace("f32", "f16").replace("f64", "f32").replace("f16", "f64"), CONTEXT)
    result = reduce(swapped, predicate)
    assert "f64" in result.text and "f32" not in result.text and result.after.operations == 5


def test_ir_whose_own_syntax_cannot_be_read_back_is_printed_generically() -> None:
    """`linalg.generic` without operands is valid, but its syntax has no place for its body then."""
    text = """
    func.func @f(%x: tensor<4xf32>) {
      %0 = math.exp %x : tensor<4xf32>
      "linalg.generic"() <{indexing_maps = [], operandSegmentSizes = array<i32: 0, 0>,
                           iterator_types = [#linalg.iterator_type<parallel>]}> ({
        "linalg.yield"() : () -> ()
      }) : () -> ()
      return
    }
    """
    module = ir.Module.parse(text, CONTEXT)
    with pytest.raises(ir.MLIRError):
        ir.Module.parse(str(module), CONTEXT)
    result = reduce(module, lambda candidate: "linalg.generic" in candidate)
    assert ir.Module.parse(result.text, CONTEXT) and result.after.operations == 5
