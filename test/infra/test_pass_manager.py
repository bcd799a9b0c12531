"""Pipelines of Python and upstream passes: order, failures, what a run tells about itself."""

from pathlib import Path
from typing import Any

import pytest

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.diagnostics import CompilerError, PassFailure
from wse_mlir.passes.infra.pass_base import Pass, PassRun, option
from wse_mlir.passes.infra.pass_manager import Instrumentation, PipelineFailure, run_pipeline
from wse_mlir.passes.infra.pipeline_text import PipelineSyntaxError
from wse_mlir.passes.infra.registry import register_pass
from wse_mlir.passes.infra.reproducer import Reproducer, read_reproducer
from wse_mlir.passes.infra.timing import Timer

SOURCE = """
#line = loc("/models/model.py":12:0)
#layer = loc("encoder.linear1"(#line))
func.func @f() {
  %a = arith.constant 1 : i32 loc(fused<"aten.linear">[#layer])
  return
}
func.func @g() { return }
"""

visited: list[str] = []


@register_pass
class Visit(Pass, name="test-visit", anchor="func.func"):
    """Notes what it sees."""

    label: str = option("", "how the note begins")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        symbol = ir.StringAttr(op.attributes["sym_name"]).value
        visited.append(f"{self.label}{symbol}:{len(list(op.regions[0].blocks[0]))}")
        run.count("functions")
        run.remark(op, f"after '{run.previous_pass}'")


@register_pass
class Fail(Pass, name="test-fail", anchor="func.func"):
    """Fails in the way that is asked for."""

    how: str = option("message", "the way")

    def run(self, op: ir.Operation, run: PassRun) -> None:
        inside: Any = op.regions[0].blocks[0].operations[0]
        if self.how == "message":
            raise PassFailure(inside, "this cannot be tiled", hint="give other sizes")
        if self.how == "error":
            raise CompilerError("no machine is named 'x'", where="flags", hint="see wse targets")
        if self.how == "crash":
            raise IndexError("list index out of range")
        if self.how == "invalid":
            op.attributes["function_type"] = ir.TypeAttr.parse("(i32) -> ()")
        if self.how == "caught":
            try:
                ir.Operation.parse("func.func @broken() {", context=op.context)
            except ir.MLIRError:
                run.count("errors caught")
        if self.how == "nested":
            run_pipeline(op, "func.func(transform-interpreter)")


def parse(text: str = SOURCE) -> ir.Module:
    return ir.Module.parse(text, create_context())


def test_a_nested_pipeline_finishes_each_function_in_turn() -> None:
    visited.clear()
    run_pipeline(
        parse(), "builtin.module(func.func(test-visit{label=1},cse,test-visit{label=2}),test-visit{label=3})"
    )
    assert visited == ["1f:2", "2f:1", "1g:1", "2g:1", "3f:1", "3g:1"]


def test_a_run_reports_statistics_remarks_and_times() -> None:
    timer = Timer()
    result = run_pipeline(
        parse(),
        "builtin.module(cse,test-visit,func.func(test-visit))",
        instrumentation=Instrumentation(timer=timer),
    )
    assert [(name, dict(counts)) for name, counts in result.statistics] == [
        ("test-visit", {"functions": 2})
    ] * 2
    assert [remark.message for remark in result.remarks] == [
        "after 'cse'",
        "after 'test-visit'",
        "after 'test-visit'",
        "after 'test-visit'",
    ]
    assert [child.name for child in timer.stop().children.values()] == [
        "CSEPass",
        "'func.func' Pipeline",
        "'func.func' Pipeline",
    ]


