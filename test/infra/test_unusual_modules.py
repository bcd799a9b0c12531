"""Every pass of this project on modules that few people write: a result, or one located sentence."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from unusual_modules import MODULES

from wse_mlir.dialects.context import create_context
from wse_mlir.dialects.host import ir
from wse_mlir.passes.infra.pass_manager import (
    Instrumentation,
    PipelineFailure,
    PythonStep,
    UpstreamStep,
    run_pipeline,
)
from wse_mlir.passes.infra.registry import BUILTIN, find_pass
from wse_mlir.pipelines import stages as stages  # makes wse-check-stage known
from wse_mlir.pipelines.named import named_pipeline

_INTERNAL = re.compile(r"internal error|gave no reason|Traceback|not valid|see current operation")
_MODEL = (Path(__file__).parents[2] / "examples" / "matmul.mlir").read_text()


class _StageTexts:
    """Keeps the IR at each stage that a pipeline reaches."""

    def __init__(self, pipeline: str) -> None:
        self.pipeline = pipeline
        self.texts: dict[str, str] = {}

    def before_pass(self, step: PythonStep | UpstreamStep, root: ir.Operation) -> None:
        pass

    def after_pass(self, step: PythonStep | UpstreamStep, root: ir.Operation) -> None:
        if step.name == "wse-check-stage":
            self.texts[f"{self.pipeline}: {step}"] = str(root)


@pytest.fixture(scope="module")
def context() -> Iterator[ir.Context]:
    with create_context(allow_unregistered=True) as context:
        yield context


@pytest.fixture(scope="module")
def modules(context: ir.Context) -> dict[str, str]:
    """The unusual modules, and what the pipelines for both targets hand from stage to stage."""
    texts = dict(MODULES)
    for name in ("cpu", "wafer"):
        watch = _StageTexts(name)
        module = ir.Module.parse(_MODEL, context)
        run_pipeline(module, named_pipeline(name).text, instrumentation=Instrumentation(observers=[watch]))
        texts |= watch.texts
    return texts


def _pipeline(name: str) -> str:
    anchor = find_pass(name).anchor
    return (
        f"builtin.module({name})"
        if anchor in (None, "builtin.module")
        else f"builtin.module({anchor}({name}))"
    )


@pytest.mark.parametrize("name", sorted(BUILTIN))  # not those that other tests register
def test_a_pass_gives_a_result_or_a_reason(name: str, context: ir.Context, modules: dict[str, str]) -> None:
    pipeline = _pipeline(name)
    complaints = []
    for title, text in modules.items():
        module = ir.Module.parse(text, context)
        try:
            run_pipeline(
                module, pipeline, instrumentation=Instrumentation(verify_each=False, reproducer=None)
            )
        except PipelineFailure as failure:
            if _INTERNAL.search(str(failure)) or not failure.where:
                complaints.append(f"{title}: {failure}")
            continue
        try:
            module.operation.verify()
        except ir.MLIRError as error:
            complaints.append(f"{title}: what it leaves does not verify: {error}")
    assert not complaints, "\n".join(complaints)