def test_a_failure_names_pass_module_path_and_source_line() -> None:
    with pytest.raises(PipelineFailure) as caught:
        run_pipeline(parse(), "builtin.module(test-fail)")
    assert str(caught.value).splitlines() == [
        "encoder.linear1 (model.py:12, aten.linear): pass 'test-fail' failed: this cannot be tiled",
        "  hint: give other sizes",
    ]
    assert caught.value.pass_name == "test-fail"


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("error", "pass 'test-fail' failed: flags: no machine is named 'x'"),
        ("crash", "internal error: IndexError: list index out of range"),
        ("invalid", "function"),
        ("nested", "could not find a nested named sequence"),
    ],
)
def test_every_kind_of_failure_is_one_error(
    how: str, message: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(PipelineFailure) as caught:
        run_pipeline(parse(), f"builtin.module(test-fail{{how={how}}})")
    assert message in str(caught.value)
    assert capfd.readouterr() == ("", "")


def test_upstreams_failures_have_their_diagnostics() -> None:
    with pytest.raises(PipelineFailure, match="could not find a nested named sequence") as caught:
        run_pipeline(parse(), "builtin.module(cse,transform-interpreter)")
    assert caught.value.pass_name == "transform-interpreter"


def test_nothing_runs_when_a_later_pass_is_wrong() -> None:
    visited.clear()
    for wrong in (
        "no-such-pass",
        "cse{x=1}",
        "test-visit{lable=1}",
        "affine-loop-tile",
        "func.func(symbol-dce2)",
    ):
        with pytest.raises(PipelineSyntaxError):
            run_pipeline(parse(), f"builtin.module(test-visit,{wrong})")
    assert visited == []


def test_a_pass_cannot_stand_in_a_pipeline_for_something_else() -> None:
    with pytest.raises(PipelineSyntaxError, match=r"runs on 'func\.func', not on 'gpu\.module'"):
        run_pipeline(parse(), "builtin.module(gpu.module(test-visit))")


def test_a_reproducer_replays_to_the_same_error(tmp_path: Path) -> None:
    (tmp_path / "wse-reproducer-1.mlir").write_text("precious")
    watch = Instrumentation(reproducer=Reproducer(directory=tmp_path))
    with pytest.raises(PipelineFailure) as first:
        run_pipeline(parse(), "builtin.module(cse,canonicalize,test-fail,symbol-dce)", instrumentation=watch)
    assert (tmp_path / "wse-reproducer-1.mlir").read_text() == "precious"
    path = tmp_path / "wse-reproducer-2.mlir"
    assert first.value.reproducer == str(path)
    replay = read_reproducer(path.read_text())
    assert replay.pipeline == "builtin.module(func.func(test-fail),symbol-dce)"
    with pytest.raises(PipelineFailure) as second:
        run_pipeline(parse(replay.ir_text), replay.pipeline)
    assert second.value.message == first.value.message and second.value.where == first.value.where
    assert sorted(p.name for p in tmp_path.iterdir()) == ["wse-reproducer-1.mlir", "wse-reproducer-2.mlir"]


def test_a_reproducer_that_cannot_be_written_does_not_hide_the_failure(tmp_path: Path) -> None:
    watch = Instrumentation(reproducer=Reproducer(directory=tmp_path / "nowhere"))
    with pytest.raises(PipelineFailure, match="this cannot be tiled") as caught:
        run_pipeline(parse(), "builtin.module(test-fail)", instrumentation=watch)
    assert any("could not be written" in note for note in caught.value.notes)


def test_unverified_ir_passes_when_asked() -> None:
    run_pipeline(
        parse(), "builtin.module(test-fail{how=invalid})", instrumentation=Instrumentation(verify_each=False)
    )


def test_handlers_see_failures_but_not_what_a_pass_catches_itself() -> None:
    seen: list[str] = []
    module = parse()
    module.context.emit_error_diagnostics = True

    def handle(diagnostic: Any) -> bool:
        seen.append(diagnostic.message)
        return True

    watch = Instrumentation(report=lambda location, message: location.emit_error(message))
    with module.context.attach_diagnostic_handler(handle):
        result = run_pipeline(module, "builtin.module(test-fail{how=caught})", instrumentation=watch)
        assert result.statistics[0][1]["errors caught"] == 2 and seen == []
        for how, message in (("message", "this cannot be tiled"), ("nested", "could not find")):
            with pytest.raises(PipelineFailure):
                run_pipeline(module, f"builtin.module(test-fail{{how={how}}})", instrumentation=watch)
            assert message in seen.pop() and seen == []
        with pytest.raises(PipelineFailure):
            run_pipeline(module, "builtin.module(transform-interpreter)", instrumentation=watch)
        assert len(seen) == 1


class Watcher:
    """Writes down what an observer is told."""

    def __init__(self) -> None:
        self.seen: list[str] = []

    def before_pass(self, step: Any, root: ir.Operation) -> None:
        self.seen.append(f"before {step.name} on {root.name}")

    def after_pass(self, step: Any, root: ir.Operation) -> None:
        self.seen.append(f"after {step.name}: {str(root).count('arith.constant')} constants")


def test_observers_see_the_whole_ir_around_every_run_of_a_pass() -> None:
    watcher = Watcher()
    with create_context():
        module = ir.Module.parse(SOURCE)
        pipeline = "builtin.module(func.func(test-visit),canonicalize,func.func(test-fail))"
        with pytest.raises(PipelineFailure):
            run_pipeline(module, pipeline, instrumentation=Instrumentation(observers=[watcher]))
    before, after = "before test-visit on builtin.module", "after test-visit: 1 constants"
    assert watcher.seen == [
        *(before, after, before, after),  # once for each function
        "before canonicalize on builtin.module",
        "after canonicalize: 0 constants",
        "before test-fail on builtin.module",
    ]


@pytest.mark.parametrize(
    ("name", "text", "hint"),
    [
        ("remove-dead-values", '"unknown.op"() ({ "unknown.end"() : () -> () }) : () -> ()', "'unknown.op'"),
        ("inline", 'module { "unknown.op"() ({}) : () -> () }', "--irdl-file"),
        ("refback-munge-calling-conventions", "func.func @f() -> tensor<4xf32> { %0 = tensor.empty() : tensor<4xf32>"
         " return %0 : tensor<4xf32> }", "defect of upstream's pass"),
        ("torch-lower-to-backend-contract", "func.func @main() { cf.br ^a ^a: cf.br ^a }", "defect of upstream's pass"),
    ],
)  # fmt: skip
def test_a_pass_that_would_take_the_process_with_it_fails(name: str, text: str, hint: str) -> None:
    module = ir.Module.parse(text, create_context(allow_unregistered=True))
    with pytest.raises(PipelineFailure, match="crashes on this input: segmentation fault") as caught:
        run_pipeline(module, f"builtin.module({name})")
    assert hint in caught.value.hint and caught.value.where
